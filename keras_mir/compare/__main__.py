"""Compare runs on the same clips: `python -m keras_mir.compare RUN RUN...`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from keras_mir.command_line.options import command_parser
from keras_mir.command_line.run import run
from pipelines.datasets.base import Task


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _compare, argv)


def parser() -> argparse.ArgumentParser:
    """The options of `compare`."""
    parser = command_parser(
        "compare",
        description="Compare runs by their predictions for the clips that all were evaluated on: scores, "
        "and differences from the first run, with their confidence intervals.",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="the folder of a run or cross-validation, its name in runs, or a folder that evaluate wrote; "
        "two or more",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a picture of the scores there")
    parser.add_argument(
        "--head", choices=get_args(Task), help="what to compare, of runs that have several heads in common"
    )
    text = "seed of the confidence intervals (default: %(default)s)"
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=text)
    return parser


def _compare(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from keras_mir.compare.compare import compare, print_comparison

    print_comparison(compare(arguments.runs, arguments.out, arguments.seed, arguments.head), Console())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
