"""One experiment may fail without taking the others along."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from keras_mir.command_line.run import is_about_a_place
from pipelines.errors import UserError


def attempt(work: Callable[[], object], log: Path) -> str:
    """Do some work, and say why it failed, if it did.

    Args:
        work: Anything.
        log: Where the traceback of an error goes that is not the user's.

    Returns:
        One line, or `""`.

    Raises:
        OSError: If there is no place left to write to, which no other experiment would survive.
    """
    try:
        work()
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever it is, the other experiments are not to blame
        if isinstance(error, OSError) and is_about_a_place(error):
            raise
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        said = str(error).strip().splitlines()
        return f"{type(error).__name__}: {said[0] if said else 'no message'} (details: {log})"
    return ""
