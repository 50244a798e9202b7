"""Genre, affect or tags of songs: `python -m keras_mir.predict SONG_OR_FOLDER...`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from keras_mir.command_line.options import add_models_option, command_parser, names
from keras_mir.command_line.run import run
from pipelines.errors import ArgumentError, UserError
from pipelines.spec import EMBEDDINGS


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if some songs failed, 2 for a user's mistake."""
    return run(parser(), _predict, argv)


def parser() -> argparse.ArgumentParser:
    """The command line's arguments, named as those of `predict_songs`."""
    parser = command_parser(
        "predict",
        description="Predict genre, affect or tags of songs, of any format this machine decodes, with a "
        "trained model or a pretrained tagger.",
        epilog="Answers go to standard output. A song that fails is named on standard error, and the others "
        "go on.",
    )
    parser.add_argument(
        "songs",
        type=Path,
        nargs="*",
        metavar="SONG_OR_FOLDER",
        help="audio files, and folders of them at any depth",
    )
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME",
        help="name, NAME/VERSION or folder of an exported model; a run's folder; a .zip; hf://OWNER/NAME; "
        f"or a pretrained tagger: {', '.join(EMBEDDINGS)} (default: the only model)",
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
        "--json", dest="form", action="store_const", const="json", help="print one JSON object per line"
    )
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print CSV with a header")
    parser.set_defaults(form="table")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write one JSON file per song there")
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave out songs whose file is in --out, by this model: go on where a run stopped",
    )
    parser.add_argument("--curve", action="store_true", help="add the values of every window of a song")
    parser.add_argument("--plot", action="store_true", help="put a picture of every song into --out")
    files = parser.add_argument_group("tags of the music files themselves")
    files.add_argument(
        "--write-tags",
        type=names,
        default=(),
        metavar="FIELDS",
        help="show what would be written into the songs, any of genre,mood,bpm: the genre, or a tagger's "
        "likeliest tags; values of affect, or those tags; the tempo",
    )
    files.add_argument("--yes", action="store_true", help="write them")
    files.add_argument("--replace", action="store_true", help="write even where there is something already")
    files.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="file of how songs were before (default: a new one in runs)",
    )
    files.add_argument(
        "--undo", type=Path, metavar="JOURNAL", help="make all songs as they were before, byte by byte"
    )
    return parser


def _predict(arguments: argparse.Namespace) -> int:
    from keras_mir.predict.songs import predict_songs, undo

    options = vars(arguments)
    fields, yes, replace, journal, taken_back = (
        options.pop(name) for name in ("write_tags", "yes", "replace", "journal", "undo")
    )
    if taken_back is not None:
        if arguments.songs:
            raise ArgumentError("undo", taken_back, "names the songs itself; leave them out")
        return undo(taken_back)
    if not arguments.songs:
        raise UserError("no song; give audio files, or folders of them")
    tags = None
    if fields:
        from keras_mir.predict.file_tags import FileTags

        tags = FileTags(fields, replace, (journal or _new_journal()) if yes else None)
    elif yes or replace or journal:
        raise UserError("--yes, --replace and --journal belong to --write-tags; say which tags to write")
    return predict_songs(**options, tags=tags)


def _new_journal() -> Path:
    """A file in `runs` that is not there yet; two may be asked for in a second."""
    name = f"file-tags-{time.strftime('%Y%m%d-%H%M%S')}"
    more = (f"{name}-{number}" for number in count(2))
    places = (Path("runs") / f"{each}.jsonl" for each in chain([name], more))
    return next(place for place in places if not place.exists())


if __name__ == "__main__":
    raise SystemExit(main())
