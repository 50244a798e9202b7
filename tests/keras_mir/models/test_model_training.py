"""How the models train: precision, seeds, losses and metrics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.models.heads import compile_arguments
from pipelines.errors import UserError

CLASSES = ("Blues", "Jazz", "Rock")
TARGETS = ("valence", "joyful_activation")


@pytest.mark.parametrize(
    ("kind", "classes", "targets"),
    [
        pytest.param("lstm", None, TARGETS, marks=pytest.mark.slow),
        pytest.param("cnn", None, TARGETS, marks=pytest.mark.slow),
        ("cnn-any-length", CLASSES, ()),
    ],
)
def test_trains_in_mixed_precision_with_float32_outputs(small, kind, classes, targets):
    keras.config.set_dtype_policy("mixed_float16")
    model = small.model(kind, classes, targets, layers=1, hidden=4)
    assert model.get_layer("embedding").compute_dtype == "float16"
    eager = kind != "cnn"  # building a graph takes long; one is enough
    model.compile("adam", run_eagerly=eager, jit_compile=False, **compile_arguments(classes, targets))
    labels = {target: np.linspace(0, 1, 4, dtype=np.float32) for target in targets}
    if classes:
        labels = {"genre": np.array([0, 2, 1, 1], np.int32)}
    before = model.get_weights()
    time = small.time if kind == "cnn" else 6
    # The loss scale starts high, and steps are skipped until it has come down.
    history = model.fit(small.batch([6, 4, 3, 1], time), labels, batch_size=4, epochs=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    output = small.answer(model, small.batch([6, 2], time))
    assert all(value.dtype == np.float32 for value in output.values())


def test_same_seed_same_weights_and_same_training(small):
    def trained():
        keras.utils.set_random_seed(11)
        model = small.model("lstm")
        model.compile("adam", run_eagerly=True, **compile_arguments(CLASSES, ()))
        model.fit(small.batch([4, 3, 2], time=4), {"genre": np.array([0, 1, 2])}, epochs=2, verbose=0)
        return model.get_weights()

    for first, second in zip(trained(), trained(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("targets", [("valence",), ("joyful_activation", "valence", "a.b-c")])
def test_affect_loss_is_the_weighted_sum_over_targets(small, targets):
    model = small.model("lstm", None, targets, l2=0.0)
    weights = {"valence": 3.0}
    model.compile("sgd", run_eagerly=True, **compile_arguments(None, targets, weights))
    inputs = small.batch([4, 2], time=4)
    labels = {target: np.full(2, index, np.float32) for index, target in enumerate(targets)}
    data = tf.data.Dataset.from_tensors((inputs, labels, np.ones(2, np.float32)))
    logs = model.evaluate(data, verbose=0, return_dict=True)
    output = small.answer(model, inputs)
    errors = {t: float(((output[t][:, 0] - labels[t]) ** 2).mean()) for t in targets}
    assert logs["loss"] == pytest.approx(sum(weights.get(t, 1) * errors[t] for t in targets), rel=1e-5)
    rmse = [logs[f"{t}_rmse"] for t in targets] if len(targets) > 1 else [logs["rmse"]]
    np.testing.assert_allclose(rmse, [errors[t] ** 0.5 for t in targets], rtol=1e-5)


def test_genre_loss_and_accuracy_with_sample_weights_and_soft_labels(small):
    model = small.model("lstm", l2=0.0)
    inputs = small.batch([4, 2], time=4)
    probabilities = small.answer(model, inputs)["genre"]
    labels, weights = np.array([2, 0], np.int32), np.array([1.0, 3.0], np.float32)
    expected = (weights * -np.log(probabilities[[0, 1], labels])).mean()
    model.compile("sgd", run_eagerly=True, **compile_arguments(CLASSES, ()))
    data = tf.data.Dataset.from_tensors((inputs, {"genre": labels}, weights))
    hard = model.evaluate(data, verbose=0, return_dict=True)
    model.compile("sgd", run_eagerly=True, **compile_arguments(CLASSES, (), soft_labels=True))
    data = tf.data.Dataset.from_tensors((inputs, {"genre": np.eye(3, dtype=np.float32)[labels]}, weights))
    soft = model.evaluate(data, verbose=0, return_dict=True)
    assert hard["loss"] == pytest.approx(expected, rel=1e-5)
    assert soft == pytest.approx(hard, rel=1e-5)
    assert hard["accuracy"] == np.mean(probabilities.argmax(axis=1) == labels)


@pytest.mark.parametrize("shares", [None, np.array([0.5, 0.25, 0.125], np.float32)])
def test_the_loss_of_tags_weighs_each_tags_clips_as_scikit_learn_does(shares):
    arguments = compile_arguments(None, (), tags=("a", "b", "c"), tag_shares=shares)
    true = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0.3, 0]], np.float32)
    said = np.linspace(0.1, 0.9, 12, dtype=np.float32).reshape(4, 3)
    losses = -(true * np.log(said) + (1 - true) * np.log(1 - said))
    weights = 1.0 if shares is None else true * 0.5 / shares + (1 - true) * 0.5 / (1 - shares)
    loss = arguments["loss"]["tags"](true, said)
    assert float(loss) == pytest.approx(float((weights * losses).mean()), rel=1e-5)
    area, _ = arguments["metrics"]["tags"]
    area.update_state(true, said)  # a mixed label is the nearer of 0 and 1
    whole = compile_arguments(None, (), tags=("a", "b", "c"))["metrics"]["tags"][0]
    whole.update_state((true >= 0.5).astype(np.float32), said)
    assert float(area.result()) == float(whole.result())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"power": 1.0}, "loss weight for 'power': no such output; the model has valence, joyful_activation"),
        ({"valence": -1.0}, "loss weight for 'valence' is -1.0"),
        ({"valence": float("nan")}, "loss weight for 'valence' is nan"),
    ],
)
def test_wrong_loss_weights_are_named(weights, message):
    with pytest.raises(UserError, match=message):
        compile_arguments(None, TARGETS, weights)
