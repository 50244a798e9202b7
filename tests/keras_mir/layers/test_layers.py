"""What each layer computes."""

import keras
import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge

from keras_mir.layers import (
    AttentionPooling,
    InputPooling,
    KernelRidge,
    LengthMask,
    NormReluPool,
    PadTime,
    PooledLengths,
    ResumableDropout,
    Temperature,
    TimePooling,
    ZeroPastLength,
)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_mask_is_from_lengths_alone(rng):
    features = rng.normal(size=(4, 5, 3)).astype(np.float32)
    features[0, 2] = 0.0  # a silent frame inside a clip is not padding
    outputs = LengthMask()([features, np.array([5, 2, 0, -3], np.int32)])
    np.testing.assert_array_equal(outputs, features)
    expected = [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
    np.testing.assert_array_equal(outputs._keras_mask, np.array(expected, bool))


def test_mask_leaves_the_callers_tensor_alone(rng):
    features = keras.ops.convert_to_tensor(rng.normal(size=(1, 5, 3)))
    LengthMask()([features, np.array([2], np.int32)])
    assert getattr(features, "_keras_mask", None) is None


def test_a_mask_saved_with_the_argument_it_had_still_loads():
    layer = LengthMask(name="ends")
    saved = keras.layers.serialize(layer)
    saved["config"]["zero_padding"] = False
    assert keras.layers.deserialize(saved).get_config() == layer.get_config()


def test_padding_is_zeroed_even_where_it_is_not_a_number():
    features = np.full((2, 3, 2), np.nan, np.float32)
    features[0, :2] = 1.0
    features[1, :1] = 2.0
    outputs = np.asarray(ZeroPastLength()([features, np.array([2, 1], np.int32)]))
    np.testing.assert_array_equal(outputs[:, :, 0], [[1, 1, 0], [2, 0, 0]])


@pytest.mark.parametrize(("time", "padded"), [(1, 4), (4, 4), (5, 8)])
def test_pad_time(time, padded):
    outputs = np.asarray(PadTime(4)(np.ones((2, time, 3), np.float32)))
    assert outputs.shape == (2, padded, 3)
    assert outputs[:, :time].all()
    assert not outputs[:, time:].any()


def test_pooled_lengths_count_a_window_begun():
    np.testing.assert_array_equal(PooledLengths(4)(np.array([0, 1, 4, 5, 8], np.int32)), [1, 1, 1, 2, 2])


def test_input_pooling_averages_frames_and_bands_of_mel_and_leaves_chroma_apart(rng):
    x = rng.normal(size=(2, 5, 6)).astype(np.float32)
    padded = np.concatenate([x, np.zeros((2, 1, 6), np.float32)], axis=1)
    padded[1, 3:] = 0
    frames = padded.reshape(2, 3, 2, 6).mean(2)
    expected = np.concatenate([frames[..., :4].reshape(2, 3, 2, 2).mean(-1), frames[..., 4:]], axis=-1)
    made = InputPooling(2, 2, first=4)([x, np.array([5, 3], np.int32)])
    np.testing.assert_allclose(made, expected, rtol=1e-5)
    for settings in ((0, 1, 0), (1, 0, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match="give"):
            InputPooling(*settings)


def test_time_pooling_is_the_mean_and_maximum_of_the_clip(rng):
    x = rng.normal(size=(2, 7, 3, 2)).astype(np.float32) - 5  # all negative: padding would win the maximum
    x[1, 3:] = np.nan
    outputs = TimePooling()([x, np.array([7, 3], np.int32)])
    clips = [x[0].reshape(7, 6), x[1, :3].reshape(3, 6)]
    expected = [np.concatenate([clip.mean(0), clip.max(0)]) for clip in clips]
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)
    np.testing.assert_allclose(TimePooling()(x[:1]), expected[:1], rtol=1e-5)
    deviation = TimePooling(("std",))([x, np.array([7, 3], np.int32)])
    np.testing.assert_allclose(deviation, [np.sqrt(clip.var(0) + 1e-4) for clip in clips], rtol=1e-5)


@pytest.mark.parametrize("statistics", [(), ("mean", "median")])
def test_time_pooling_refuses_other_statistics(statistics):
    with pytest.raises(ValueError, match="give some of mean, max, std, attention"):
        TimePooling(statistics)


def test_attention_pooling_is_a_weighted_mean_of_the_clip(rng):
    x = rng.normal(size=(2, 7, 3)).astype(np.float32)
    x[1, 3:] = np.nan
    lengths, layer = np.array([7, 3], np.int32), AttentionPooling()
    clips = [x[0], x[1, :3]]
    np.testing.assert_allclose(layer([x, lengths]), [clip.mean(0) for clip in clips], rtol=1e-5)
    kernel, bias, score = (rng.normal(size=weight.shape) for weight in layer.weights)
    layer.set_weights([kernel, bias, score])
    expected = []
    for clip in clips:
        weights = np.exp(np.tanh(clip @ kernel + bias) @ score)
        expected.append(weights @ clip / weights.sum())
    np.testing.assert_allclose(layer([x, lengths]), expected, rtol=1e-4)
    pooling = TimePooling(("max", "attention"))
    pooling.build((2, 7, 3, 1))
    pooling.set_weights([kernel, bias, score])
    both = pooling([x[..., None], lengths])
    np.testing.assert_allclose(both, np.concatenate([[c.max(0) for c in clips], expected], 1), rtol=1e-4)
    with pytest.raises(ValueError, match="units 0"):
        AttentionPooling(0)


def test_attention_pooling_learns_which_frames_to_heed(rng):
    """The class is written in one frame of many, which is marked; in the mean it drowns."""
    classes = rng.integers(0, 2, 128)
    x = rng.normal(size=(128, 40, 3)).astype(np.float32)
    marked = rng.integers(0, 32, 128)
    x[..., 0] = 0
    x[np.arange(128), marked, :2] = np.stack([np.full(128, 3), 2 * classes - 1], axis=1)
    x[:, 32:] = np.nan
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((None, 3)), keras.Input((), dtype="int32")]
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(AttentionPooling(4)(inputs)))
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    lengths = np.full(128, 32, np.int32)
    model.fit([x, lengths], classes, epochs=15, verbose=0)
    assert model.evaluate([x, lengths], classes, verbose=0)[1] > 0.95


def test_batch_statistics_leave_padding_out(rng):
    x = rng.normal(3, 2, size=(2, 6, 4, 3)).astype(np.float32)
    x[1, 2:] = 1e3
    layer = NormReluPool(1, momentum=0.0)
    layer([x, np.array([6, 2], np.int32)], training=True)
    valid = np.concatenate([x[0], x[1, :2]]).reshape(-1, 3)
    np.testing.assert_allclose(layer.moving_mean, valid.mean(0), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, valid.var(0), rtol=1e-3)


def test_without_padding_it_is_plain_batch_normalisation(rng):
    x = rng.normal(3, 2, size=(2, 6, 4, 3)).astype(np.float32)
    masked, plain = NormReluPool(1), keras.layers.BatchNormalization()
    for training in (True, False):
        outputs = masked([x, np.array([6, 6], np.int32)], training=training)
        np.testing.assert_allclose(outputs, keras.ops.relu(plain(x, training=training)), atol=1e-4)


def test_dropout_continues_where_its_saved_weights_stopped(tmp_path):
    def build():
        inputs = keras.Input((50,))
        return keras.Model(inputs, ResumableDropout(0.5)(inputs))

    x = np.ones((1, 50), np.float32)
    model = build()
    model(x, training=True)
    model.save_weights(tmp_path / "run.weights.h5")
    uninterrupted = model(x, training=True)
    resumed = build()
    resumed.load_weights(tmp_path / "run.weights.h5")
    np.testing.assert_array_equal(resumed(x, training=True), uninterrupted)


def test_temperature_divides_logits_and_is_not_trained(rng):
    logits = rng.normal(size=(4, 3)).astype(np.float32)
    layer = Temperature()
    np.testing.assert_array_equal(layer(logits), keras.ops.softmax(logits))
    assert layer.trainable_weights == []
    layer.temperature.assign(2.5)
    np.testing.assert_allclose(layer(logits), keras.ops.softmax(logits / 2.5), rtol=1e-6)


def test_kernel_ridge_is_scikit_learns_and_is_not_trained(rng):
    points, values = rng.normal(size=(40, 12)), rng.normal(size=(40, 3))
    fitted = SklearnKernelRidge(kernel="rbf", gamma=0.05, alpha=0.5).fit(points, values)
    layer = KernelRidge(points=40, outputs=3, gamma=0.05)
    layer.build((None, 12))
    layer.set_weights([fitted.X_fit_, fitted.dual_coef_, np.array([0.0, 1.0, -2.0])])
    asked = rng.normal(size=(5, 2, 12))
    expected = fitted.predict(asked.reshape(10, 12)).reshape(5, 2, 3) + np.array([0.0, 1.0, -2.0])
    np.testing.assert_allclose(layer(asked), expected, atol=1e-5)
    far = np.full((1, 12), 1e4)
    np.testing.assert_allclose(layer(far), [[0.0, 1.0, -2.0]], atol=1e-6)
    assert layer.trainable_weights == []


@pytest.mark.parametrize("given", [{"points": 0}, {"points": 3, "outputs": 0}, {"points": 3, "gamma": 0.0}])
def test_kernel_ridge_of_nothing_is_refused(given):
    with pytest.raises(ValueError, match=r"^points \d, outputs \d, gamma \d\.0: give numbers above 0$"):
        KernelRidge(**given)


def test_the_deviation_without_epsilon_is_numpys(rng):
    x = rng.normal(size=(2, 9, 3, 1)).astype(np.float32)
    x[:, :, 0] = 4.0
    np.testing.assert_allclose(TimePooling(("std",), epsilon=0.0)(x), x[..., 0].std(axis=1), atol=1e-6)
    with pytest.raises(ValueError, match="epsilon -1: give 0 or more"):
        TimePooling(epsilon=-1)
