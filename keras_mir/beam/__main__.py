"""`python -m keras_mir.beam prepare|embed|predict ... -- OPTIONS_OF_BEAM`: on any runner of Apache Beam."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from keras_mir.beam import NEEDS
from keras_mir.command_line.options import add_models_option, command_parser, count
from keras_mir.command_line.run import run
from keras_mir.prepare.__main__ import add_options
from pipelines.errors import UserError

_EPILOG = "After --, options of Beam: -- --runner=DirectRunner --direct_running_mode=multi_processing"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if some songs failed, 2 for a user's mistake."""
    words = list(sys.argv[1:] if argv is None else argv)
    at = words.index("--") if "--" in words else len(words)
    return run(parser(), partial(_run, options=words[at + 1 :]), words[:at])


def parser() -> argparse.ArgumentParser:
    """The command line's arguments, those before `--`."""
    parser = command_parser(
        "beam",
        description="Extract features of more music than one machine takes, embed it or predict it, on "
        "Apache Beam. Files may be where Beam has a file system for them, as s3://bucket/music. After an "
        "interruption, run it again: what is done is skipped.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="prepare|embed|predict")
    prepare = commands.add_parser("prepare", help="as keras_mir.prepare", epilog=_EPILOG, allow_abbrev=False)
    prepare.add_argument("audio_dir", metavar="AUDIO_DIR", help="folder of audio files, at any depth")
    add_options(prepare, str)
    prepare.set_defaults(mirdata=None, data_home=None, check=False, embed=None, jobs=1)
    for name in ("embed", "predict"):
        songs = commands.add_parser(name, help=f"as keras_mir.{name}", epilog=_EPILOG, allow_abbrev=False)
        songs.add_argument(
            "songs", nargs="+", metavar="SONG_OR_FOLDER", help="audio files, and folders of them at any depth"
        )
        songs.add_argument(
            "--model",
            required=True,
            metavar="NAME",
            help=f"as keras_mir.{name} takes it; on every machine that works",
        )
        songs.add_argument("--out", required=True, metavar="DIR", help="folder for shards, in Parquet")
        add_models_option(songs)
    for command in commands.choices.values():
        command.add_argument(
            "--chunk",
            type=count,
            default=20,
            metavar="N",
            help="clips that a worker does on end, and that are in a shard (default: %(default)s)",
        )
    return parser


def _run(arguments: argparse.Namespace, options: Sequence[str]) -> int:
    if importlib.util.find_spec("apache_beam") is None:
        raise UserError(NEEDS)
    from keras_mir.beam.quiet import of_beam

    of_beam()  # before it is imported, which is the first that it speaks of
    from keras_mir.beam.files import use_options
    from keras_mir.beam.shards import check_options

    check_options(options)
    use_options(options)
    if arguments.command == "prepare":
        from keras_mir.beam.prepare import prepare_by_beam

        return prepare_by_beam(arguments, arguments.chunk, options)
    from keras_mir.beam.songs import Predictions, Vectors, songs_to_shards

    kind = Vectors if arguments.command == "embed" else Predictions
    model = kind(arguments.model, Path(arguments.models))
    return songs_to_shards(model, arguments.songs, arguments.out, chunk=arguments.chunk, options=options)


if __name__ == "__main__":
    raise SystemExit(main())
