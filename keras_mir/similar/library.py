"""The songs of a table, of which those nearest to a vector are found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_mir.embed.table import VectorTable

if TYPE_CHECKING:
    from keras_mir.similar.index import Index

MANY = 1_000_000  # songs; for more the product of all takes longer than an index of them


class Near(NamedTuple):
    """A song near another: its row in the table, and the cosine of the angle between them."""

    row: int
    similarity: float


class Library:
    """Songs and their vectors.

    What all songs of a library have in common says nothing about which are alike: the mean of their vectors
    is taken off each before directions are compared.

    Args:
        table: The songs.
        exact: Compare with every song, however many there are.

    Attributes:
        table: As given.
    """

    def __init__(self, table: VectorTable, *, exact: bool = False) -> None:
        self.table = table
        self._mean = table.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._exact = exact or len(table) <= MANY

    @cached_property
    def directions(self) -> np.ndarray:
        """float32 `(songs, size)`, each of length 1."""
        return self._direction(self.table.vectors)

    @cached_property
    def _index(self) -> Index:
        from keras_mir.similar.index import Index

        return Index(self.table, self.directions)

    def nearest(self, vector: np.ndarray, top: int, rows: Sequence[int] | None = None) -> list[Near]:
        """The songs nearest to a vector, the nearest first.

        Args:
            vector: `(size,)`, of the same model.
            top: How many, at most.
            rows: The songs that count, if not all do.
        """
        direction = self._direction(vector)
        if rows is None and not self._exact:
            return [Near(*found) for found in self._index.search(direction, top)]
        cosines = self.directions @ direction
        among = np.arange(len(self.table)) if rows is None else np.asarray(rows, int)
        if top < len(among):
            among = among[np.argpartition(-cosines[among], top - 1)[:top]]
        among = among[np.lexsort((among, -cosines[among]))]
        return [Near(int(row), float(cosines[row])) for row in among]

    def walk(self, vector: np.ndarray, rows: Sequence[int]) -> Iterator[Near]:
        """Songs each once, from the nearest to a vector on: after each the one that is nearest to it.

        Args:
            vector: `(size,)`, of the same model.
            rows: The songs.
        """
        left = np.zeros(len(self.table), bool)
        left[list(rows)] = True
        while left.any():
            (near,) = self.nearest(vector, 1, np.flatnonzero(left).tolist())
            yield near
            left[near.row] = False
            vector = self.table.vectors[near.row]

    def _direction(self, vectors: np.ndarray) -> np.ndarray:
        centred = vectors - self._mean
        lengths: np.ndarray = np.linalg.norm(centred, axis=-1, keepdims=True)
        directions: np.ndarray = centred / np.maximum(lengths, np.finfo(np.float32).tiny)
        return directions
