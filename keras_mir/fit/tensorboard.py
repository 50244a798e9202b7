"""What TensorBoard shows of a run besides Keras's scalars and graph."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.plugins.hparams import api as hparams

from keras_mir.data.load import TRAIN, VALIDATION, Data
from keras_mir.evaluate import figures
from keras_mir.evaluate.predictions import predict_source
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe

_SAMPLES = 4  # spectrograms shown


def callbacks(recipe: Recipe, data: Data, run: RunFolder) -> list[keras.callbacks.Callback]:
    """Scalars and learning rate by Keras; graph, pictures and hyperparameters by us."""
    return [
        # The graph Keras 3 writes has no operations, and TensorBoard refuses to draw it.
        keras.callbacks.TensorBoard(str(run.logs), write_graph=False, update_freq="epoch"),
        Graph(run),
        Pictures(data, run),
        HParams(recipe, run),
    ]


class Graph(keras.callbacks.Callback):
    """The operations of the model, once, as it answers."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        inputs = {
            name: tf.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in self.model.input.items()
        }
        answer = tf.function(lambda inputs: self.model(inputs, training=False))
        graph = answer.get_concrete_function(inputs).graph
        with tf.summary.create_file_writer(str(self.run.logs / "graph")).as_default():
            tf.summary.graph(graph)


class Pictures(keras.callbacks.Callback):
    """Sample inputs once; confusion matrix or scatter of the validation data as training goes on."""

    def __init__(self, data: Data, run: RunFolder) -> None:
        super().__init__()
        self.data = data
        self.run = run
        self.writer: Any = None
        self.epochs = 0  # done so far

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self.writer = tf.summary.create_file_writer(str(self.run.logs / "pictures"))
        train = self.data.examples[TRAIN]
        source = self.data.sources[TRAIN]
        for number, row in enumerate(_spread(len(source), _SAMPLES)):
            genre = f" ({train.table['genre'][row]})" if self.data.classes else ""
            figure = figures.spectrogram(
                source.cached.read(row).T,
                source.spec,
                synced=train.synced or source.settings.sync == "beat",
                title=f"{train.table['id'][row]}{genre}",
            )
            self._write(f"input/{number}", figure, 0)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.epochs = epoch + 1
        # After 1, 2, 4, 8, ... epochs: a model changes most at first, and each picture costs time.
        if self.epochs.bit_count() == 1:
            self._draw(epoch)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        # EarlyStopping has put back the best weights by now: this picture is of them.
        self._draw(self.epochs)
        self.writer.close()

    def _draw(self, epoch: int) -> None:
        source = self.data.sources[VALIDATION]
        predicted = predict_source(self.model, source)
        if self.data.classes:
            matrix = np.zeros((len(self.data.classes),) * 2, int)
            np.add.at(matrix, (source.labels["genre"], predicted["genre"].argmax(axis=-1)), 1)
            self._write(
                "validation/confusion_matrix", figures.confusion_matrix(matrix, self.data.classes), epoch
            )
        else:
            true = {name: source.labels[name] for name in self.data.targets}
            values = {name: predicted[name][:, 0] for name in self.data.targets}
            self._write("validation/scatter", figures.scatters(true, values), epoch)

    def _write(self, tag: str, figure: Figure, step: int) -> None:
        with self.writer.as_default():
            tf.summary.image(tag, _pixels(figure), step)


class HParams(keras.callbacks.Callback):
    """The recipe's settings with the best validation loss, for TensorBoard's comparison of runs."""

    def __init__(self, recipe: Recipe, run: RunFolder) -> None:
        super().__init__()
        self.settings = _flat(recipe)
        self.run = run
        self.best: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        logs = logs or {}
        if not self.best or logs["val_loss"] < self.best["val_loss"]:
            self.best = {name: float(value) for name, value in logs.items() if name.startswith("val_")}

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        with tf.summary.create_file_writer(str(self.run.logs / "hparams")).as_default():
            hparams.hparams(self.settings, trial_id=self.run.path.name)
            for name, value in self.best.items():
                tf.summary.scalar(f"best/{name}", value, step=0)


def _spread(n: int, count: int) -> list[int]:
    """Up to `count` of n rows, evenly spread: tables are often sorted by genre."""
    return sorted({int(row) for row in np.linspace(0, n - 1, count)})


def _flat(recipe: Recipe) -> dict[str, bool | int | float | str]:
    parts = {key: part for key, part in recipe.to_dict().items() if isinstance(part, dict)}
    return {
        f"{key}.{name}": ",".join(map(str, value)) if isinstance(value, list) else value
        for key, part in parts.items()
        for name, value in part.items()
    }


def _pixels(figure: Figure) -> tf.Tensor:
    """A figure as `(1, height, width, 4)` uint8."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return tf.image.decode_png(buffer.getvalue(), channels=4)[None]
