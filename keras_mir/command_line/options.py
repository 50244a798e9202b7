"""What the commands' parsers have in common: how they begin, options, and types of values."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.version import __version__


def command_parser(
    command: str, description: str, usage: str | None = None, epilog: str | None = None
) -> argparse.ArgumentParser:
    """A parser to which a command adds its own arguments.

    Args:
        command: Its module's name, `data_service` for one; empty for what runs them all.
        description: What it does.
        usage: As argparse takes it, like `epilog`.
        epilog: What comes after the options.
    """
    parser = argparse.ArgumentParser(
        prog=_started_as(command), usage=usage, description=description, epilog=epilog, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"keras-mir {__version__}")
    return parser


def _started_as(command: str) -> str:
    """What the user typed: `keras-mir fit`, `python -m keras_mir fit` or `python -m keras_mir.fit`."""
    program, name = Path(sys.argv[0]), command.replace("_", "-")
    if program.name == "__main__.py" and program.parent.name == command:
        return f"python -m keras_mir.{command}"
    by_module = program.name == "__main__.py" and program.parent.name == "keras_mir"
    return f"{'python -m keras_mir' if by_module else 'keras-mir'} {name}".strip()


def add_data_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that say which clips, and how their features are made, read and kept."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="prepared data, a folder of features, or of audio (default: music that is generated)",
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="CSV or TSV table, for a folder of files")
    parser.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read")
    parser.add_argument(
        "--jobs", type=count, default=0, metavar="N", help="processes for extraction (default: all cores)"
    )
    parser.add_argument(
        "--synced", action="store_true", help="the folder's features are beat-synchronous already"
    )
    parser.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="folder of processed features (default: runs/.cache)"
    )


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add a trained model, as `load` takes it."""
    parser.add_argument(
        "model",
        metavar="RUN_OR_MODEL",
        help="a run's folder; name, NAME/VERSION or folder of an exported model; a .zip; hf://OWNER/NAME",
    )


def add_models_option(parser: argparse._ActionsContainer) -> None:
    """Add `--models`, the folder of exported models."""
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("saved_models"),
        metavar="DIR",
        help="folder of exported models (default: %(default)s)",
    )


def count(text: str) -> int:
    """A number of things, from 1 to 999."""
    return _whole(text, 1, 999)


def port(text: str) -> int:
    """A port; 0 means any that is free."""
    return _whole(text, 0, 65535)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0")
    return value


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them, at least one."""
    listed = tuple(name.strip() for name in text.split(",") if name.strip())
    if not listed:
        raise argparse.ArgumentTypeError("give at least one name")
    return listed


def _whole(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text}: give a number from {least} to {most}")
    return int(text)
