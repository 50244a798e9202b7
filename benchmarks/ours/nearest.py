"""`keras_mir.similar`: one song's nearest among very many, by the exact product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.inputs import Inputs
from benchmarks.row import Results
from keras_mir.embed.table import VECTOR, VectorTable
from keras_mir.models.embedding import Maker
from keras_mir.similar.library import Library

TOP = 10


def songs(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors `(count, size)` whose mean is 0, and a query `(size,)`, float32."""
    vectors = np.random.default_rng(0).standard_normal((count + 1, size), dtype=np.float32)
    vectors, query = vectors[:-1], vectors[-1]
    vectors -= vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return vectors, query


class Searching:
    """A library, asked once so that its directions are there."""

    def __init__(self, count: int, size: int) -> None:
        vectors, self._query = songs(count, size)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size)
        table = VectorTable(Path("songs.parquet"), Maker("any", "", {}), pa.table({VECTOR: column}))
        self._library = Library(table, exact=True)
        self.run()

    def run(self) -> None:
        """Ask for the nearest."""
        self._library.nearest(self._query, TOP)

    def result(self) -> Results:
        """Their rows."""
        return {"rows": np.array([near.row for near in self._library.nearest(self._query, TOP)])}


def prepare(inputs: Inputs, count: int, size: int) -> Searching:
    """Make the library."""
    return Searching(count, size)
