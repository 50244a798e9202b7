"""Pooling: of windows, with the batch normalisation and the ReLU before it, and of whole clips."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_mir.layers.base import A_CLIP, Axes, BaseLayer, Shape, Size
from keras_mir.layers.network.masks import align, frames_within, pad_time, zero_past_length

_LOWEST = float(np.finfo(np.float32).min)


@keras.saving.register_keras_serializable("keras_mir")
class NormReluPool(BaseLayer):
    """Batch normalisation, then ReLU, then the maximum of each window.

    Its weights and answers are those of `keras.layers.BatchNormalization`, `ReLU` and
    `MaxPooling2D`; in training on a CPU it takes a fifth of their time on large maps.

    With lengths, frames past the end of a clip are left out of the batch's statistics and of
    each maximum, and a window of nothing else gives 0. No Keras mask is attached.

    Call arguments:
        inputs: Features `(batch, time, bands, channels)`, or a list of these and lengths
            `(batch,)` int32, in frames. A length below 1 counts as 1.
        training: Whether to normalise by the batch's statistics and update the averages.

    Returns:
        `(batch, time // pool, bands // pool, channels)`. The gradient of a maximum goes to
        the first of a window's greatest values, row by row. Where gamma is exactly 0, those
        are the greatest inputs; after it, all would be equal.

    Args:
        pool: Side of a pooling window, the same over time and bands.
        momentum: Momentum of the moving averages.
        epsilon: Added to the variance.
    """

    takes: ClassVar[dict[str, Axes]] = {
        "features": ("batch", "time", "bands", "channels"),
        "lengths": A_CLIP,
    }

    def __init__(self, pool: int, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool = pool
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        channels = self.first_shape(input_shape)[-1]

        def weight(name: str, initial: str, trainable: bool) -> Any:
            return self.add_weight(
                shape=(channels,), initializer=initial, name=name, trainable=trainable, autocast=False
            )

        self.gamma = weight("gamma", "ones", True)
        self.beta = weight("beta", "zeros", True)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        given = self.named(inputs)
        x = ops.cast(given["features"], "float32")  # half precision holds neither the sums nor their squares
        valid = frames_within(given["lengths"], ops.shape(x)[1]) if "lengths" in given else None
        if not (training and self.trainable):
            y = self._normalise(x, valid, self.moving_mean, self.moving_variance)
            return ops.cast(y, self.compute_dtype)
        y, mean, variance = self._train(x, valid)
        for average, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + now * (1.0 - self.momentum))
        return ops.cast(y, self.compute_dtype)

    def _train(self, x: Any, valid: Any) -> tuple[Any, Any, Any]:
        """Output, mean and variance."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            if not tf.config.list_logical_devices("GPU"):
                from keras_mir.layers.network._norm_relu_pool import norm_relu_pool

                gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
                results: tuple[Any, Any, Any] = norm_relu_pool(x, gamma, beta, valid, self.pool, self.epsilon)
                return results
        mean, variance = _moments(x, valid)
        return self._normalise(x, valid, mean, variance), mean, variance

    def _normalise(self, x: Any, valid: Any, mean: Any, variance: Any) -> Any:
        y = ops.batch_normalization(
            x, mean, variance, axis=-1, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        y = ops.relu(y)
        if valid is not None:
            # Zero is the least a ReLU gives, so padding never wins the maximum of a window.
            y = ops.where(align(valid, y), y, ops.zeros_like(y))
        return ops.max_pool(y, self.pool, self.pool, padding="valid", data_format="channels_last")

    def _shapes(self, batch: Size, time: Size, bands: Size, channels: Size) -> Shape:
        return (batch, time and time // self.pool, bands and bands // self.pool, channels)


def _moments(x: Any, valid: Any) -> tuple[Any, Any]:
    """Mean and variance `(channels,)` over the valid frames."""
    if valid is None:
        mean, variance = ops.moments(x, axes=[0, 1, 2])
        return mean, variance
    kept = align(valid, x)
    count = ops.cast(ops.sum(ops.cast(valid, "int32")) * ops.shape(x)[2], "float32")
    mean = ops.sum(ops.where(kept, x, ops.zeros_like(x)), axis=[0, 1, 2]) / count
    difference = ops.where(kept, x - mean, ops.zeros_like(x))
    return mean, ops.sum(ops.square(difference), axis=[0, 1, 2]) / count


@keras.saving.register_keras_serializable("keras_mir")
class InputPooling(BaseLayer):
    """Means over windows of frames and of neighbouring bands, where bands are an axis of frequency.

    Call arguments:
        inputs: Features `(batch, time, bands)`, or a list of these and lengths `(batch,)` int32, in
            frames; what lies past them counts as 0.

    Returns:
        `(batch, ceil(time / frames), first // bands + bands after the first)`.

    Args:
        frames: Number of frames in a window.
        bands: Number of bands in a window.
        first: How many bands, from the first on, are averaged by `bands`; the others are left apart.

    Raises:
        ValueError: If a window has no size, or does not fill the first bands without a remainder.
    """

    takes: ClassVar[dict[str, Axes]] = {"features": ("batch", "time", "bands"), "lengths": A_CLIP}

    def __init__(self, frames: int, bands: int, first: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if frames < 1 or bands < 1:
            raise ValueError(f"frames {frames}, bands {bands}: give 1 or more")
        if first % bands:
            raise ValueError(f"first {first}: give a multiple of {bands} bands")
        self.frames = frames
        self.bands = bands
        self.first = first

    def call(self, inputs: Any) -> Any:
        given = self.named(inputs)
        x, lengths = given["features"], given.get("lengths")
        x = pad_time(x if lengths is None else zero_past_length(x, lengths), self.frames)
        time, count = ops.shape(x)[1] // self.frames, x.shape[-1]
        windows = ops.reshape(x, (-1, time, self.frames, count))
        means = ops.mean(ops.cast(windows, "float32"), axis=2)  # a sum can leave the range of float16
        neighbours = ops.reshape(means[..., : self.first], (-1, time, self.first // self.bands, self.bands))
        pooled = ops.concatenate([ops.mean(neighbours, axis=-1), means[..., self.first :]], axis=-1)
        return ops.cast(pooled, self.compute_dtype)

    def _shapes(self, batch: Size, time: Size, bands: int) -> Shape:
        return (batch, time and -(-time // self.frames), self.first // self.bands + bands - self.first)


@keras.saving.register_keras_serializable("keras_mir")
class AttentionPooling(BaseLayer):
    """Mean over the valid frames of each clip, with weights that are learnt.

    The weights of a clip's frames are the softmax over time of `score . tanh(x @ kernel + bias)`: the
    attention of M. Ilse, J. Tomczak and M. Welling, "Attention-based Deep Multiple Instance Learning"
    (ICML 2018). Scores start at 0, which makes it the mean.

    Call arguments:
        inputs: A list of features `(batch, time, size)` and lengths `(batch,)` int32, in frames, below 1
            counting as 1; or the features alone, and every frame is valid.

    Returns:
        `(batch, size)`.

    Args:
        units: Width of the hidden layer that scores the frames.

    Raises:
        ValueError: If there are none.
    """

    takes: ClassVar[dict[str, Axes]] = {"features": ("batch", "time", "size"), "lengths": A_CLIP}

    def __init__(self, units: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units {units}: give 1 or more")
        self.units = units

    def build(self, input_shape: Any) -> None:
        size = self.first_shape(input_shape)[-1]

        def weight(name: str, initial: str, *shape: Size) -> Any:
            return self.add_weight(shape=shape, initializer=initial, name=name, autocast=False)

        self.kernel = weight("kernel", "glorot_uniform", size, self.units)
        self.bias = weight("bias", "zeros", self.units)
        self.score = weight("score", "zeros", self.units)

    def call(self, inputs: Any) -> Any:
        given = self.named(inputs)
        x, lengths = given["features"], given.get("lengths")
        x = ops.cast(x, "float32")  # a sum over a clip can leave the range of float16
        x = x if lengths is None else zero_past_length(x, lengths)
        scores = ops.matmul(ops.tanh(ops.matmul(x, self.kernel) + self.bias), self.score)  # (batch, time)
        if lengths is not None:
            scores = ops.where(frames_within(lengths, ops.shape(x)[1]), scores, _LOWEST)
        # Keras's softmax warns of an axis of one frame, which a clip may well have.
        weights = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
        weights = ops.expand_dims(weights / ops.sum(weights, axis=1, keepdims=True), -1)
        return ops.cast(ops.sum(weights * x, axis=1), self.compute_dtype)

    def _shapes(self, batch: Size, _: Size, size: Size) -> Shape:
        return (batch, size)


_STATISTICS = ("mean", "max", "std", "attention")


@keras.saving.register_keras_serializable("keras_mir")
class TimePooling(BaseLayer):
    """Statistics over the valid frames of each clip: mean, maximum, standard deviation, weighted mean.

    Call arguments:
        inputs: A list of features `(batch, time, bands, channels)` and lengths `(batch,)`
            int32, in frames, below 1 counting as 1; or the features alone, and every frame
            is valid.

    Returns:
        A tensor `(batch, len(statistics) * bands * channels)`, all of the first statistic, then the next.

    Args:
        statistics: Some of `mean`, `max`, `std` and `attention`, which is `AttentionPooling`, in order.
        epsilon: Added to the variance: the root has no slope at 0, where a band that never changes is.

    Raises:
        ValueError: If there is none, or one that is none of these, or epsilon is below 0.
    """

    takes: ClassVar[dict[str, Axes]] = {
        "features": ("batch", "time", "bands", "channels"),
        "lengths": A_CLIP,
    }

    def __init__(
        self, statistics: Sequence[str] = ("mean", "max"), epsilon: float = 1e-4, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not statistics or not set(statistics) <= set(_STATISTICS):
            raise ValueError(f"statistics {statistics!r}: give some of {', '.join(_STATISTICS)}")
        if not epsilon >= 0:
            raise ValueError(f"epsilon {epsilon}: give 0 or more")
        self.statistics = tuple(statistics)
        self.epsilon = epsilon
        self.attention: Any = AttentionPooling(name="attention") if "attention" in statistics else None

    def build(self, input_shape: Any) -> None:
        if self.attention:
            shape: Any = self.first_shape(input_shape)
            self.attention.build((*shape[:2], shape[2] * shape[3]))

    def call(self, inputs: Any) -> Any:
        given = self.named(inputs)
        x, lengths = given["features"], given.get("lengths")
        _, time, bands, channels = ops.shape(x)
        x = ops.reshape(x, (-1, time, bands * channels))  # (batch, time, bands * channels)
        total = ops.cast(x, "float32")  # a sum over a clip can leave the range of float16
        valid = None if lengths is None else ops.expand_dims(frames_within(lengths, time), -1)
        found = [
            self.attention([total, lengths]) if name == "attention" else self._statistic(name, total, valid)
            for name in self.statistics
        ]
        found = [ops.cast(each, x.dtype) for each in found]
        return found[0] if len(found) == 1 else ops.concatenate(found, axis=-1)

    def _statistic(self, name: str, x: Any, valid: Any) -> Any:
        """`(batch, size)` of `(batch, time, size)` float32, where `valid` `(batch, time, 1)` holds."""
        if name == "max":
            # A finite number: converters to other formats multiply by the mask, and 0 times infinity is NaN.
            return ops.max(x if valid is None else ops.where(valid, x, _LOWEST), axis=1)
        if name == "mean":
            if valid is None:
                return ops.mean(x, axis=1)
            return ops.sum(ops.where(valid, x, 0.0), axis=1) / ops.sum(ops.cast(valid, "float32"), axis=1)
        mean = ops.expand_dims(self._statistic("mean", x, valid), 1)
        return ops.sqrt(self._statistic("mean", ops.square(x - mean), valid) + self.epsilon)

    def _shapes(self, batch: Size, _: Size, bands: int, channels: int) -> Shape:
        return (batch, len(self.statistics) * bands * channels)
