"""All commands under one name: `keras-mir COMMAND`, or `python -m keras_mir COMMAND`."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from keras_mir.command_line.options import command_parser
from keras_mir.command_line.run import run

_COMPLETION = "completion"
# All but the last are folders of that name, with `_` for `-`, whose `__main__.py` has `parser` and `main`.
COMMANDS = {
    "prepare": "extract features from audio and its labels, once",
    "fit": "train a model, evaluate and export it",
    "evaluate": "evaluate a trained model on labelled clips",
    "compare": "set runs side by side on the same clips",
    "predict": "genre, tags or affect of songs, written into their files where asked",
    "embed": "make vectors of songs, by which those that sound alike are found",
    "similar": "find songs that sound alike, write playlists and a map",
    "export": "write a trained model for TF Serving, LiteRT or ONNX",
    "serve": "serve exported models on this machine",
    "data-service": "load training examples in processes of their own",
    "beam": "extract features, embed and predict on Apache Beam",
    "reproduce": "run a paper's experiments and write a page about them",
    _COMPLETION: "print a script by which a shell completes commands and options",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    name = words[0].replace("_", "-")
    if name == _COMPLETION:
        return run(_completion_parser(), _print_completion, words[1:])
    if name in COMMANDS:
        return int(_module(name).main(words[1:]))
    if name.startswith("-"):
        return run(_parser(), lambda _: 0, words)  # shows what is asked for, or refuses it
    near = difflib.get_close_matches(name, COMMANDS, 1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
    print(f"error: {words[0]}: no such command; {advice}", file=sys.stderr)
    return 2


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"keras_mir.{name.replace('-', '_')}.__main__")


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:13} {text}" for name, text in COMMANDS.items())
    parser = command_parser(
        "",
        "Music genre recognition, tagging and affect regression, from audio to a model behind TF Serving.\n\n"
        f"commands:\n{listed}",
        usage="%(prog)s COMMAND ...",
        epilog="A command's own options: %(prog)s COMMAND --help",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _completion_parser() -> argparse.ArgumentParser:
    parser = command_parser(
        _COMPLETION,
        "Print a script that lets a shell complete the commands and their options. For bash: "
        "keras-mir completion bash > ~/.local/share/bash-completion/completions/keras-mir",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def _print_completion(arguments: argparse.Namespace) -> int:
    import shtab

    parser = _parser()
    parser.prog = "keras-mir"
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        options = _completion_parser() if name == _COMPLETION else _module(name).parser()
        for action in options._actions:
            if action.type is Path:
                vars(action)["complete"] = shtab.DIRECTORY if "DIR" in str(action.metavar) else shtab.FILE
        commands.add_parser(name, help=text, parents=[options], add_help=False)
    print(shtab.complete(parser, arguments.shell))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
