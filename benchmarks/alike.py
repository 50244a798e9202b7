"""How far songs whose vectors are near one another are alike to people: in genre, and in affect.

A song is compared with those of its fold of a cross-validation: so a recipe's vectors are those of the
model that has seen none of them, and all rows are asked the same.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from keras_mir.models.servable import ServableModel
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
        same_genre: Share of a song's ten nearest in its fold that have its genre, the mean over songs.
        by_chance: That share where the nearest are drawn from all others of the fold.
        affect: Spearman correlation, over all pairs of a fold, of their distance with the difference in
            affect, the mean over folds.
    """

    vectors: str
    same_genre: float
    by_chance: float
    affect: float


@dataclass(frozen=True)
class Songs:
    """Songs that people have described.

    Attributes:
        files: Where they are.
        genres: Theirs, one per song.
        affect: `(songs, targets)`.
        folds: The fold that each is held out in, from 1.
    """

    files: list[Path]
    genres: np.ndarray
    affect: np.ndarray
    folds: np.ndarray


def alike(name: str, vectors: np.ndarray, songs: Songs) -> Alike:
    """Ask vectors about songs.

    Args:
        name: Whose they are.
        vectors: `(songs, size)`.
        songs: In the same order.
    """
    asked = np.array([_in_fold(vectors, songs, songs.folds == fold) for fold in np.unique(songs.folds)])
    return Alike(name, *asked.mean(axis=0).tolist())


def _in_fold(vectors: np.ndarray, songs: Songs, held_out: np.ndarray) -> tuple[float, float, float]:
    """`same_genre`, `by_chance` and `affect`, whose difference is the Euclidean one, of songs held out."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    vectors, labels, affect = vectors[held_out].astype(float), songs.genres[held_out], songs.affect[held_out]
    centred = vectors - vectors.mean(axis=0)  # as keras_mir.similar compares them
    directions = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1)[:, :NEIGHBOURS]
    same = labels[:, None] == labels[None]
    pairs = np.triu_indices(len(labels), 1)
    return (
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


def rows(
    audio: Path, data: Path, targets: str, models: Sequence[str], recipes: Mapping[str, Path]
) -> Iterator[Alike]:
    """What vectors of clips say: statistics of their mel, models that are there, and recipes.

    Args:
        audio: Clips with a `labels.csv`.
        data: The same, prepared.
        targets: Affect columns, with commas; empty for all columns of numbers.
        models: As `load` takes them; their training has nothing to do with these clips.
        recipes: By name, the folder of each recipe's cross-validation; the folds of the first are those
            that other vectors are asked in.

    Raises:
        UserError: If a clip has no vector.
    """
    labels = read_label_table(audio / "labels.csv", targets=targets.split(",") if targets else None)
    table = labels.table

    def songs_of(run: Path) -> Songs:
        division = pd.read_csv(run / "folds.csv", dtype={ID: str})
        held_out = division[division["repeat"] == 1].set_index(ID)["fold"]
        files = [audio / file for file in table[FILE]]
        affect = table[list(labels.targets)].to_numpy(float)
        return Songs(files, table[GENRE].to_numpy(), affect, held_out[table[ID]].to_numpy())

    songs = songs_of(next(iter(recipes.values())))
    yield alike("mean and deviation of mel", _mel_statistics(table[ID], data), songs)
    for name in models:
        yield alike(f"`{name}`", _vectors([load(name)] * len(songs.files), songs.files), songs)
    for name, run in recipes.items():
        songs = songs_of(run)
        by_fold = {fold: load(run / f"fold-{fold:02}") for fold in np.unique(songs.folds)}
        made = _vectors([by_fold[fold] for fold in songs.folds], songs.files)
        yield alike(f"`{name}`, trained on the other folds", made, songs)


def _vectors(models: Sequence[ServableModel], files: Sequence[Path]) -> np.ndarray:
    return np.stack([model.embed(file).vector for model, file in zip(models, files, strict=True)])


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
