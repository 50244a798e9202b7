"""musicnn: filters as tall as timbres and as long as rhythms, and dense layers over a patch of 3 s.

J. Pons and X. Serra (2019); the sizes and the order of the layers are those of the published
checkpoints, in which a layer is known by its number.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_mir.models.pretrained.networks import Weights

BANDS = 96
PATCH = 187  # frames, 3 s
PENULTIMATE = 200
_EPSILON = 1e-3
_TIMBRES = (38, 67)  # bands that a filter spans: 0.4 and 0.7 of all
_RHYTHMS = (128, 64, 32)  # frames that one spans
_MIDDLE = 3  # convolutions after them


class _OverTime(keras.layers.Conv2D):
    """Filters over time alone, of one channel: as matrix products they take a third of the time."""

    def call(self, inputs: Any) -> Any:
        """From `(batch, time, bands, 1)` to `(batch, time, bands, filters)`."""
        width, _ = self.kernel_size
        padded = tf.pad(inputs[..., 0], [[0, 0], [(width - 1) // 2, width // 2], [0, 0]])
        frames = tf.signal.frame(padded, width, 1, axis=1)  # (batch, time, width, bands)
        return self.activation(tf.einsum("btwf,wc->btfc", frames, self.kernel[:, 0, 0]) + self.bias)


class _OverBands(keras.layers.Conv2D):
    """Tall filters of one channel: with a filter's frames for its channels they take a fifth less time."""

    def call(self, inputs: Any) -> Any:
        """From `(batch, time + width - 1, bands, 1)` to `(batch, time, bands - height + 1, filters)`."""
        width, _ = self.kernel_size
        frames = tf.signal.frame(inputs[..., 0], width, 1, axis=1)  # (batch, time, width, bands)
        columns = tf.transpose(frames, (0, 1, 3, 2))
        kernel = tf.transpose(self.kernel, (2, 1, 0, 3))  # (1, height, width, filters)
        return self.activation(tf.nn.bias_add(tf.nn.conv2d(columns, kernel, 1, "VALID"), self.bias))


def pooled_network(weights: Weights) -> keras.Model:
    """All up to the pooling over time: what is the same for every patch of a clip, whatever is learnt.

    Args:
        weights: Weights of the checkpoint.

    Returns:
        A frozen model from `(batch, 187, 96)` float32, compressed mel, to `(batch, 1506)` float32.
    """
    patches = keras.Input((PATCH, BANDS), dtype="float32", name="patches")
    x = keras.layers.Reshape((PATCH, BANDS, 1), name="channel")(patches)
    x = norm(0)(x)
    numbers = iter(range(1, 10))
    found = []
    for height in _TIMBRES:
        number = next(numbers)
        padded = keras.layers.ZeroPadding2D(((3, 3), (0, 0)), name=f"pad_{number}")(x)
        y = _OverBands(204, (7, height), activation="relu", name=_conv_name(number - 1))(padded)
        found.append(ops.max(norm(number)(y), axis=2))
    for width in _RHYTHMS:
        number = next(numbers)
        y = _OverTime(51, (width, 1), padding="same", activation="relu", name=_conv_name(number - 1))(x)
        found.append(ops.max(norm(number)(y), axis=2))
    levels = [ops.concatenate(found, axis=-1)]  # (batch, time, 561)
    before = levels[0]
    for step in range(_MIDDLE):
        number = next(numbers)
        y = keras.layers.Conv1D(64, 7, padding="same", activation="relu", name=_conv_name(number - 1))(before)
        y = norm(number)(y)
        before = y if step == 0 else y + before
        levels.append(before)
    x = ops.concatenate(levels, axis=-1)  # (batch, time, 753)
    pooled = ops.stack([ops.max(x, axis=1), ops.mean(x, axis=1)], axis=-1)
    model = keras.Model(patches, keras.layers.Flatten(name="pooled")(pooled), name="musicnn")
    load_layers(model, weights)
    model.trainable = False
    return model


def dense_layers() -> list[Any]:
    """What follows the pooling: `(..., 1506)` to `(..., 200)`; `load_layers` gives them their weights."""
    return [
        norm(9),
        keras.layers.Dense(PENULTIMATE, activation="relu", name="dense"),
        norm(10),
    ]


def norm(number: int) -> Any:
    """The batch normalisation of that number in a checkpoint."""
    name = f"batch_normalization_{number}" if number else "batch_normalization"
    return keras.layers.BatchNormalization(epsilon=_EPSILON, name=name)


def load_layers(model: keras.Model, weights: Weights) -> None:
    """Give a model's layers the weights of a checkpoint.

    They are called as there; those it does not know keep their weights.
    """
    for layer in model.layers:
        names = [f"{layer.name}/{weight.name}" for weight in layer.weights]
        if names and all(name in weights for name in names):
            shapes = [weight.shape for weight in layer.weights]
            layer.set_weights(
                [np.reshape(weights[name], shape) for name, shape in zip(names, shapes, strict=True)]
            )


def _conv_name(number: int) -> str:
    return f"conv2d_{number}" if number else "conv2d"
