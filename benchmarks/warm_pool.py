"""Processes that are warm, one thread each, for there is one a core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import cores


class WarmPool:
    """Makes something of clips.

    Args:
        clips: The files.
    """

    def __init__(self, clips: list[Path]) -> None:
        self._clips = clips
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._pool = multiprocessing.get_context("spawn").Pool(cores())
        self._make(clips[:1])  # one process alone: what two compile at a time may not fit together
        self._make(clips[: 2 * cores()])

    def run(self) -> None:
        """Make all."""
        self._make(self._clips)

    def _make(self, clips: list[Path]) -> list[Any]:
        """What is made of some, in their order."""
        raise NotImplementedError

    def _mapped(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return self._pool.map(function, items, chunksize=1)
