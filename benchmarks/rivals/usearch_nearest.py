"""usearch's exact search by cosine: one song's nearest among very many."""

from __future__ import annotations

import numpy as np
from usearch.index import search

from benchmarks.inputs import Inputs
from benchmarks.ours.nearest import TOP, songs
from benchmarks.row import Results


class Searching:
    """The vectors, which it takes as they are."""

    def __init__(self, count: int, size: int) -> None:
        self._vectors, self._query = songs(count, size)

    def run(self) -> None:
        """Ask for the nearest."""
        self._rows()

    def result(self) -> Results:
        """Their rows."""
        return {"rows": self._rows()}

    def _rows(self) -> np.ndarray:
        found = search(self._vectors, self._query, TOP, "cos", exact=True)
        return np.asarray(found.keys).astype(np.int64)


def prepare(inputs: Inputs, count: int, size: int) -> Searching:
    """Make the vectors."""
    return Searching(count, size)
