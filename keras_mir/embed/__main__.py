"""Vectors of songs: `python -m keras_mir.embed MUSIC --model NAME --out VECTORS`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import add_models_option, command_parser, count
from keras_mir.command_line.run import run
from pipelines.spec import EMBEDDINGS


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if some songs failed, 2 for a user's mistake."""
    return run(parser(), _embed, argv)


def parser() -> argparse.ArgumentParser:
    """The command line's arguments, named as those of `embed_songs`."""
    parser = command_parser(
        "embed",
        description="Make a vector of every song, of any format this machine decodes, by which "
        "keras_mir.similar finds songs that sound alike; and its length and tempo. After an interruption, or "
        "when songs have been added, changed, moved or removed, run it again: songs that are done are "
        "skipped.",
        epilog="A song that fails is named on standard error, and the others go on.",
    )
    parser.add_argument(
        "songs",
        type=Path,
        nargs="+",
        metavar="SONG_OR_FOLDER",
        help="audio files, and folders of them at any depth",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help=f"a pretrained network ({', '.join(EMBEDDINGS)}); name, NAME/VERSION or folder of an exported "
        "model; a run's folder; a .zip; or hf://OWNER/NAME",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="VECTORS", help="Parquet file to write")
    add_models_option(parser)
    parser.add_argument("--jobs", type=count, default=0, metavar="N", help="processes (default: all cores)")
    return parser


def _embed(arguments: argparse.Namespace) -> int:
    from keras_mir.embed.songs import embed_songs

    return embed_songs(**vars(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
