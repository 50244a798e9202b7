"""The paper's experiments, run again: one page with figures, tables and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

    from keras_mir.reproduce.results import Results


def reproduce(
    out: str | Path,
    *,
    data: str | Path | None = None,
    labels: str | Path | None = None,
    targets: Sequence[str] = (),
    classes: str = "auto",
    mnist: str | Path | None = None,
    skip_bad: bool = False,
    jobs: int = 0,
    only: Sequence[str] = (),
    settings: Literal["both", "paper", "ours"] = "both",
    seeds: int = 1,
    quick: bool = False,
    frames: int = 0,
    limit: int = 0,
    console: Console | None = None,
) -> Results:
    """Run the experiments that are not done yet, and write the page; an experiment that fails is left alone.

    Args:
        out: Folder of the page. Called for it again, what is done is kept; `only` and `seeds` may grow.
        data: Folder of the data set; None for the built-in synthetic corpus.
        labels: Label table of a folder of files.
        targets: Affect targets; none for the paper's three, or else the data's first three.
        classes: Class mapping; see `TaskSettings`.
        mnist: MNIST's own files for the digits; None for scikit-learn's digits.
        skip_bad: Leave out files that cannot be read.
        jobs: Processes that extract features; 0 for one a core.
        only: Experiments to run; none for all.
        settings: The paper's settings, our variants, or both.
        seeds: Number of seeds: 0, 1, ...
        quick: Try everything out on little data, in minutes.
        frames: Where full spectrograms are cut; 0 for the longest clip, of the built-in corpus for 6 s.
        limit: Most clips of each part of the split; 0 for all, of the built-in corpus for 96.
        console: Where progress is shown; None for standard output.

    Raises:
        UserError: If the arguments or the data set cannot be used at all.
    """
    from rich.console import Console

    from keras_mir.reproduce.asked import Asked
    from keras_mir.reproduce.run import run

    asked = Asked(
        str(out),
        str(data or ""),
        str(labels or ""),
        tuple(only),
        settings,
        seeds,
        quick,
        tuple(targets),
        classes,
        frames,
        limit,
        str(mnist or ""),
        skip_bad,
        jobs,
    )
    return run(asked, console or Console())
