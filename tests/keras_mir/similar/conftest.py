"""Small tables of vectors, made without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from keras_mir.embed.table import Row, table_of, write_table
from keras_mir.models.embedding import Maker

MAKER = Maker("toy/1", "f" * 64, {"feature": "mel"})

WriteVectors = Callable[..., Path]


@pytest.fixture
def write_vectors(tmp_path) -> WriteVectors:
    """Write vectors of songs that are called `names`, which are not there, to `tmp_path/vectors.parquet`."""

    def write(
        vectors: np.ndarray, names: Sequence[str] = (), tempi: Sequence[float | None] = (), **columns: list
    ) -> Path:
        import pyarrow as pa

        rows = [
            Row(
                path=str(tmp_path / "music" / (names[number] if names else f"{number:05}.ogg")),
                duration=60.0 + number,
                tempo=tempi[number] if tempi else 100.0,
                vector=np.asarray(vector, np.float32),
                bytes=1,
                modified=1,
                sha256=f"{number:064}",
            )
            for number, vector in enumerate(vectors)
        ]
        songs = table_of(rows, MAKER)
        for name, values in columns.items():
            songs = songs.append_column(name, pa.array(values))
        write_table(songs, tmp_path / "vectors.parquet")
        return tmp_path / "vectors.parquet"

    return write


@pytest.fixture
def circle(write_vectors, tmp_path, monkeypatch) -> Path:
    """Four songs on a circle, `a` to `d` at 0, 30, 150 and 270 degrees, and as many beats a minute + 60."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    degrees = np.array([0, 30, 150, 270])
    radians = np.deg2rad(degrees)
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    tempi = [60.0, 90.0, None, 330.0]
    return write_vectors(vectors, ["a.ogg", "b.ogg", "c.ogg", "d.ogg"], tempi)
