"""What the index of very many vectors overlooks: `python -m benchmarks.index --vectors vectors.parquet`.

A library of so many songs is made of a table's: a song is one of the table, moved at random as far as songs
of the table differ, along the directions in which they do. Its ten nearest by the index are compared with
those by all cosines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_mir.embed.table import PATH, VECTOR, VectorTable, read_table
from keras_mir.similar.library import MANY, Library
from pipelines.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_TOP = 10
_QUERIES = 200
_OWN, _MOVED = 0.7, 0.7  # weights of a song's vector, and of what it is moved by
_AT_ONCE = 50_000  # songs


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index", allow_abbrev=False)
    parser.add_argument("--vectors", type=Path, required=True, help="a table that keras_mir.embed wrote")
    parser.add_argument("--songs", type=int, default=MANY + 1, help="vectors (default: %(default)s)")
    parser.add_argument("--size", type=int, default=200, help="numbers of a vector (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        given = read_table(arguments.vectors)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rng = np.random.default_rng(0)
    vectors = _many(given.vectors, arguments.songs, arguments.size, rng)
    with tempfile.TemporaryDirectory() as folder:
        table = VectorTable(Path(folder) / "vectors.parquet", given.maker, _songs(vectors))
        library, exact = Library(table), Library(table, exact=True)
        start = time.perf_counter(), time.process_time()
        library.nearest(vectors[0], _TOP)
        seconds, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        print(f"{arguments.songs:,} vectors of {vectors.shape[1]}: built in {seconds:.0f} s, {cpu:.0f} CPU s")
        found, times = 0, []
        for row in rng.integers(len(vectors), size=_QUERIES):
            begun = time.perf_counter()
            near = {one.row for one in library.nearest(vectors[row], _TOP)}
            times.append(time.perf_counter() - begun)
            found += len(near & {one.row for one in exact.nearest(vectors[row], _TOP)})
    print(
        f"recall of the ten nearest: {found / _TOP / _QUERIES:.3f}; a query: {1000 * np.median(times):.2f} ms"
    )
    return 0


def _many(vectors: np.ndarray, songs: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """float32 `(songs, size)`: along the directions in which the vectors differ most."""
    centred = vectors - vectors.mean(axis=0)
    _, deviations, directions = np.linalg.svd(centred, full_matrices=False)
    along = centred @ directions[:size].T
    spread = deviations[:size] / np.sqrt(len(vectors))
    made = np.empty((songs, along.shape[1]), np.float32)
    for start in range(0, songs, _AT_ONCE):
        part = made[start : start + _AT_ONCE]
        part[:] = _OWN * along[rng.integers(len(along), size=len(part))]
        part += _MOVED * rng.normal(size=part.shape) * spread
    return made


def _songs(vectors: np.ndarray) -> pa.Table:
    import pyarrow as pa

    names = [f"/music/{number}.ogg" for number in range(len(vectors))]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    return pa.table({PATH: names, VECTOR: lists, "sha256": names}).combine_chunks()


if __name__ == "__main__":
    sys.exit(main())
