"""An index of very many vectors, kept beside their table: the nearest without a look at each."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from keras_mir.embed.table import VectorTable
from pipelines.errors import UserError


class Index:
    """A graph of neighbours (HNSW), by usearch; built once for a table.

    Args:
        table: The songs.
        directions: float32 `(songs, size)`, each of length 1.

    Raises:
        UserError: If usearch is not installed.
    """

    def __init__(self, table: VectorTable, directions: np.ndarray) -> None:
        if importlib.util.find_spec("usearch") is None:
            many = f"{table.path}: more than a million songs want an index"
            raise UserError(f"{many}; pip install 'keras-mir[index]', or choose some with --where")
        import usearch.index

        self._index = usearch.index.Index(ndim=directions.shape[1], metric="cos", dtype="f16")
        path = _place(table)
        if not self._restored(path, len(table)):
            self._index.add(np.arange(len(table)), directions)
            for old in path.parent.glob(f".{table.path.name}-*.usearch"):
                old.unlink()
            with suppress(OSError, RuntimeError):  # where nothing may be written it is built each time
                unfinished = path.with_suffix(".tmp")
                self._index.save(str(unfinished))
                unfinished.replace(path)

    def search(self, direction: np.ndarray, top: int) -> Iterator[tuple[int, float]]:
        """Rows of the table and cosines, the nearest first; one in a hundred or so may be overlooked."""
        found = self._index.search(direction, top)
        for row, distance in zip(found.keys.tolist(), found.distances.tolist(), strict=True):
            yield row, 1 - distance

    def _restored(self, path: Path, songs: int) -> bool:
        if not path.is_file():
            return False
        try:
            self._index.load(str(path))
        except (RuntimeError, ValueError):
            return False
        return len(self._index) == songs


def _place(table: VectorTable) -> Path:
    """Beside the table, under a name that says what is in that."""
    digest = hashlib.sha256(table.maker.fingerprint.encode())
    for column in ("path", "sha256"):
        digest.update("\n".join(table.frame[column]).encode())
    return table.path.with_name(f".{table.path.name}-{digest.hexdigest()[:16]}.usearch")
