"""Evaluate a trained model: `python -m keras_mir.evaluate saved_models/NAME --data DATA`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.lines import say
from keras_mir.command_line.options import add_data_options, add_model_argument, command_parser
from keras_mir.command_line.run import run

# Options that `evaluate` takes under the same name.
_OPTIONS = ("data", "labels", "synced", "split", "task", "skip_bad", "cache_dir", "jobs", "seed")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _evaluate, argv)


def parser() -> argparse.ArgumentParser:
    """The options of `evaluate`."""
    parser = command_parser(
        "evaluate",
        description="Evaluate a trained model on labelled clips; an exported one through the loader that TF "
        "Serving uses.",
    )
    add_model_argument(parser)
    add_data_options(parser)
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train", "all"),
        default="test",
        help="which examples; train and validation as they were for training (default: %(default)s)",
    )
    parser.add_argument(
        "--task", default="", help="heads to evaluate, such as genre or genre+tags (default: all)"
    )
    text = "seed of the confidence intervals (default: %(default)s)"
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=text)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="report and pictures (default: runs/evaluate-NAME-TIME)"
    )
    return parser


def _evaluate(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    console = Console()
    from keras_mir.evaluate.evaluate import evaluate
    from keras_mir.models.report import FILE_NAME
    from keras_mir.models.report_table import print_report
    from keras_mir.models.trained_model import load_trained

    model = load_trained(arguments.model)
    out = arguments.out or Path("runs") / f"evaluate-{model.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    cache = arguments.cache_dir or (out / "cache" if arguments.out else Path("runs/.cache"))
    options = {name: getattr(arguments, name) for name in _OPTIONS} | {"cache_dir": cache}
    print_report(evaluate(model, **options, out=out, console=console), console)
    say(console, f"report  {out / FILE_NAME}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
