"""Evaluate a trained model: `python -m keras_mir.evaluate saved_models/NAME --data DATA`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line import run as cli

# Options that `evaluate` takes under the same name.
_OPTIONS = ("data", "labels", "synced", "split", "skip_bad", "cache_dir", "jobs", "seed")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = parser().parse_args(argv)
    return cli.run(lambda: _evaluate(arguments))


def parser() -> argparse.ArgumentParser:
    """The options of `evaluate`."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_mir.evaluate",
        description="Evaluate a trained model on labelled clips; an exported one through the loader that TF "
        "Serving uses.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "model",
        metavar="RUN_OR_MODEL",
        help="a run's folder, or name, NAME/VERSION or folder of an exported model",
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

    console = Console()
    cli.import_tensorflow()
    from keras_mir.evaluate.evaluation import evaluate
    from keras_mir.evaluate.table import print_report
    from keras_mir.models.report import FILE_NAME
    from keras_mir.models.trained_model import load

    model = load(arguments.model)
    out = arguments.out or Path("runs") / f"evaluate-{model.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    cache = arguments.cache_dir or (out / "cache" if arguments.out else Path("runs/.cache"))
    options = {name: getattr(arguments, name) for name in _OPTIONS} | {"cache_dir": cache}
    print_report(evaluate(model, **options, out=out, console=console), console)
    console.print(f"report  {out / FILE_NAME}", highlight=False, soft_wrap=True, markup=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
