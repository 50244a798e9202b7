"""faiss's flat index of inner products: one song's nearest among very many."""

from __future__ import annotations

import faiss
import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.ours.nearest import TOP, songs
from benchmarks.row import Results


class Searching:
    """The index with all directions in it."""

    def __init__(self, count: int, size: int) -> None:
        vectors, query = songs(count, size)
        faiss.normalize_L2(vectors)
        self._index = faiss.IndexFlatIP(size)
        self._index.add(vectors)
        self._query = query[None] / np.linalg.norm(query)

    def run(self) -> None:
        """Ask for the nearest."""
        self._index.search(self._query, TOP)

    def result(self) -> Results:
        """Their rows."""
        return {"rows": self._index.search(self._query, TOP)[1][0]}


def prepare(inputs: Inputs, count: int, size: int) -> Searching:
    """Make the index."""
    return Searching(count, size)
