"""How far songs whose vectors are near one another are alike to people: in genre, and in affect."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_mir.models.trained_model import load
from pipelines.datasets.base import GENRE, ID
from pipelines.datasets.course import FOLDERS, SUFFIXES
from pipelines.datasets.labels import FILE, read_label_table
from pipelines.spec import FeatureSpec

NEIGHBOURS = 10


@dataclass(frozen=True)
class Alike:
    """What nearness says of songs.

    Attributes:
        vectors: Whose vectors they are.
        same_genre: Share of a song's ten nearest that have its genre, the mean over songs.
        by_chance: That share where the nearest are drawn from all others.
        affect: Spearman correlation, over all pairs, of their distance with the difference in affect.
    """

    vectors: str
    same_genre: float
    by_chance: float
    affect: float


def alike(name: str, vectors: np.ndarray, genres: Sequence[str], affect: np.ndarray) -> Alike:
    """Ask vectors about songs that people have described.

    Args:
        name: Whose they are.
        vectors: `(songs, size)`.
        genres: Of the songs.
        affect: `(songs, targets)`; a difference is the Euclidean one.
    """
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    centred = vectors.astype(float) - vectors.mean(axis=0)  # as keras_mir.similar compares them
    directions = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1)[:, :NEIGHBOURS]
    labels = np.asarray(genres)
    same = labels[:, None] == labels[None]
    pairs = np.triu_indices(len(labels), 1)
    return Alike(
        name,
        float(np.take_along_axis(same, nearest, axis=1).mean()),
        float(same[pairs].mean()),
        float(spearmanr(-cosines[pairs], pdist(affect)).statistic),
    )


def table(rows: Sequence[Alike]) -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield "| vectors | of the ten nearest, of its genre | by chance | distance and difference in affect |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.vectors} | **{row.same_genre:.3f}** | {row.by_chance:.3f} | {row.affect:.3f} |"


def rows(audio: Path, data: Path, targets: str, models: Sequence[str]) -> Iterator[Alike]:
    """What the vectors of models say of the clips of a folder, and what statistics of their mel say.

    Args:
        audio: Clips with a `labels.csv`.
        data: The same, prepared.
        targets: Affect columns, with commas; empty for all columns of numbers.
        models: As `load` takes them.

    Raises:
        UserError: If a clip has no vector.
    """
    labels = read_label_table(audio / "labels.csv", targets=targets.split(",") if targets else None)
    genres, affect = labels.table[GENRE].tolist(), labels.table[list(labels.targets)].to_numpy(float)
    yield alike("mean and deviation of mel", _mel_statistics(labels.table[ID], data), genres, affect)
    for name in models:
        model = load(name)
        vectors = np.stack([model.embed(audio / file).vector for file in labels.table[FILE]])
        yield alike(f"`{name}`", vectors, genres, affect)


def _mel_statistics(clips: Iterable[str], data: Path) -> np.ndarray:
    """Mean and deviation over time of every band, each brought to mean 0 and deviation 1 over clips."""
    bands, made = FeatureSpec().bands("mel"), []
    for clip in clips:
        (file,) = (data / FOLDERS["genre", False]).glob(f"*/{clip}{SUFFIXES[0]}")
        with gzip.open(file) as content:
            mel = np.load(io.BytesIO(content.read()))[bands].astype(float)
        made.append(np.concatenate([mel.mean(axis=1), mel.std(axis=1)]))
    statistics = np.stack(made)
    return (statistics - statistics.mean(axis=0)) / np.maximum(statistics.std(axis=0), 1e-9)
