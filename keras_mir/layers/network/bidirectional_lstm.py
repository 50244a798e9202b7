"""A bidirectional LSTM that is fast without a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import keras
import tensorflow as tf

from keras_mir.layers.network._packed_lstm import Packing, packed_lstm


@keras.saving.register_keras_serializable("keras_mir")
class BidirectionalLSTM(keras.layers.Bidirectional):
    """`Bidirectional(LSTM(units))` of Keras, computed another way where there is no GPU.

    It has the weights of the Keras layer, in its order, and gives its numbers, so that either
    takes what `get_weights` gives of the other. On a GPU it is the Keras layer, and runs in cuDNN.
    Elsewhere frames that are masked cost nothing, only what must wait for the step before is inside
    the loop, and half precision is computed in float32, which a CPU is faster at.

    A masked frame leaves the state as it is, in both directions. Its own output is zero, as Keras
    documents and cuDNN has it; Keras's loop on a CPU repeats the output before it.

    Call arguments:
        sequences: `(batch, time, bands)`.
        mask: `(batch, time)` bool, false for frames to pass over; without, all frames count.
        training: Whether a gradient will be asked for; one that comes unannounced is slower.

    Returns:
        `(batch, time, 2 * units)`, forward then backward, and the mask passes on; or
        `(batch, 2 * units)`, where each direction ends.

    Args:
        units: Number of units in each direction.
        return_sequences: Give the output of every frame, not the last of each direction.
        kernel_regularizer: Regularizer of both input kernels, as for `keras.layers.LSTM`.
        recurrent_regularizer: Regularizer of both recurrent kernels.
        use_cudnn: False is for export: the Keras layer in operations that run and convert anywhere.
    """

    def __init__(
        self,
        units: int,
        return_sequences: bool = False,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        use_cudnn: Literal["auto", False] = "auto",
        **kwargs: Any,
    ) -> None:
        layer = keras.layers.LSTM(
            units,
            return_sequences=return_sequences,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            use_cudnn=use_cudnn,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm",
        )
        super().__init__(layer, **kwargs)
        # While Keras loads a model it knows layers by their addresses in memory: another layer at that of
        # this one, were it gone, would be taken for the same. Not an attribute that Keras would track.
        self._made_of = SimpleNamespace(layer=layer)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.use_cudnn = use_cudnn
        self.supports_jit = False

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        if initial_state is not None or self._left_to_keras():
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        x = tf.cast(sequences, keras.backend.result_type(self.compute_dtype, "float32"))
        packing = Packing.of(tf.ones(tf.shape(x)[:2], tf.bool) if mask is None else tf.cast(mask, tf.bool))
        frames = packing.pack(x)  # (frames, bands)
        directions = []
        for layer in (self.forward_layer, self.backward_layer):
            weights = (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
            cast = [tf.cast(weight, x.dtype) for weight in weights]
            backwards, kept = layer.go_backwards, bool(training)
            directions.append(packed_lstm(frames, packing.sizes, *cast, backwards=backwards, training=kept))
        ahead, back = directions  # (frames, units)
        if self.return_sequences:
            outputs = packing.unpack(tf.concat([ahead, back], axis=1))
        else:
            ends = packing.one_each(ahead, packing.last), packing.one_each(back, packing.first)
            outputs = tf.concat(ends, axis=1)
        return tf.cast(outputs, self.compute_dtype)

    def _left_to_keras(self) -> bool:
        other_backend = keras.backend.backend() != "tensorflow"
        return other_backend or self.use_cudnn is False or bool(tf.config.list_logical_devices("GPU"))

    def get_config(self) -> dict[str, Any]:
        return {
            **keras.layers.Layer.get_config(self),
            "units": self.units,
            "return_sequences": self.return_sequences,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(self.recurrent_regularizer),
            "use_cudnn": self.use_cudnn,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BidirectionalLSTM:
        return cls(**config)
