"""Run the deterministic steps once and keep what they give, a file an example.

A cache file is named by a hash of everything it follows from: the source file's path, size and
time of change, the beats file's, the steps with their settings, and the code of the steps.
Whatever changes, the name changes, so nothing stale is ever read; other runs, other splits and
other processes share what is there. A checksum of what it holds is in its name as well: a file that
was cut or damaged is made anew. One file an example lets a pipeline shuffle by name, and
read what it needs of a data set that is larger than memory. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.checksums import find_cached, write_cached
from pipelines.datasets.base import BEATS, PATH, Examples
from pipelines.errors import reason_of
from pipelines.input.diagnosis import diagnose, diagnose_beats, stated_frames
from pipelines.input.service import DataService
from pipelines.input.steps import BeatSync, ReadFused, Select, Step, fuse
from pipelines.limits import MAX_FRAMES
from pipelines.settings import InputSettings
from pipelines.spec import Spec

# What a cached value depends on.
_CODE = (
    "spec.py",
    "ops/npy.py",
    "ops/tempo.py",
    "ops/beats.py",
    "ops/beat_sync.py",
    "input/steps.py",
    "input/cache.py",
)
_ITEM = np.dtype("<f4")
_SUFFIX = ".f32"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BadFile:
    """A feature file that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Cached:
    """Examples after the deterministic steps.

    Attributes:
        paths: A file an example, raw little-endian float32 `(time, bands)`; empty for a bad one.
        lengths: int32 `(n,)` steps of each.
        bands: Bands of all.
        bad: Files that could not be read; their lengths are 0.
    """

    paths: tuple[str, ...]
    lengths: np.ndarray
    bands: int
    bad: tuple[BadFile, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the values of all examples."""
        return int(self.lengths.sum(dtype=np.int64)) * self.bands * _ITEM.itemsize

    def take(self, rows: np.ndarray) -> Cached:
        """The examples at the given row positions."""
        return Cached(tuple(self.paths[row] for row in rows), self.lengths[rows], self.bands, self.bad)

    def read(self, row: int) -> np.ndarray:
        """One example, float32 `(time, bands)`, for what is done outside a pipeline."""
        return np.fromfile(self.paths[row], _ITEM).reshape(-1, self.bands)

    @cached_property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of every band over all steps of all examples, float32 `(bands,)`."""
        total = np.zeros(self.bands)
        squares = np.zeros(self.bands)
        for row in range(len(self.paths)):
            values = self.read(row).astype(np.float64)
            total += values.sum(axis=0)
            squares += (values**2).sum(axis=0)
        count = int(self.lengths.sum())
        mean = total / count
        return mean.astype(np.float32), np.maximum(squares / count - mean**2, 0.0).astype(np.float32)


def cache_examples(
    examples: Examples,
    settings: InputSettings,
    folder: Path,
    progress: Progress | None = None,
    service: DataService | None = None,
) -> Cached:
    """Read, synchronise and select all examples once: make the cache files that are not there yet.

    Args:
        examples: The files to read.
        settings: What the user chose.
        folder: The cache.
        progress: Called with the number of examples done and of all.
        service: Whose workers run the steps; `None` for this process. The files are written here.

    Returns:
        The cached examples, with the files that could not be read.
    """
    table, spec, widths = examples.table, examples.spec, settings.file_widths(examples.spec)
    steps: list[Step] = [ReadFused(widths, spec)]
    if settings.sync == "beat" and not examples.synced:
        steps.append(BeatSync(examples.spectrogram_spec))
    steps.append(Select(settings.feature, spec))
    bands = spec.width(settings.feature)
    work = _digest([repr(steps), *_code()])
    keys = [
        _digest([work, *_identity(source), *_identity(beats)])
        for source, beats in zip(table[PATH], table[BEATS], strict=True)
    ]
    found = find_cached(folder, keys, _SUFFIX)
    missing = [row for row, key in enumerate(keys) if key not in found]
    bad: list[BadFile] = []
    done = len(keys) - len(missing)
    if progress:
        progress(done, len(keys))
    sources, beats = ([table[column][row] for row in missing] for column in (PATH, BEATS))
    results = _results(steps, sources, beats, service)
    for row, result in zip(missing, results, strict=True):
        if isinstance(result, str):
            bad.append(_explain(table[PATH][row], table[BEATS][row], widths, spec, result))
        else:
            content = result.astype(_ITEM).tobytes()
            found[keys[row]] = write_cached(folder, keys[row], _SUFFIX, content)
        done += 1
        if progress:
            progress(done, len(keys))
    paths = [found.get(key) for key in keys]
    lengths = [path.stat().st_size // (_ITEM.itemsize * bands) if path else 0 for path in paths]
    return Cached(tuple(str(path or "") for path in paths), np.array(lengths, np.int32), bands, tuple(bad))


def _explain(source: str, beats: str, widths: tuple[int, ...], spec: Spec, message: str) -> BadFile:
    reason = diagnose(Path(source), widths, MAX_FRAMES, spec)
    if not reason and beats:
        problem = diagnose_beats(Path(beats), stated_frames(Path(source)))
        reason = f"its beats file {beats}: {problem}" if problem else ""
    return BadFile(source, reason or message)


def _results(
    steps: Sequence[Step], sources: list[str], beats: list[str], service: DataService | None
) -> Iterator[np.ndarray | str]:
    """The features of every example, or the message of its error."""
    if not sources:
        return
    run = fuse(steps)
    table = {"path": tf.constant(sources), "beats": tf.constant(beats)}

    def load(row: tf.Tensor) -> tf.Tensor:
        return run({name: values[row] for name, values in table.items()})["features"]

    rows = range(len(sources))
    if service:
        dataset = service.map(rows, load)
    else:
        dataset = tf.data.Dataset.range(len(rows)).map(load, tf.data.AUTOTUNE, deterministic=True)
    iterator = iter(dataset)
    for _ in rows:  # an example that fails does not end a data set
        try:
            yield next(iterator).numpy()
        except tf.errors.OpError as error:
            yield reason_of(error)


def _code() -> list[str]:
    here = Path(__file__).parents[1]
    return [(here / name).read_text(encoding="utf-8") for name in _CODE]


def _identity(path: str) -> tuple[str, ...]:
    if not path:
        return ("",)
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return (path, "missing")
    return (str(Path(path).resolve()), str(status.st_size), str(status.st_mtime_ns))


def _digest(parts: Sequence[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()
