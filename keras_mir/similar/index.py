"""An index of very many vectors, kept beside their table: the nearest without a look at each."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_mir.command_line.progress import progress
from keras_mir.embed.table import VectorTable
from pipelines.checksums import sha256
from pipelines.errors import UserError

_ENDING = ".usearch"
_AT_ONCE = 10_000  # songs
_MOST_LETTERS = 30  # of the table's name in that of its index; systems allow 255 bytes in all


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
            raise UserError(f"{many}; pip install 'keras-mir[index]', or choose some with where")
        import usearch.index

        self._index = usearch.index.Index(ndim=directions.shape[1], metric="cos", dtype="f16")
        start = f".{table.path.name[-_MOST_LETTERS:]}-"
        folder, name = table.path.parent, f"{start}{_digest(table)}"
        if not self._restored(folder.glob(f"{escape(name)}-*{_ENDING}"), len(table)):
            with progress("building an index, once", Console(stderr=True)) as report:  # minutes for a million
                for start_row in range(0, len(table), _AT_ONCE):
                    rows = np.arange(start_row, min(start_row + _AT_ONCE, len(table)))
                    self._index.add(rows, directions[rows])
                    report(int(rows[-1]) + 1, len(table))
            # Where nothing may be written, or under no name that usearch can write, it is built each time.
            with suppress(OSError, RuntimeError, ValueError):
                for old in folder.glob(f"{escape(start)}*"):
                    old.unlink(missing_ok=True)
                unfinished = folder / f"{name}-{os.getpid()}.tmp"
                self._index.save(str(unfinished))
                unfinished.replace(folder / f"{name}-{sha256(unfinished)}{_ENDING}")

    def search(self, direction: np.ndarray, top: int) -> Iterator[tuple[int, float]]:
        """Rows of the table and cosines, the nearest first; one in a hundred or so may be overlooked."""
        found = self._index.search(direction, top)
        for row, distance in zip(found.keys.tolist(), found.distances.tolist(), strict=True):
            yield row, 1 - distance

    def _restored(self, files: Iterable[Path], songs: int) -> bool:
        """Whether one of the files is as it was written: of a damaged one usearch reads what is not there."""
        for file in files:
            with suppress(OSError, RuntimeError, ValueError):
                if file.name.endswith(f"-{sha256(file)}{_ENDING}"):
                    self._index.load(str(file))
                    return len(self._index) == songs
        return False


def _digest(table: VectorTable) -> str:
    """What the table holds, in a few letters."""
    digest = hashlib.sha256(table.maker.fingerprint.encode())
    for column in ("path", "sha256"):
        digest.update("\n".join(table.frame[column]).encode())
    return digest.hexdigest()[:16]
