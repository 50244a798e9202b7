"""Small data sets that several test modules read."""

from __future__ import annotations

import functools
import gzip
import io
import itertools
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.datasets.base import Examples

SaveFeatures = Callable[[Path, np.ndarray], None]
MakeExamples = Callable[..., Examples]

GENRE_TRAIN = {"101": "Rock", "102": "Psych-Rock", "103": "Folk", "104": "Indie-Rock", "105": "Jazz"}
GENRE_TEST = {"201": "Rock", "202": "Jazz"}
AFFECT_TRAIN = {"301": (0.1, 0.25, 1.0), "302": (0.5, 0.0, 0.75)}
AFFECT_TEST = ("401",)


def pytest_configure(config: pytest.Config) -> None:
    """Make test processes alike, however many there are and however they were started."""
    # What a script starts in the background ignores Ctrl-C, and so would the commands under test.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Processes that compile librosa's functions into one place at a time can leave code there that
    # does not fit together, and every process that loads it after them crashes.
    process = os.environ.get("PYTEST_XDIST_WORKER")
    if process and "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(config.cache.mkdir(f"numba-{process}"))


def fused(frames: int, seed: int) -> np.ndarray:
    """A fused spectrogram of noise: float64 `(140, frames)`."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.uniform(-80, 0, (128, frames)), random.uniform(0, 1, (12, frames))])


def save(path: Path, array: np.ndarray) -> None:
    """`numpy.save` without pickles, inside gzip if the name says so."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    content = gzip.compress(buffer.getvalue(), 1) if path.suffix == ".gz" else buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(scope="session")
def save_features() -> SaveFeatures:
    return save


@pytest.fixture(scope="session")
def drawn() -> Callable[[Figure], list[Axes]]:
    """Lays a figure out, and returns its axes without colour bars."""

    def draw(figure: Figure) -> list[Axes]:
        figure.savefig(io.BytesIO(), format="png", dpi=30)
        return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]

    return draw


@pytest.fixture(scope="session")
def make_fused() -> Callable[[int, int], np.ndarray]:
    return fused


@pytest.fixture
def make_examples(tmp_path: Path) -> MakeExamples:
    """Examples of given lengths in `tmp_path`; row `i` is `fused(lengths[i], seed=i)`."""

    def make(lengths: Sequence[int]) -> Examples:
        return _examples(tmp_path, lengths)

    return make


@pytest.fixture(scope="session")
def shared_examples(tmp_path_factory: pytest.TempPathFactory) -> MakeExamples:
    """The same, in folders that tests share and leave as they are."""

    @functools.cache
    def make(lengths: tuple[int, ...]) -> Examples:
        return _examples(tmp_path_factory.mktemp("examples"), lengths)

    return lambda lengths: make(tuple(lengths))


def _examples(folder: Path, lengths: Sequence[int]) -> Examples:
    paths = [folder / "features" / f"{row}.npy" for row in range(len(lengths))]
    for row, (path, frames) in enumerate(zip(paths, lengths, strict=True)):
        save(path, fused(frames, row).astype(np.float32))
    table = pd.DataFrame({"id": [path.stem for path in paths], "path": [str(path) for path in paths]})
    table["split"], table["beats"], table["genre"] = "", "", "Rock"
    return Examples(table, name="noise")


@pytest.fixture(scope="session")
def course_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course layout in miniature, with its quirks; tests that change it work on a copy.

    Zipped and plain files, float16 to float64, big-endian values, C and Fortran order, and names
    in the label files that are not those on disk. Clip `n` is `fused(60, seed=n)`, in the
    beat-synchronous twin `fused(7, seed=n)`.
    """
    root = tmp_path_factory.mktemp("course")
    kinds = itertools.product(("C", "F"), ("<f4", "<f8", "<f2", ">f4", ">f8"), (".npy.gz", ".npy"))
    for twin, frames in (("", 60), ("_beat", 7)):
        genre = root / f"fma_genre_spectrograms{twin}"
        affect = root / f"multitask_dataset{twin}"
        clips = {
            genre / "train": GENRE_TRAIN,
            genre / "test": GENRE_TEST,
            affect / "train": AFFECT_TRAIN,
            affect / "test": AFFECT_TEST,
        }
        for folder, ids in clips.items():
            for identity, (order, dtype, suffix) in zip(ids, kinds, strict=False):
                array = np.asarray(fused(frames, int(identity)), dtype=dtype, order=order)
                save(folder / f"{identity}.fused.full{suffix}", array)
        written = "beatsync.fused.npy.gz" if twin else "fused.full.npy.gz"
        _write_genres(genre / "train_labels.txt", GENRE_TRAIN, written)
        _write_genres(genre / "test_labels.txt", GENRE_TEST, "full.fused.npy.gz")
        rows = [f"{identity},{v},{e},{d}" for identity, (v, e, d) in AFFECT_TRAIN.items()]
        (affect / "train_labels.txt").write_text(
            "\n".join(["Id,valence,energy,danceability", *rows]), encoding="utf-8"
        )
    return root


def _write_genres(path: Path, genres: dict[str, str], suffix: str) -> None:
    rows = [f"{identity}.{suffix}\t{genre}\n" for identity, genre in genres.items()]
    path.write_text("Id\tGenre\n" + "".join(rows), encoding="utf-8")
