"""What sounds like a song: one in a table of vectors, or any other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_mir.embed.embed import Embedder, Embedding, load_embedder
from keras_mir.embed.table import VectorTable, read_table
from keras_mir.similar.library import Library, Near
from keras_mir.similar.where import rows_where
from pipelines.checksums import sha256
from pipelines.errors import ArgumentError, UserError

if TYPE_CHECKING:
    import pandas as pd

_INTERNAL = ("model", "bytes", "modified", "sha256")


class Similar:
    """Finds what sounds like a song in a table.

    Args:
        vectors: The table, as `python -m keras_mir.embed` writes it.
        where: Which of its songs count, as of `rows_where`; empty for all.
        models: The export root; the table's model is looked for there when a song is not in the table.

    Attributes:
        library: Its songs.
        rows: Those that count; None for all.

    Raises:
        UserError: If the table or the condition cannot be read.
    """

    def __init__(self, vectors: str | Path, *, where: str = "", models: str | Path = "saved_models") -> None:
        self.library = Library(read_table(Path(vectors)))
        self.rows = rows_where(self._table.frame, where) if where else None
        self._models = Path(models)

    @property
    def _table(self) -> VectorTable:
        return self.library.table

    @cached_property
    def embedder(self) -> Embedder:
        """The table's model, which makes vectors of other songs.

        Raises:
            UserError: If it is not there, or is another one by now.
        """
        maker = self._table.maker
        try:
            embedder = load_embedder(maker.model, self._models)
        except UserError as error:
            problem = f"its model {maker}, which other songs want, cannot be had: {error}"
            raise UserError(f"{self._table.path}: {problem}") from None
        self._check_maker(embedder)
        return embedder

    def to(self, song: str | Path | Embedding, top: int = 10) -> pd.DataFrame:
        """The songs nearest to one, which is not among them.

        Args:
            song: A file, in the table or not; or what a model made of one.
            top: How many, at most.

        Returns:
            One row per song, the nearest first; `similarity` is the cosine, from -1 to 1, and the other
            columns are the table's.

        Raises:
            UserError: If the song has no vector, or that is of another model than the table's.
        """
        if top < 1:
            raise ArgumentError("top", top, "give 1 or more")
        vector, own = self.vector(song)
        return self.described(self.nearest(vector, own, top))

    def nearest(self, vector: np.ndarray, own: Collection[int], top: int) -> list[Near]:
        """The songs nearest to a vector, without a song's own rows.

        Args:
            vector: As `vector` gives it, like `own`.
            own: The rows that do not count.
            top: How many, at most.
        """
        near = self.library.nearest(vector, top + len(own), self.rows)
        return [one for one in near if one.row not in own][:top]

    def walk(self, vector: np.ndarray, own: Collection[int], most: int) -> list[Near]:
        """Songs that go on from a vector, each the nearest to the one before it.

        Args:
            vector: As `vector` gives it, like `own`.
            own: The rows that do not count.
            most: How many, at most.
        """
        rows = range(len(self._table)) if self.rows is None else self.rows
        return list(islice(self.library.walk(vector, [row for row in rows if row not in own]), most))

    def vector(self, song: str | Path | Embedding) -> tuple[np.ndarray, set[int]]:
        """A song's vector, and where it is in the table.

        Raises:
            UserError: As `to`.
        """
        if isinstance(song, Embedding):
            self._check_maker(song)
            return song.vector, set()
        path = Path(song)
        rows = self._table.rows_of(path)
        if rows and not self._has_changed(path, rows[0]):
            return self._table.vectors[rows[0]], set(rows)
        if not path.is_file():
            what = "a folder; give a song" if path.is_dir() else "no such file"
            raise UserError(f"{path}: {what}, and not in {self._table.path}; check the name")
        return self.embedder.embed_file(path).vector, set(rows)

    def described(self, near: Sequence[Near]) -> pd.DataFrame:
        """Songs with how near they are, as `to` gives them."""
        frame = self._table.frame.drop(columns=list(_INTERNAL)).iloc[[one.row for one in near]]
        frame.insert(0, "similarity", [one.similarity for one in near])
        return frame.reset_index(drop=True)

    def _has_changed(self, path: Path, row: int) -> bool:
        if not path.is_file():
            return False  # what is not there any more sounds as it did
        known, status = self._table.frame.iloc[row], path.stat()
        if (known["bytes"], known["modified"]) == (status.st_size, status.st_mtime_ns):
            return False
        return bool(known["sha256"] != sha256(path))

    def _check_maker(self, of: Embedder | Embedding) -> None:
        maker, other = self._table.maker, of.maker
        if other.fingerprint != maker.fingerprint:
            raise UserError(
                f"{self._table.path}: its vectors are of {maker}, and the song's would be of {other}; "
                "embed the library again with that, or take the table's model"
            )


def similar(
    song: str | Path | Embedding,
    vectors: str | Path,
    *,
    top: int = 10,
    where: str = "",
    models: str | Path = "saved_models",
) -> pd.DataFrame:
    """What sounds like a song.

    Args:
        song: A file, in the table or not; or what `model.embed` made of one.
        vectors: The table, as `python -m keras_mir.embed` writes it.
        top: How many songs, at most.
        where: Which of its songs count: a condition in SQL, `tempo between 90 and 110`.
        models: The export root; the table's model is looked for there when the song is not in the table.

    Returns:
        One row per song, the nearest first; `similarity` is the cosine, from -1 to 1, and the other
            columns are the table's.

    Raises:
        UserError: If something is missing or damaged, or the vectors are of different models.
    """
    return Similar(vectors, where=where, models=models).to(song, top)
