"""The paper's experiments, run again: one page with figures, tables and answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from keras_mir.reproduce.results import Results


def reproduce(out: str | Path, *, console: Console | None = None, **options: Any) -> Results:
    """Run the experiments that are not done yet, and write the page; an experiment that fails is left alone.

    Args:
        out: Folder of the page. Called for it again, what is done is kept; `only` and `seeds` may grow.
        console: Where progress is shown; None for standard output.
        options: What else `Request` takes, such as `data="DATA"` or `quick=True`.

    Raises:
        UserError: If the arguments or the data set cannot be used at all.
    """
    from rich.console import Console

    from keras_mir.reproduce.request import Request
    from keras_mir.reproduce.run import run

    return run(Request(str(out), **options), console or Console())
