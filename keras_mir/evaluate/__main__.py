"""Evaluate an exported model: `python -m keras_mir.evaluate saved_models/NAME --data DATA`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line import run as cli


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return cli.run(lambda: _evaluate(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_mir.evaluate",
        description="Judge an exported model on labelled clips, through the loader that TF Serving uses.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "model", type=Path, help="saved_models/NAME (its newest version), or saved_models/NAME/VERSION"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="as for fit; default: the synthetic corpus")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="CSV or TSV table, for a folder of files")
    parser.add_argument(
        "--synced", action="store_true", help="the folder's features are beat-synchronous already"
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train", "all"),
        default="test",
        help="which examples; train and validation as they were for training (default: %(default)s)",
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read")
    parser.add_argument("--cache-dir", type=Path, default=None, metavar="DIR", help="default: runs/.cache")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes that extract features")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the confidence intervals")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="report and pictures (default: runs/evaluate-NAME-TIME)"
    )
    return parser


def _evaluate(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    cli.import_tensorflow()
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
