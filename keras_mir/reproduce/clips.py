"""The clips that the report's first figures show."""

from __future__ import annotations

import tensorflow as tf

from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.pictures import ClipFeatures
from pipelines.datasets.base import BEATS, GENRE, ID, PATH, Examples
from pipelines.errors import UserError
from pipelines.input.steps import BeatSync, ReadFused
from pipelines.ops.beat_sync import beat_sync
from pipelines.spec import FeatureSpec


def two_clips(dataset: DataSet) -> list[ClipFeatures]:
    """The first clips of the two largest classes, full and beat-synchronous.

    Raises:
        UserError: If the data set has fewer than two classes, or no chroma.
    """
    assert dataset.genre is not None
    examples = dataset.class_map.apply(dataset.genre)
    classes = examples.table[GENRE].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(classes) < 2:
        raise UserError(f"{dataset.name}: clips of one class only; two of different classes are compared")
    rows = [int((examples.table[GENRE] == name).to_numpy().argmax()) for name in classes.index[:2]]
    return [_clip(examples, row) for row in rows]


def _clip(examples: Examples, row: int) -> ClipFeatures:
    table, spec = examples.table, examples.spec
    path = table[PATH][row]
    # In a compiled graph, as in the pipeline: tracking beats step by step takes seconds.
    full, beats, synced = (part.numpy() for part in _read(path, table[BEATS][row], spec))
    return ClipFeatures(
        id=str(table[ID][row]),
        genre=str(table[GENRE][row]),
        features=full.T,
        synced=synced.T,
        beats=beats,
        frames=len(full),
    )


def _read(path: str, beats: str, spec: FeatureSpec) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Features `(time, bands)`, beat frames `(n,)`, and the features between them."""

    @tf.function
    def read() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        element = ReadFused((spec.n_bands,))({"path": tf.constant(path), "beats": tf.constant(beats)})
        found = BeatSync(spec).boundaries(element)
        return element["features"], found, beat_sync(element["features"], found, spec)

    try:
        return read()
    except tf.errors.OpError:
        raise UserError(f"{path}: no mel and chroma to show; the figures need fused spectrograms") from None
