"""Keras's bidirectional LSTM and ours: the same weights, numbers and gradients."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.layers import BidirectionalLSTM, LengthMask

BATCH, TIME, BANDS, UNITS = 4, 9, 5, 3
GAPS = np.array([[0, 1, 1, 0, 0, 1, 0, 1, 0], [1] * 9, [0] * 8 + [1], [1, 0] * 4 + [0]], bool)
MASKS = {
    "no mask": None,
    "all frames": np.ones((BATCH, TIME), bool),
    "ragged": np.arange(TIME) < np.array([[4], [9], [1], [6]]),
    "all shorter than the batch": np.arange(TIME) < np.array([[3], [2], [1], [1]]),
    "gaps": GAPS,
    "a clip without frames": np.arange(TIME) < np.array([[0], [3], [0], [2]]),
    "no frames at all": np.zeros((BATCH, TIME), bool),
}


def pair(**arguments):
    """Our layer and Keras's, with the same random weights."""
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, **arguments))
    ours = BidirectionalLSTM(UNITS, **arguments)
    for layer in (ours, theirs):
        layer.build((None, None, BANDS))
    rng = np.random.default_rng(0)
    theirs.set_weights([rng.normal(size=weight.shape) for weight in theirs.weights])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def batch():
    return np.random.default_rng(1).normal(size=(BATCH, TIME, BANDS)).astype(np.float32)


def outputs_and_gradients(layer, x, mask, upstream, training):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, mask=mask, training=training)
        loss = tf.reduce_sum(outputs * upstream)
    return outputs, tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])


def assert_close(actual, expected):
    """To a relative error of 1e-5, where sums may have lost what is small beside the largest."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_outputs_and_gradients_are_those_of_keras(mask, return_sequences, training):
    ours, theirs = pair(return_sequences=return_sequences)
    mask = MASKS[mask]
    x = batch()
    shape = (BATCH, TIME, 2 * UNITS) if return_sequences else (BATCH, 2 * UNITS)
    upstream = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    valid = np.ones(1, np.float32)
    if return_sequences and mask is not None:
        # Keras repeats an output where a frame is masked, and says that it is zero.
        valid = mask[:, :, None].astype(np.float32)
    outputs, gradients = outputs_and_gradients(ours, x, mask, upstream * valid, training)
    expected, expected_gradients = outputs_and_gradients(theirs, x, mask, upstream * valid, training)
    np.testing.assert_array_equal(outputs, outputs * valid)
    assert_close(outputs, expected * valid)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        assert_close(gradient, expected_gradient)


def test_graph_of_open_shape_computes_the_same():
    ours, theirs = pair(return_sequences=True)
    traced = 0

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, BANDS]), tf.TensorSpec([None, None], tf.bool)],
        autograph=False,
    )
    def in_graph(x, mask):
        nonlocal traced
        traced += 1
        return outputs_and_gradients(ours, x, mask, 1.0, training=True)

    for rows, frames in ((4, 9), (2, 7), (1, 1)):
        x, mask = batch()[:rows, :frames], np.ones((rows, frames), bool)
        outputs, gradients = in_graph(x, mask)
        expected, expected_gradients = outputs_and_gradients(theirs, x, mask, 1.0, training=True)
        assert_close(outputs, expected)
        for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
            assert_close(gradient, expected_gradient)
    assert traced == 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains_on_float32_weights(policy):
    exact, _ = pair(return_sequences=True)
    half = BidirectionalLSTM(UNITS, return_sequences=True, dtype=policy)
    half.build((None, None, BANDS))
    half.set_weights(exact.get_weights())
    outputs, gradients = outputs_and_gradients(half, batch(), MASKS["ragged"], 1.0, training=True)
    _, expected = outputs_and_gradients(exact, batch(), MASKS["ragged"], 1.0, training=True)
    assert outputs.dtype == half.compute_dtype
    for gradient, exact_gradient in zip(gradients, expected, strict=True):
        assert gradient.dtype == tf.float32
        scale = np.abs(exact_gradient).max()
        np.testing.assert_allclose(gradient, exact_gradient, atol=0.05 * scale)


def stacked(layers):
    features, lengths = keras.Input((None, BANDS)), keras.Input((), dtype="int32")
    x = LengthMask()([features, lengths])
    for layer in layers:
        x = layer(x)
    return keras.Model([features, lengths], x)


def test_weights_of_a_model_go_both_ways(tmp_path):
    names = ("first", "second")
    theirs = stacked(
        [
            keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=name == "first"), name=name)
            for name in names
        ]
    )
    ours = stacked([BidirectionalLSTM(UNITS, return_sequences=name == "first", name=name) for name in names])
    inputs = [batch(), np.array([9, 4, 1, 6], np.int32)]
    expected = theirs(inputs)
    ours.set_weights(theirs.get_weights())
    assert_close(ours(inputs), expected)

    theirs.set_weights([np.zeros_like(weight) for weight in theirs.get_weights()])
    theirs.set_weights(ours.get_weights())
    assert_close(theirs(inputs), expected)

    ours.save(tmp_path / "ours.keras")
    assert_close(keras.models.load_model(tmp_path / "ours.keras")(inputs), expected)


def test_same_seed_same_weights_as_keras():
    weights = []
    for make in (
        lambda: BidirectionalLSTM(UNITS),
        lambda: keras.layers.Bidirectional(keras.layers.LSTM(UNITS)),
    ):
        keras.utils.set_random_seed(5)
        layer = make()
        layer.build((None, None, BANDS))
        weights.append(layer.get_weights())
    for mine, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_penalties_are_those_of_keras_and_are_saved():
    penalties = {"kernel_regularizer": keras.regularizers.L2(0.1), "recurrent_regularizer": "l1"}
    ours, theirs = pair(**penalties)
    assert float(sum(ours.losses)) == pytest.approx(float(sum(theirs.losses)))
    again = keras.layers.deserialize(keras.layers.serialize(ours))
    again.build((None, None, BANDS))
    again.set_weights(ours.get_weights())
    assert float(sum(again.losses)) == pytest.approx(float(sum(theirs.losses)))


def test_a_gpu_and_exports_are_left_to_keras(monkeypatch):
    by_keras = []
    monkeypatch.setattr(
        keras.layers.Bidirectional,
        "call",
        lambda self, sequences, **_: by_keras.append(self.name) or sequences[:, 0],
    )
    BidirectionalLSTM(UNITS, name="training")(batch())
    BidirectionalLSTM(UNITS, use_cudnn=False, name="export")(batch())
    assert set(by_keras) == {"export"}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["GPU:0"] if kind == "GPU" else [])
    BidirectionalLSTM(UNITS, name="training_on_a_gpu")(batch())
    assert set(by_keras) == {"export", "training_on_a_gpu"}


def test_an_initial_state_is_taken_as_keras_takes_it():
    ours, theirs = pair()
    states = [
        tf.constant(state) for state in np.random.default_rng(3).normal(size=(4, BATCH, UNITS)).astype("f4")
    ]
    assert_close(ours(batch(), initial_state=states), theirs(batch(), initial_state=states))


def test_what_it_is_made_of_lives_as_long_as_it(monkeypatch):
    """While Keras loads a model, an address that is used again makes two layers one."""
    lstm, made = keras.layers.LSTM, []

    def recorded(*arguments, **options):
        layer = lstm(*arguments, **options)
        made.append(weakref.ref(layer))
        return layer

    monkeypatch.setattr(keras.layers, "LSTM", recorded)
    layer = BidirectionalLSTM(UNITS)
    gc.collect()
    assert len(made) == 1
    assert made[0]() is not None
    assert all(part is not made[0]() for part in layer._flatten_layers())
