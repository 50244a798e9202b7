"""Run the published report's experiments: `python -m keras_mir.reproduce`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import command_parser
from keras_mir.command_line.run import run
from pipelines.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if an experiment failed, 2 for a user's mistake."""
    return run(parser(), _reproduce, argv)


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "reproduce",
        usage="%(prog)s --out REPORT [--data DATA] [--only 5c,7b] [--quick]",
        description="Run every experiment of the published report, with its own settings and with our "
        "variants of them, and write one page: REPORT/index.html. Without --data it runs on synthetic music "
        "that it generates itself. After an interruption, run it again: what is done is not done twice.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="REPORT", help="folder of the page")
    data = parser.add_argument_group("data")
    data.add_argument("--data", type=Path, metavar="DATA", help="as for fit")
    data.add_argument("--labels", type=Path, metavar="FILE", help="CSV or TSV table, for a folder of files")
    data.add_argument(
        "--targets", metavar="A,B,C", help="affect targets (default: the report's, or the data's first three)"
    )
    data.add_argument("--classes", default="auto", help="class mapping, as for fit (default: %(default)s)")
    data.add_argument(
        "--mnist", type=Path, metavar="FILE", help="MNIST for step 7a: mnist.npz, or the folder of its files"
    )
    data.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read")
    data.add_argument("--jobs", type=int, default=0, metavar="N", help="processes that extract features")
    run = parser.add_argument_group("run")
    run.add_argument("--only", metavar="5c,7b", help="these experiments, and what they build on")
    run.add_argument(
        "--settings",
        choices=("both", "report", "ours"),
        default="both",
        help="the report's own settings, our variants, or both (default: %(default)s)",
    )
    run.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="trainings of each kind; 3 or more show a spread, and may be asked for later (default: 1)",
    )
    run.add_argument("--quick", action="store_true", help="a trial: few clips, two epochs, short stretches")
    run.add_argument(
        "--frames", type=int, default=0, metavar="N", help="cut full spectrograms to N frames (43 a second)"
    )
    run.add_argument(
        "--limit", type=int, default=0, metavar="N", help="at most N clips in each part of the split"
    )
    return parser


def _reproduce(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from keras_mir.reproduce.request import ReproduceRequest

    for name, least in (("seeds", 1), ("frames", 0), ("limit", 0), ("jobs", 0)):
        if getattr(arguments, name) < least:
            raise UserError(f"--{name} {getattr(arguments, name)}: give {least} or more")
    if arguments.labels and not arguments.data:
        raise UserError("--labels goes with --data, the folder its files are in")
    request = ReproduceRequest(
        out=str(arguments.out),
        data=_text(arguments.data),
        labels=_text(arguments.labels),
        only=_listed(arguments.only),
        settings=arguments.settings,
        seeds=arguments.seeds,
        quick=arguments.quick,
        targets=_listed(arguments.targets),
        classes=arguments.classes,
        frames=arguments.frames,
        limit=arguments.limit,
        mnist=_text(arguments.mnist),
        skip_bad=arguments.skip_bad,
        jobs=arguments.jobs,
    )
    from keras_mir.reproduce.runner import reproduce

    return reproduce(request, Console())


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


if __name__ == "__main__":
    raise SystemExit(main())
