"""A training step of the report's CNN, as `python -m keras_mir.fit` builds and trains it."""

from __future__ import annotations

import numpy as np

from benchmarks.cnn_task import BANDS, CLASSES, FILTERS, FRAMES, LEARNING_RATE, POOLS, make_task
from benchmarks.inputs import Inputs
from benchmarks.row import Results


class Training:
    """A compiled model and a batch."""

    def __init__(self, batch_size: int) -> None:
        import keras
        import tensorflow as tf

        from keras_mir.models.build import build_model
        from keras_mir.models.heads import compile_arguments
        from keras_mir.models.settings import ModelSettings
        from pipelines.spec import FeatureSpec

        tf.config.experimental.enable_op_determinism()
        task = make_task(batch_size)
        self._before = {f"kernel_{block}": kernel for block, kernel in enumerate(task.kernels, start=1)}
        self._before["dense"] = task.dense
        settings = ModelSettings(
            kind="cnn", filters=FILTERS, pools=POOLS, masks=False, normalise="none", dropout=0.0, l2=0.0
        )
        classes = [str(index) for index in range(CLASSES)]
        self._model = build_model(
            settings,
            bands=BANDS,
            time=FRAMES,
            classes=classes,
            targets=(),
            spec=FeatureSpec(),
            feature="mel",
        )
        self._variables = {
            **{f"kernel_{block}": self._model.get_layer(f"conv_{block}").kernel for block in range(1, 5)},
            "dense": self._model.get_layer("genre").kernel,
        }
        for name, variable in self._variables.items():
            variable.assign(self._before[name])
        self._model.compile(
            optimizer=keras.optimizers.SGD(LEARNING_RATE), jit_compile=False, **compile_arguments(classes, ())
        )
        lengths = tf.fill([batch_size], FRAMES)
        self._inputs = {"features": tf.constant(task.features), "lengths": lengths}
        self._labels = {"genre": tf.constant(task.labels)}

    def run(self) -> None:
        """Train on the batch."""
        self._step()

    def result(self) -> Results:
        """Loss of the first step, and how it changed the weights; to be asked for before any other step."""
        loss = self._step()
        changes = {
            name: np.asarray(variable) - self._before[name] for name, variable in self._variables.items()
        }
        return {"loss": np.array(loss), **changes}

    def _step(self) -> float:
        losses: list[float] | float = self._model.train_on_batch(self._inputs, self._labels)
        return float(losses[0] if isinstance(losses, list) else losses)


def prepare(inputs: Inputs, batch_size: int) -> Training:
    """Build the model."""
    return Training(batch_size)
