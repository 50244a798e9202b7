"""Run the paper's experiments: `python -m keras_mir.reproduce`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import command_parser, names
from keras_mir.command_line.run import run
from keras_mir.reproduce import reproduce


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if an experiment failed, 2 for a user's mistake."""
    return run(parser(), lambda arguments: 1 if reproduce(**vars(arguments)).failed else 0, argv)


def parser() -> argparse.ArgumentParser:
    """The options of `reproduce`."""
    parser = command_parser(
        "reproduce",
        usage="%(prog)s --out FOLDER [--data DATA] [--only 5c,7b] [--quick]",
        description="Run every experiment of the published paper, with its own settings and with our "
        "variants of them, and write one page: FOLDER/index.html. Without --data it runs on synthetic music "
        "that it generates itself. After an interruption, run it again: what is done is not done twice.",
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder of the page")
    add = parser.add_argument_group("data").add_argument
    add("--data", type=Path, metavar="DATA", help="as for fit")
    add("--labels", type=Path, metavar="FILE", help="CSV or TSV table, for a folder of files")
    text = "affect targets (default: the paper's, or the data's first three)"
    add("--targets", type=names, default=(), metavar="A,B,C", help=text)
    add("--classes", default="auto", help="class mapping, as for fit (default: %(default)s)")
    text = "MNIST for experiment 7a: mnist.npz, or the folder of its files"
    add("--mnist", type=Path, metavar="FILE", help=text)
    add("--skip-bad", action="store_true", help="leave out files that cannot be read")
    add("--jobs", type=int, default=0, metavar="N", help="processes for extraction (default: all cores)")
    add = parser.add_argument_group("run").add_argument
    text = "these experiments, and what they build on; others may be asked for later"
    add("--only", type=names, default=(), metavar="5c,7b", help=text)
    text = "the paper's own settings, our variants, or both (default: %(default)s)"
    add("--settings", choices=("both", "paper", "ours"), default="both", help=text)
    text = "trainings of each kind; 3 or more show a spread; may be more later (default: %(default)s)"
    add("--seeds", type=int, default=1, metavar="N", help=text)
    add("--quick", action="store_true", help="a trial: few clips, two epochs, short stretches")
    text = "cut full spectrograms to N frames (43 a second)"
    add("--frames", type=int, default=0, metavar="N", help=text)
    add("--limit", type=int, default=0, metavar="N", help="at most N clips in each part of the split")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
