"""A trained model in another format: `python -m keras_mir.export RUN_OR_MODEL --format litert`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import add_models_option, command_parser
from keras_mir.command_line.run import run
from pipelines.errors import UserError

_FORMATS = ("savedmodel", "litert", "onnx")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _export, argv)


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "export",
        description="Write a trained model for TF Serving, LiteRT or ONNX, once it answers there as here.",
    )
    parser.add_argument(
        "model",
        metavar="RUN_OR_MODEL",
        help="a run's folder, or name, NAME/VERSION or folder of an exported model",
    )
    parser.add_argument("--format", choices=_FORMATS, required=True, help="what to write")
    parser.add_argument(
        "--signature",
        choices=("serving_default", "embedding", "waveform", "audio"),
        help="what a LiteRT or ONNX file answers to (default: serving_default)",
    )
    parser.add_argument("--name", default="", help="name of what is written (default: the model's)")
    add_models_option(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("saved_models"),
        metavar="DIR",
        help="where to write (default: %(default)s)",
    )
    return parser


def _export(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    if arguments.format == "savedmodel" and arguments.signature:
        raise UserError("--signature goes with --format litert or onnx; a SavedModel has all signatures")
    out = arguments.out
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: a file, not a folder; choose another name")
    from keras_mir.export.export import ExportRequest, export

    request = ExportRequest(
        model=arguments.model,
        form=arguments.format,
        signature=arguments.signature or "serving_default",
        name=arguments.name,
        models=arguments.models,
        out=out,
    )
    return export(request, Console())


if __name__ == "__main__":
    raise SystemExit(main())
