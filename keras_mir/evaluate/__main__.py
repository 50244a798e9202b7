"""Evaluate an exported model: `python -m keras_mir.evaluate saved_models/NAME --data DATA`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import add_data_options, add_features_options, command_parser
from keras_mir.command_line.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _evaluate, argv)


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "evaluate",
        description="Evaluate an exported model on labelled clips, through the loader that TF Serving uses.",
    )
    parser.add_argument(
        "model", type=Path, help="saved_models/NAME (its newest version), or saved_models/NAME/VERSION"
    )
    add_data_options(parser)
    add_features_options(parser)
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train", "all"),
        default="test",
        help="which examples; train and validation as they were for training (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the confidence intervals")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="report and pictures (default: runs/evaluate-NAME-TIME)"
    )
    return parser


def _evaluate(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from keras_mir.evaluate.exported import EvaluateRequest, evaluate_export

    request = EvaluateRequest(
        model=arguments.model,
        data=str(arguments.data or ""),
        labels=str(arguments.labels or ""),
        synced=arguments.synced,
        split=arguments.split,
        skip_bad=arguments.skip_bad,
        cache_dir=arguments.cache_dir,
        jobs=arguments.jobs,
        seed=arguments.seed,
        out=arguments.out,
    )
    return evaluate_export(request, Console())


if __name__ == "__main__":
    raise SystemExit(main())
