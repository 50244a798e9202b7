"""What TensorBoard shows of a run besides Keras's scalars and graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.plugins.hparams import api as hparams

from keras_mir.data.load import TRAIN, VALIDATION, Data
from keras_mir.evaluate import figures
from keras_mir.evaluate.tag_metrics import tag_scores, thresholds_at_half
from keras_mir.models.answers import predict_source
from keras_mir.models.report import Bootstrap
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import GENRE, TAGS
from pipelines.extraction.pictures import spectrogram, vectors
from pipelines.figures import png
from pipelines.spec import VectorSpec

_SAMPLES = 4  # spectrograms shown
_FEW = Bootstrap(resamples=100)  # for intervals in a picture that is drawn again and again


def callbacks(recipe: Recipe, data: Data, run: RunFolder) -> list[keras.callbacks.Callback]:
    """Scalars and learning rate by Keras; graph, pictures and hyperparameters by us."""
    # The graph Keras 3 writes has no operations, and TensorBoard refuses to draw it.
    keras_own = keras.callbacks.TensorBoard(str(run.logs), write_graph=False, update_freq="epoch")
    return [keras_own, Summaries(recipe, data, run)]


class Summaries(keras.callbacks.Callback):
    """What Keras does not write.

    The operations of the model as it answers, and sample inputs, once; confusion matrix or scatter of
    the validation data, if there are any, as training goes on; at the end the recipe's settings with the
    best loss, for TensorBoard's comparison of runs.
    """

    def __init__(self, recipe: Recipe, data: Data, run: RunFolder) -> None:
        super().__init__()
        self.recipe = recipe
        self.data = data
        self.run = run
        self.pictures: Any = None
        self.epochs = 0  # done so far
        self.best: dict[str, float] = {}

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        inputs = {
            name: tf.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in self.model.input.items()
        }
        answer = tf.function(lambda inputs: self.model(inputs, training=False))
        with self._writer("graph").as_default():
            tf.summary.graph(answer.get_concrete_function(inputs).graph)
        self.pictures = self._writer("pictures")
        train = self.data.examples[TRAIN]
        source = self.data.sources[TRAIN]
        # Evenly spread: tables are often sorted by genre.
        rows = sorted({int(row) for row in np.linspace(0, len(source) - 1, _SAMPLES)})
        for number, row in enumerate(rows):
            genre = train.table[GENRE][row] if self.data.classes else ""
            values, title = source.cached.read(row).T, f"{train.table['id'][row]}{genre and f' ({genre})'}"
            synced = train.synced or source.settings.sync == "beat"
            figure = (
                vectors(values, title)
                if isinstance(source.spec, VectorSpec)
                else spectrogram(values, source.spec, synced=synced, title=title)
            )
            self._write(f"input/{number}", figure, 0)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        logs = logs or {}
        of = "val_" if VALIDATION in self.data.sources else ""
        if not self.best or logs[f"{of}loss"] < self.best[f"{of}loss"]:
            self.best = {name: float(value) for name, value in logs.items() if name.startswith(of)}
        self.epochs = epoch + 1
        # After 1, 2, 4, 8, ... epochs: a model changes most at first, and each picture costs time.
        if self.epochs.bit_count() == 1:
            self._draw(epoch)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        # EarlyStopping has put back the best weights by now: this picture is of them.
        self._draw(self.epochs)
        self.pictures.close()
        with self._writer("hparams").as_default():
            hparams.hparams(_flat(self.recipe), trial_id=self.run.path.name)
            for name, value in self.best.items():
                tf.summary.scalar(f"best/{name}", value, step=0)

    def _writer(self, kind: str) -> Any:
        return tf.summary.create_file_writer(str(self.run.logs / kind))

    def _draw(self, epoch: int) -> None:
        source = self.data.sources.get(VALIDATION)
        if source is None:
            return
        predicted = predict_source(self.model, source)
        if self.data.classes:
            rows = source.labelled(GENRE)
            matrix = np.zeros((len(self.data.classes),) * 2, int)
            np.add.at(matrix, (source.labels[GENRE][rows], predicted[GENRE][rows].argmax(axis=-1)), 1)
            self._write(
                "validation/confusion_matrix", figures.confusion_matrix(matrix, self.data.classes), epoch
            )
        if self.data.tags:
            rows = source.labelled(TAGS)
            thresholds = thresholds_at_half(self.data.tags)
            scores = tag_scores(source.labels[TAGS][rows], predicted[TAGS][rows], thresholds, _FEW)
            self._write("validation/tags", figures.tag_areas(scores), epoch)
        if targets := self.data.targets:
            rows = source.labelled(targets[0])
            true = {name: source.labels[name][rows] for name in targets}
            values = {name: predicted[name][rows, 0] for name in targets}
            self._write("validation/scatter", figures.scatters(true, values), epoch)

    def _write(self, tag: str, figure: Figure, step: int) -> None:
        image = tf.image.decode_png(png(figure, dpi=100), channels=4)
        with self.pictures.as_default():
            tf.summary.image(tag, image[None], step)


def _flat(recipe: Recipe) -> dict[str, bool | int | float | str]:
    parts = {key: part for key, part in recipe.to_dict().items() if isinstance(part, dict)}
    return {
        f"{key}.{name}": ",".join(map(str, value)) if isinstance(value, list) else value
        for key, part in parts.items()
        for name, value in part.items()
    }
