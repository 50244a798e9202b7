"""`python -m keras_mir.prepare`: audio and its labels to a data set of fused spectrograms."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_mir.command_line.lines import printable
from keras_mir.command_line.options import command_parser, count, names
from keras_mir.command_line.run import run
from pipelines.errors import ArgumentError
from pipelines.spec import EMBEDDINGS, FeatureSpec
from pipelines.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.datasets.labels import LabelledAudio
    from pipelines.extraction.dataset import Outcomes

# Options that `load_labelled_audio`, `extract_dataset` and `FeatureSpec` take under the same name.
_OF_LABELS = ("layout", "targets", "tags", "group_by", "subset", "split_lists")
_OF_DATASET = ("jobs", "test_fraction", "seed", "group_by", "licence", "name")
_MOST_LISTED = 30  # classes, or tags
_OF_SPEC = {
    "sample_rate": "sample rate, in Hz",
    "n_fft": "window, in samples",
    "hop_length": "step, in samples",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if some clips failed or changed, 2 for a user's mistake."""
    return run(parser(), prepare, argv)


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "prepare",
        description="Extract fused spectrograms (mel and chroma), beats and the beat-synchronous twin of "
        "every labelled clip, in the layout that `python -m keras_mir.fit --data` reads. After an "
        "interruption, run it again: clips that are done are skipped.",
    )
    parser.add_argument(
        "audio_dir", type=Path, nargs="?", metavar="AUDIO_DIR", help="folder of audio files, at any depth"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, but say which files of AUDIO_DIR and DATA have changed since DATA was made",
    )
    parser.add_argument(
        "--mirdata",
        metavar="NAME",
        help="in place of AUDIO_DIR: a data set that mirdata knows, on the disk already, such as gtzan_genre",
    )
    parser.add_argument(
        "--data-home",
        type=Path,
        metavar="DIR",
        help="where that data set lies (default: where mirdata puts it)",
    )
    parser.add_argument(
        "--jobs", type=count, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument(
        "--embed",
        choices=tuple(EMBEDDINGS),
        metavar="NETWORK",
        help="also make the vectors of a pretrained network, which recipes such as musicnn read "
        f"({', '.join(EMBEDDINGS)})",
    )
    add_options(parser)
    return parser


def add_options(parser: argparse.ArgumentParser, place: Callable[[str], object] = Path) -> None:
    """Add what says how clips become a data set, to whatever extracts them.

    Args:
        parser: Parser of a command.
        place: The type of what names a file or a folder.
    """
    spec = FeatureSpec()
    parser.add_argument(
        "--labels",
        type=place,
        metavar="FILE",
        help="CSV or TSV with a file or id column, and a genre column, a tags column, columns of numbers "
        "(affect), or several of these; or FMA's tracks.csv, or a table of MTG-Jamendo, MagnaTagATune, DEAM, "
        "EmoMusic or Emotify; none for GTZAN",
    )
    parser.add_argument("--out", type=place, required=True, metavar="DATA", help="folder to write to")
    parser.add_argument(
        "--layout",
        default="auto",
        metavar="KIND",
        help="what AUDIO_DIR and FILE are: table, fma, gtzan, mtg-jamendo, magnatagatune, deam, emomusic or "
        "emotify (default: found out)",
    )
    parser.add_argument(
        "--subset",
        metavar="SIZE",
        help="size of FMA: small, medium, large or full (default: as AUDIO_DIR is named)",
    )
    parser.add_argument(
        "--split-lists",
        type=place,
        nargs=3,
        metavar=("TRAIN", "VALID", "TEST"),
        help="the files of GTZAN's artist-filtered split",
    )
    parser.add_argument(
        "--targets",
        type=_names,
        metavar="A,B,...",
        help="affect columns, or none (default: the columns of numbers that can be)",
    )
    parser.add_argument(
        "--tags",
        type=_names,
        metavar="A,B,...",
        help="tags, each one of the tags column or a column of 0 and 1, or none (default: all of the tags "
        "column)",
    )
    parser.add_argument(
        "--test-fraction",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share of the clips to test on, unless the table has a split column (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (default: %(default)s)")
    parser.add_argument(
        "--group-by",
        metavar="COLUMN",
        help="never split clips with one value there, or none (default: artist, if there)",
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="terms the data may be used under (default: as a known set states)"
    )
    parser.add_argument(
        "--name", help="what reports call the data set (default: that of a known set, or AUDIO_DIR)"
    )
    for name, what in _OF_SPEC.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(
            option, type=int, default=getattr(spec, name), metavar="N", help=f"{what} (default: %(default)s)"
        )


def _names(text: str) -> tuple[str, ...]:
    return () if text.strip().lower() in ("", "none") else names(text)


def prepare(arguments: argparse.Namespace, outcomes: Outcomes | None = None, elsewhere: str = "") -> int:
    """Make a data set of clips, and say what was understood and what came of it.

    Args:
        arguments: As `parser` names them.
        outcomes: As of `extract_dataset`.
        elsewhere: Where the data set will be, if that is not on this machine.

    Returns:
        0, or 1 if some clips failed.
    """
    from rich.console import Console

    from keras_mir.command_line.progress import Shown, progress
    from pipelines.datasets.audio import load_labelled_audio
    from pipelines.datasets.mirdata_sets import load_mirdata
    from pipelines.extraction.dataset import extract_dataset

    def options(names: Sequence[str]) -> dict[str, Any]:
        return {name: getattr(arguments, name) for name in names}

    _check_mirdata(arguments)
    if arguments.check:
        return _check(arguments.audio_dir or arguments.data_home, arguments.out)
    if arguments.embed:
        from keras_mir.data.embed import check_network, embed_clips

        check_network(arguments.embed)  # before hours of extraction
    spec = FeatureSpec(**options(tuple(_OF_SPEC)))
    if arguments.mirdata is None:
        source = load_labelled_audio(arguments.audio_dir, arguments.labels, **options(_OF_LABELS))
    else:
        source = load_mirdata(arguments.mirdata, arguments.data_home, **options(("targets", "tags")))
    labels = source.labels
    for line in _understood(source, arguments):
        print(line)
    with progress("extracting features", Console()) as report:
        result = extract_dataset(
            source, arguments.out, spec=spec, **options(_OF_DATASET), progress=report, outcomes=outcomes
        )
    if result.unlabelled:
        files = counted(result.unlabelled, "audio file has", "audio files have")
        print(f"warning: {files} {source.lacking}; left out")
    _print_clips(result.known, "known to be damaged, left out")
    _print_clips(result.failed, "could not be extracted")
    known = f", {len(result.known)} left out" if result.known else ""
    print(f"{result.done} extracted, {result.skipped} already there, {len(result.failed)} failed{known}")
    if not result.done + result.skipped:
        print(f"no clip could be extracted; {arguments.out} is not a data set yet", file=sys.stderr)
        return 1
    if arguments.embed:
        written = embed_clips(result.clips, arguments.embed, arguments.out, Shown(Console()))
        print(f"{written} embedded by {arguments.embed}, {len(result.clips) - written} already there")
    recipe = "musicnn" if arguments.embed else "small-cnn"
    affect = [f"{recipe}-affect", "--targets", ",".join(labels.targets)]
    task = [recipe] if labels.has_genre else [f"{recipe}-tags"] if labels.tags else affect
    print(f"data in {elsewhere or arguments.out}")
    if not elsewhere:
        print(f"next: python -m keras_mir.fit {shlex.join([*task, '--data', str(arguments.out)])}")
    return 1 if result.failed else 0


def _check_mirdata(arguments: argparse.Namespace) -> None:
    """Refuse what does not go with `--mirdata`, or wants it."""
    if arguments.mirdata is None:
        if arguments.audio_dir is None:
            raise ArgumentError(
                "audio_dir", None, "name the folder of the audio, or a data set with --mirdata"
            )
        if arguments.data_home is not None:
            raise ArgumentError(
                "data_home", arguments.data_home, "is for --mirdata; name the data set with that"
            )
        return
    if arguments.check and arguments.data_home is None:
        raise ArgumentError("data_home", None, "name the folder that is to be checked")
    for name in ("audio_dir", "labels", "subset", "split_lists"):
        if getattr(arguments, name) is not None:
            raise ArgumentError(name, None, f"mirdata's {arguments.mirdata} has its own; leave it out")


def _understood(source: LabelledAudio, arguments: argparse.Namespace) -> Iterator[str]:
    """What was read in the labels, before anything is done with it."""
    from pipelines.datasets.base import GENRE, ID, SPLIT, TAGS
    from pipelines.datasets.labels import FILE
    from pipelines.datasets.splits import group_column
    from pipelines.datasets.tags import counts_of

    labels = source.labels
    table = labels.table
    yield f"{labels.path}: {counted(len(labels), 'clip')}"
    if labels.has_genre:
        counts = table[GENRE].value_counts().sort_index()
        without = int(counts.pop("")) if "" in counts else 0
        yield f"  {counted(len(counts), 'class', 'classes')}: {_listed(counts, without)}"
    if labels.tags:
        counts = counts_of(table[TAGS].dropna()).reindex(list(labels.tags))
        without = int(table[TAGS].isna().sum())
        yield f"  {counted(len(counts), 'tag')}: {_listed(counts, without)}"
    for name in labels.targets:
        values = table[name]
        yield f"  target {name}: {values.min():g} to {values.max():g}, {counted(values.count(), 'clip')}"
    if not labels.targets:
        yield "  no affect targets"
    if labels.has_split:
        sides = ", ".join(f"{side} {count}" for side, count in table[SPLIT].value_counts().items())
        yield f"  split by the table: {sides}"
    else:
        group = group_column(table, arguments.group_by, labels.path)
        apart = f", no {group} on both sides" if group else ""
        yield f"  split: {arguments.test_fraction:.0%} to test on, drawn with seed {arguments.seed}{apart}"
    known = {ID, FILE, GENRE, SPLIT, TAGS, *labels.targets, *labels.tags, *labels.ignored}
    if others := [str(name) for name in table if name not in known]:
        yield f"  other columns, kept: {', '.join(others)}"
    for note in (*labels.left_out, *source.notes):
        yield f"  note: {note}"


def _listed(counts: pd.Series[int], without: int) -> str:
    """How many clips have each genre or tag, and how many none."""
    listed = [f"{name} {count}" for name, count in counts.items()]
    more = f" and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
    none = f"; {counted(without, 'clip')} without" if without else ""
    return f"{', '.join(listed[:_MOST_LISTED])}{more}{none}"


def _check(audio_dir: Path, out: Path) -> int:
    from pipelines.extraction.dataset import check_dataset

    result = check_dataset(audio_dir, out)
    for file, what in result.changed:
        print(f"{what}: {file}")
    print(f"{result.unchanged} files as they were, {len(result.changed)} changed or missing")
    if not result.changed:
        return 0
    print("next: the same command without --check makes features of what has changed")
    return 1


def _print_clips(clips: Sequence[tuple[str, str]], what: str) -> None:
    if not clips:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = f"{counted(len(clips), 'clip')} {what}"
    table = Table("file", "reason", title=title, title_justify="left")
    for file, reason in clips:
        table.add_row(Text(printable(file), overflow="fold"), Text(printable(reason)))
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
