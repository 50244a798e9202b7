"""A trained model built anew for where it will run."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers import BidirectionalLSTM


def for_serving(model: keras.Model) -> keras.Model:
    """The same model in float32 and without cuDNN, as TF Serving's CPU binary can run it."""
    return _rebuilt(model, {})


def for_converting(model: keras.Model) -> keras.Model:
    """The same model in float32, of operations that other runtimes have."""
    return _rebuilt(model, {BidirectionalLSTM: LoopedLSTM})


def _rebuilt(model: keras.Model, instead: dict[type, Any]) -> keras.Model:
    def again(layer: Any) -> Any:
        config = layer.get_config()
        # Between layers of different precision Keras has cast operations, which are no layers.
        dtype = layer.compute_dtype if isinstance(layer, keras.layers.Layer) else config.get("dtype")
        if dtype in ("float16", "bfloat16"):
            config["dtype"] = "float32"
        if isinstance(layer, BidirectionalLSTM):
            config["use_cudnn"] = False
        return instead.get(type(layer), type(layer)).from_config(config)

    rebuilt = keras.models.clone_model(model, clone_function=again, recursive=True)
    rebuilt.set_weights(model.get_weights())
    return rebuilt


class LoopedLSTM(BidirectionalLSTM):
    """`BidirectionalLSTM` with its weights and numbers, as one loop over plain tensors, to convert.

    Keras's loop collects its outputs in a list of tensors, which LiteRT lacks unless the batch has a
    fixed size; here they are one tensor that grows. For inference alone, and never saved.
    """

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Any:
        ends = (
            _direction(layer, sequences, mask, self.return_sequences)
            for layer in (self.forward_layer, self.backward_layer)
        )
        return tf.concat(list(ends), axis=-1)


def _direction(layer: Any, x: tf.Tensor, mask: tf.Tensor | None, return_sequences: bool) -> tf.Tensor:
    """`(batch, time, units)`, or `(batch, units)` where it ends."""
    cell, units = layer.cell, layer.units
    kernel, recurrent_kernel, bias = (
        tf.convert_to_tensor(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)
    )
    steps, batch = tf.shape(x)[1], tf.shape(x)[0]
    projected = tf.transpose(tf.matmul(x, kernel) + bias, (1, 0, 2))  # (time, batch, 4 * units)
    music = None if mask is None else tf.expand_dims(tf.transpose(mask), -1)  # (time, batch, 1)

    def step(count: tf.Tensor, output: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        at = steps - 1 - count if layer.go_backwards else count
        gates = tf.gather(projected, at) + tf.matmul(output, recurrent_kernel)
        into, keep, new, out = tf.split(gates, 4, axis=-1)
        next_state = tf.sigmoid(keep) * state + tf.sigmoid(into) * tf.tanh(new)
        next_output = tf.sigmoid(out) * tf.tanh(next_state)
        if music is not None:
            is_music = tf.gather(music, at)
            next_output = tf.where(is_music, next_output, output)
            next_state = tf.where(is_music, next_state, state)
        return count + 1, next_output, next_state

    def step_and_keep(
        count: tf.Tensor, output: tf.Tensor, state: tf.Tensor, kept: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        after, output, state = step(count, output, state)
        latest = tf.expand_dims(output, 0)
        in_order = [latest, kept] if layer.go_backwards else [kept, latest]
        return after, output, state, tf.concat(in_order, axis=0)

    zeros = tf.zeros(tf.stack([batch, units]))
    start = [tf.constant(0), zeros, zeros]
    shapes = [tf.TensorShape([]), tf.TensorShape([None, units]), tf.TensorShape([None, units])]
    if not return_sequences:
        return tf.while_loop(lambda count, *_: count < steps, step, start, shape_invariants=shapes)[1]
    # It starts with a row that is cut off again: LiteRT's loops cannot start with an empty tensor.
    start.append(tf.expand_dims(zeros, 0))
    shapes.append(tf.TensorShape([None, None, units]))
    kept = tf.while_loop(lambda count, *_: count < steps, step_and_keep, start, shape_invariants=shapes)[3]
    return tf.transpose(kept[:-1] if layer.go_backwards else kept[1:], (1, 0, 2))
