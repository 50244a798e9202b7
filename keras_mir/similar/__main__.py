"""Songs that sound alike: `python -m keras_mir.similar SONG --in VECTORS`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import add_models_option, command_parser, count
from keras_mir.command_line.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 2 for a user's mistake."""
    return run(parser(), _similar, argv)


def parser() -> argparse.ArgumentParser:
    """The command line's arguments, named as those of `print_similar`."""
    parser = command_parser(
        "similar",
        description="Find the songs of a library that sound most like one, by the vectors that "
        "keras_mir.embed has made; write a playlist that goes on from it, or draw the library.",
    )
    parser.add_argument(
        "song",
        type=Path,
        nargs="?",
        metavar="SONG",
        help="an audio file, in VECTORS or any other, which is embedded by the same model",
    )
    parser.add_argument(
        "--in", dest="vectors", type=Path, required=True, metavar="VECTORS", help="the library's vectors"
    )
    parser.add_argument(
        "--top", type=count, default=10, metavar="N", help="how many songs (default: %(default)s)"
    )
    parser.add_argument(
        "--where",
        default="",
        metavar="CONDITION",
        help='which songs of VECTORS count, in SQL: "tempo between 90 and 110 and duration > 60"',
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", dest="form", action="store_const", const="json", help="print one JSON object per line"
    )
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print CSV with a header")
    form.add_argument(
        "--playlist",
        type=count,
        default=0,
        metavar="N",
        help="print, or write to --out, an M3U8 playlist of SONG and so many others, each the nearest to the "
        "one before it",
    )
    parser.set_defaults(form="table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the playlist; its paths start from there")
    parser.add_argument(
        "--map",
        type=Path,
        metavar="FILE",
        help="write a page that draws the library in two dimensions, where a dot is a song that plays",
    )
    add_models_option(parser)
    return parser


def _similar(arguments: argparse.Namespace) -> int:
    from keras_mir.similar.answers import print_similar

    print_similar(**vars(arguments))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
