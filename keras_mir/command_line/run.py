"""How every command runs: its arguments, its body, and a user's mistake in one line."""

from __future__ import annotations

import argparse
import errno
import io
import itertools
import os
import re
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from keras_mir.command_line.lines import printable
from pipelines.errors import ArgumentError, UserError, reason_of

# What may be wrong with a place to write to, and what to do.
_PLACES = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EACCES: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENOTDIR: "choose a folder, not something inside a file",
    errno.EEXIST: "choose another folder",
    errno.EISDIR: "choose a file, not a folder",
    errno.ELOOP: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
}

_MOST_SHOWN = 1000  # characters of a refusal, in which a cell or a name of megabytes may stand

_NAMES = re.compile(r"[^\0\n]+")


def run(
    parser: argparse.ArgumentParser,
    body: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse a command's arguments and run its body; what a user may cause becomes one line.

    Args:
        parser: Parser of its arguments.
        body: Takes the arguments and returns the exit status: 0, or 1 when some inputs failed.
        argv: What the user typed; by default the process's arguments.

    Returns:
        The exit status; 1 too where nobody reads the output any more, 2 for a user's mistake, 130 after
        Ctrl-C.
    """
    _make_writable()
    try:
        try:
            arguments = parser.parse_args(argv)
        finally:
            sys.stdout.flush()  # what --help prints
        _check_filled(sys.argv[1:] if argv is None else argv)
        status = body(arguments)
        sys.stdout.flush()
    except ArgumentError as error:
        return _refuse(error.in_words(_spelling(parser, error.argument)))
    except UserError as error:
        return _refuse(str(error))
    except UnicodeEncodeError as error:
        if error.encoding != sys.getfilesystemencoding():
            raise
        remedy = "rename it" if error.encoding == "utf-8" else "set PYTHONUTF8=1"
        # It may stand among other things that were to be written.
        name = next(part for part in _NAMES.finditer(error.object) if part.end() > error.start)[0]
        return _refuse(f"{name}: no name in this terminal's encoding, {error.encoding}; {remedy}")
    except BrokenPipeError:
        poll = select.poll()
        poll.register(1, 0)
        if not poll.poll(0):  # it is not what reads from us, `head` for one, that has enough
            raise
        # Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        if isinstance(error, FileNotFoundError) and _is_nowhere():
            return _refuse("the folder that this was started in is no longer there; change to another")
        if not is_about_a_place(error):
            raise
        where = error.filename or ("standard output" if _is_output_lost() else "the output folder")
        return _refuse(f"{where}: {reason_of(error)}; {_PLACES[error.errno or 0]}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if not _is_lack_of_memory(error):
            raise
        return _refuse("too little memory for this; close other programs, or give less at a time")
    return status


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether Python, or TensorFlow, which is not imported for every command, had no memory left."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _is_output_lost() -> bool:
    """Whether it is standard output that cannot be written, on a full disk, say; it goes nowhere then."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain when it flushes at the end
        return True
    return False


def _check_filled(words: Sequence[str]) -> None:
    """Refuse empty arguments, mostly of a variable that is not set: a path would be the working folder."""
    for before, word in itertools.pairwise(("", *words)):
        option, sign, value = word.partition("=")
        if not word or (word.startswith("--") and sign and not value):
            name = option or before
            name = name if name.startswith("--") else "an argument"
            raise UserError(f"{name}: empty; give a value, or leave it out")


def _is_nowhere() -> bool:
    """Whether the working folder has been removed, so that no relative path leads anywhere."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _make_writable() -> None:
    """Let output have any text, and somewhere to go.

    Letters that the terminal's encoding lacks are written as `\\u6771`. Where a user has closed standard
    output or error, the next file to be opened would get its number, and what is printed.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
            setattr(sys, name, open(number, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 (as long as we run)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_about_a_place(error: OSError) -> bool:
    """Whether a user can mend it by another place to write to: a full disk, say."""
    return error.errno is not None and error.errno in _PLACES


def _refuse(problem: str) -> int:
    line = printable(problem)
    half = _MOST_SHOWN // 2
    shown = line if len(line) <= _MOST_SHOWN else f"{line[:half]} … {line[-half:]}"
    print(f"error: {shown}", file=sys.stderr)
    return 2


def _spelling(parser: argparse.ArgumentParser, argument: str) -> str:
    """How the command line calls an argument: `--group-by` for `group_by`."""
    option = f"--{argument.replace('_', '-')}"
    for action in _actions(parser):
        if option in action.option_strings:
            return option
        if action.dest == argument:
            return str(action.option_strings[-1] if action.option_strings else action.metavar or argument)
    return argument


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Options and arguments, of the commands within a command, too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
