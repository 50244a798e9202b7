"""A trained model in another format: `python -m keras_mir.export RUN_OR_MODEL --format litert`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.lines import say
from keras_mir.command_line.options import add_model_argument, add_models_option, command_parser
from keras_mir.command_line.run import run
from keras_mir.export.export import FORMATS, export
from pipelines.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _export, argv)


def parser() -> argparse.ArgumentParser:
    """The options of `export`."""
    parser = command_parser(
        "export",
        description="Write a trained model for TF Serving, LiteRT or ONNX, once it answers there as here, "
        "or for others to load.",
    )
    add_model_argument(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--format", default="savedmodel", choices=tuple(FORMATS), help="what to write (default: %(default)s)"
    )
    where.add_argument("--push", metavar="hf://OWNER/NAME", help="upload it to the Hugging Face Hub instead")
    parser.add_argument(
        "--public", action="store_true", help="let everyone read what --push makes (default: its owner alone)"
    )
    parser.add_argument(
        "--signature",
        default="",
        choices=("serving_default", "embedding", "waveform", "audio"),
        help="what a LiteRT or ONNX file answers to (default: serving_default)",
    )
    parser.add_argument(
        "--quantization",
        default="",
        choices=("float16", "dynamic-range"),
        help="weights of a LiteRT file: half the size, or a quarter in int8 (default: float32)",
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
    from rich.text import Text

    if arguments.push:
        return _push(arguments)
    if arguments.public:
        raise UserError("--public goes with --push hf://OWNER/NAME; a file is as public as its folder")
    if arguments.format not in ("litert", "onnx") and arguments.signature:
        raise UserError("--signature goes with --format litert or onnx; other formats have all signatures")
    if arguments.format != "litert" and arguments.quantization:
        raise UserError("--quantization goes with --format litert; other formats have float32 weights")
    from pipelines.places import check_folder

    check_folder("out", arguments.out)  # before TensorFlow is imported
    from keras_mir.models.trained_model import load

    console = Console()
    options = {name: getattr(arguments, name) for name in ("format", "signature", "quantization", "name")}
    with console.status(Text(f"exporting {arguments.model}")):
        written = export(load(arguments.model, arguments.models), arguments.out, **options)
    for label, value in (("export", written.path), ("takes", written.takes), ("gives", written.gives)):
        if value:
            say(console, f"{label:7} {value}")
    if written.size:
        say(console, f"size    {written.size / 1e6:.2f} MB")
    if written.takes:
        say(console, f"differs from the Keras model by {written.difference:.1g} at most")
    return 0


def _push(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    for option in ("signature", "quantization", "name"):
        if getattr(arguments, option):
            raise UserError(f"--{option} goes with --format; what is pushed is the whole model")
    from keras_mir.models.hub import repository

    repository(arguments.push)  # before TensorFlow is imported
    from keras_mir.models.trained_model import load

    console = Console()
    with console.status(Text(f"pushing {arguments.model}")):
        model = load(arguments.model, arguments.models)
        from keras_mir.export.push import push

        address = push(model, arguments.push, public=arguments.public)
    say(console, f"pushed  {address}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
