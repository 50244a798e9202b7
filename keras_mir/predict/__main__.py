"""Genre, affect or tags of songs: `python -m keras_mir.predict SONG_OR_FOLDER...`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import add_models_option, command_parser
from keras_mir.command_line.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if some songs failed, 2 for a user's mistake."""
    return run(parser(), _predict, argv)


def parser() -> argparse.ArgumentParser:
    """The command line's arguments, named as those of `predict_songs`."""
    parser = command_parser(
        "predict",
        description="Predict genre, affect or tags of songs, of any format this machine decodes, with an "
        "exported model or a pretrained tagger.",
        epilog="Answers go to standard output. A song that fails is named on standard error, and the others "
        "go on.",
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
        default="",
        metavar="NAME",
        help="name, NAME/VERSION or folder of an exported model, or a pretrained tagger: musicnn-mtt or "
        "musicnn-msd (default: the only model)",
    )
    place = parser.add_mutually_exclusive_group()
    add_models_option(place)
    place.add_argument(
        "--server",
        default="",
        metavar="HOST:PORT",
        help="predict with the model that TF Serving, or keras_mir.serve, has under that name, over REST, or "
        "over gRPC with grpc://HOST:PORT",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", dest="form", action="store_const", const="json", help="print a JSON object a line"
    )
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print CSV with a header")
    parser.set_defaults(form="table")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a JSON file a song there")
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave out songs whose file is in --out, by this model: go on where a run stopped",
    )
    parser.add_argument("--curve", action="store_true", help="add the values of every window of a song")
    parser.add_argument("--plot", action="store_true", help="put a picture of every song into --out")
    return parser


def _predict(arguments: argparse.Namespace) -> int:
    from keras_mir.predict.songs import predict_songs

    return predict_songs(**vars(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
