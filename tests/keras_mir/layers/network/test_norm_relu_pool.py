"""NormReluPool does what batch normalisation, ReLU and pooling do one by one, and so do its gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.export.graph import check_graph
from keras_mir.layers import NormReluPool, ZeroPastLength
from keras_mir.layers.network import _norm_relu_pool
from keras_mir.models.session import ServedModel

SETTINGS = {"momentum": 0.8, "epsilon": 1e-5}
LENGTHS = np.array([21, 9, 1], np.int32)


@pytest.fixture(params=["compiled", "plain"])
def way(request, monkeypatch):
    """Both ways of going over a map, whatever its size."""
    monkeypatch.setattr(_norm_relu_pool, "LEAST_COMPILED", 0 if request.param == "compiled" else 2**31 - 1)
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def map_of(rng, shape=(3, 21, 10, 4)):
    return rng.normal(0.5, 2.0, shape).astype(np.float32)


def weights(rng, channels=4):
    """Gamma of both signs, beta, and averages."""
    gamma = rng.uniform(0.5, 1.5, channels) * np.where(np.arange(channels) % 2, -1, 1)
    return [gamma, rng.normal(size=channels), rng.normal(size=channels), rng.uniform(0.5, 2, channels)]


def one_by_one(pool, values, lengths=None):
    """Keras's layers with these weights: a function of the map, and their batch normalisation."""
    norm = keras.layers.BatchNormalization(**SETTINGS)

    def call(x, training=True):
        mask = None
        if lengths is not None:
            # Keras counts true entries for its denominator, so they must not be left to broadcasting.
            mask = np.broadcast_to((np.arange(21) < lengths[:, None])[..., None], (3, 21, 10))
        y = norm(x, training=training, mask=mask)
        y = keras.layers.ReLU()(y)
        y = y if lengths is None else ZeroPastLength()([y, lengths])
        return keras.layers.MaxPooling2D(pool)(y)

    call(np.zeros((3, 21, 10, 4), np.float32), training=False)
    norm.set_weights(values)
    return call, norm


def at_once(pool, values, lengths=None):
    layer = NormReluPool(pool, **SETTINGS)
    layer.build((None, None, None, 4))
    layer.set_weights(values)
    return (lambda x, training=True: layer(x if lengths is None else [x, lengths], training=training)), layer


@tf.function(autograph=False)
def differentiate(call, layer, x, direction):
    """Output, and gradients of its product with a direction: of the map, gamma and beta."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(x)
        product = tf.reduce_sum(y * direction)
    return y, tape.gradient(product, [x, *(weight.value for weight in layer.trainable_variables)])


def both(pool, rng, x, lengths=None):
    values = weights(rng)
    direction = rng.normal(size=(3, 21 // pool, 10 // pool, 4)).astype(np.float32)
    ours, layer = at_once(pool, values, lengths)
    theirs, norm = one_by_one(pool, values, lengths)
    found = differentiate(ours, layer, tf.constant(x), direction)
    expected = differentiate(theirs, norm, tf.constant(x), direction)
    for now, then in zip(layer.get_weights()[2:], norm.get_weights()[2:], strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-5, atol=1e-6)
    return found, expected


def assert_same(found, expected):
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)
    for now, then in zip(found[1], expected[1], strict=True):
        assert np.linalg.norm(now - then) < 2e-5 * np.linalg.norm(then)


# Of 21 frames and 10 bands, these windows leave some over; they count in the statistics.
@pytest.mark.parametrize(("pool", "lengths"), [(2, None), (3, LENGTHS)], ids=["all frames", "lengths"])
def test_training_is_that_of_the_layers_one_by_one(way, rng, pool, lengths):
    assert_same(*both(pool, rng, map_of(rng), lengths))


def test_blocks_follow_each_other_where_time_is_open(way, rng):
    first, second = (NormReluPool(2, **SETTINGS) for _ in range(2))
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, 10, 4]), tf.TensorSpec([None], tf.int32)])
    def in_graph(x, lengths):
        y = first([x, lengths], training=True)
        z = second([y, lengths // 2], training=True)
        shapes[:] = y.shape, z.shape
        return z

    z = in_graph(map_of(rng), LENGTHS)
    assert [tuple(shape) for shape in shapes] == [(None, None, 5, 4), (None, None, 2, 4)]
    assert z.shape == (3, 5, 2, 4)


def test_of_equal_values_the_first_has_the_gradient(way, rng):
    x = rng.integers(-2, 3, (3, 21, 10, 4)).astype(np.float32)  # most windows have their greatest value twice
    assert_same(*both(2, rng, x))


def test_variance_survives_a_mean_far_from_zero(way, rng):
    x = map_of(rng) + np.float32(1e3)
    (_, (dx, *_)), (_, (expected, *_)) = both(2, rng, x)
    np.testing.assert_allclose(dx, expected, rtol=1e-2, atol=1e-3)


def test_what_padding_holds_does_not_matter_in_training(way, rng):
    x = map_of(rng)
    padded = x.copy()
    padded[1, 9:] = np.nan
    padded[2, 1:] = 1e6
    values, direction = weights(rng), np.ones((3, 10, 5, 4), np.float32)
    answers = []
    for given in (x, padded):
        call, layer = at_once(2, values, LENGTHS)
        answers.append(differentiate(call, layer, tf.constant(given), direction))
    for first, second in zip(tf.nest.flatten(answers[0]), tf.nest.flatten(answers[1]), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert not np.any(answers[1][1][0][1, 9:])
    assert not np.any(answers[1][0][1, 5:])  # windows past the end


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["all frames", "lengths"])
def test_inference_is_that_of_the_layers_one_by_one(rng, lengths):
    values, x = weights(rng), map_of(rng)
    for pool in (2, 3):
        ours, layer = at_once(pool, values, lengths)
        theirs, norm = one_by_one(pool, values, lengths)
        np.testing.assert_array_equal(ours(x, training=False), theirs(x, training=False))
        norm.set_weights(layer.get_weights())  # they fit both ways


def test_frozen_it_uses_its_averages(rng):
    call, layer = at_once(2, weights(rng))
    layer.trainable = False
    x = map_of(rng)
    np.testing.assert_array_equal(call(x, training=True), call(x, training=False))


def test_half_precision_has_statistics_in_single(rng):
    x = (map_of(rng) * 1e3).astype(np.float16)  # squares beyond float16's range
    layer = NormReluPool(2, dtype="mixed_float16", momentum=0.0)
    outputs = layer(x, training=True)
    assert outputs.dtype == tf.float16
    variance = x.astype(np.float32).var((0, 1, 2))
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-3)


def test_a_trained_model_is_exported_without_xla(way, rng, tmp_path):
    features, lengths = (
        keras.Input((21, 10, 4), name="features"),
        keras.Input((), dtype="int32", name="lengths"),
    )
    pooled = NormReluPool(2, name="pooled")([features, lengths])
    model = keras.Model(
        {"features": features, "lengths": lengths}, keras.layers.Dense(1)(keras.layers.Flatten()(pooled))
    )
    model.compile("sgd", "mse", jit_compile=False)
    inputs = {"features": map_of(rng), "lengths": LENGTHS}
    model.fit(inputs, np.ones((3, 1)), epochs=2, batch_size=2, verbose=0)  # a last batch of one
    assert np.abs(model.get_layer("pooled").moving_mean).max() > 0
    path = tmp_path / "model" / "1"
    model.export(path, verbose=False)
    check_graph(path)
    with ServedModel(path) as served:
        (answer,) = served.run("serving_default", inputs).values()
    np.testing.assert_allclose(answer, model.predict(inputs, verbose=0), rtol=1e-5)
