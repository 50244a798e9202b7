"""Networks rebuilt: the published graphs' answers, from the published checkpoints or from random ones."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_mir.models.pretrained.musicnn import BANDS, PATCH
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.pretrained.rebuilt import REBUILT
from keras_mir.models.tagger import Tagger


def tags_of(name, patches):
    vectors = REBUILT[name].pooled_network(NETWORKS[name].weights()).predict_on_batch(patches)
    one_each = {"features": vectors[:, None], "lengths": np.ones(len(patches), np.int32)}
    return Tagger(NETWORKS[name]).keras.predict_on_batch(one_each)["tags"]


def normalised(weights, x, number):
    name = f"batch_normalization_{number}" if number else "batch_normalization"
    mean, variance, gamma, beta = (
        weights[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def published(weights, patches):
    """musicnn as its authors' paper and code describe it, in plain operations, all at once."""
    norm = functools.partial(normalised, weights)

    def convolve(x, number, padding):
        name = f"conv2d_{number}" if number else "conv2d"
        return tf.nn.relu(tf.nn.conv2d(x, weights[f"{name}/kernel"], 1, padding) + weights[f"{name}/bias"])

    image = norm(patches[..., None], 0)
    around = [[0, 0], [3, 3], [0, 0], [0, 0]]
    parts = [norm(convolve(tf.pad(image, around), number, "VALID"), number + 1) for number in (0, 1)]
    parts += [norm(convolve(image, number, "SAME"), number + 1) for number in (2, 3, 4)]
    front = tf.concat([tf.reduce_max(part, axis=2) for part in parts], axis=2)
    levels = [front]
    for number in (5, 6, 7):
        made = norm(convolve(tf.pad(levels[-1][..., None], around), number, "VALID"), number + 1)[:, :, 0]
        levels.append(made if number == 5 else made + levels[-1])
    found = tf.concat(levels, axis=2)
    pooled = tf.stack([tf.reduce_max(found, axis=1), tf.reduce_mean(found, axis=1)], axis=2)
    x = norm(tf.reshape(pooled, (len(patches), -1)), 9)
    x = norm(tf.nn.relu(x @ weights["dense/kernel"] + weights["dense/bias"]), 10)
    return tf.sigmoid(x @ weights["dense_1/kernel"] + weights["dense_1/bias"]).numpy()


def published_vgg(weights, patches, windows, steps):
    """The VGG likewise, its pools being those of the graph that was trained."""
    x = normalised(weights, patches[..., None], 0)
    for number, (window, step) in enumerate(zip(windows, steps, strict=True), start=1):
        kernel, bias = weights[f"{number}CNN/kernel"], weights[f"{number}CNN/bias"]
        x = normalised(weights, tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias), number)
        x = tf.nn.max_pool2d(x, window, step, "VALID")
    x = tf.reshape(x, (len(patches), -1))
    return tf.sigmoid(x @ weights["dense/kernel"] + weights["dense/bias"]).numpy()


PUBLISHED = {
    "musicnn-mtt": published,
    "musicnn-msd": published,
    "vgg-mtt": functools.partial(published_vgg, windows=((4, 1), 2, 2, 2, 4), steps=(2, 2, 2, 2, 4)),
    "vgg-msd": functools.partial(
        published_vgg, windows=((4, 1), (1, 4), 2, 2, 4), steps=((4, 1), (1, 4), 2, 2, 4)
    ),
}


@pytest.fixture(scope="module")
def patches():
    return np.random.default_rng(1).uniform(0.0, 3.0, (2, PATCH, BANDS)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_random_weights_give_what_the_published_network_would(name, musicnn, patches):
    weights = NETWORKS[name].weights()
    assert "dense/kernel/Adam" not in weights
    np.testing.assert_allclose(tags_of(name, patches), PUBLISHED[name](weights, patches), atol=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("musicnn") is None, reason="needs the wheel musicnn")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_published_graph_answers_the_same(name, patches):
    network = NETWORKS[name]
    weights = network.weights()
    (package,) = importlib.util.find_spec("musicnn").submodule_search_locations
    expected = run_published_graph(Path(package) / network.checkpoint, weights, patches)
    np.testing.assert_allclose(tags_of(name, patches), expected, atol=1e-4)


def run_published_graph(folder, weights, patches):
    """The graph that comes with the checkpoint, up to its sigmoid; what follows is for training."""
    meta = tf.compat.v1.MetaGraphDef.FromString((folder / ".meta").read_bytes())
    (output,) = (
        node.name for node in meta.graph_def.node if node.op == "Sigmoid" and "gradients" not in node.name
    )
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(meta.graph_def, [output])
    names = {node.name for node in graph_def.node}
    feed = {}
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)  # old TensorFlow's, which the new one finds inconsistent
        if node.op == "RandomUniform":
            node.attr["seed"].i = 1  # of a dropout that is off; where all is determined, none is refused
        elif node.op == "VariableV2":
            feed[f"{node.name}/read:0" if f"{node.name}/read" in names else f"{node.name}:0"] = weights[
                node.name
            ]
        elif node.op == "Placeholder":
            is_training = node.attr["dtype"].type == tf.bool.as_datatype_enum
            feed[f"{node.name}:0"] = False if is_training else patches
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(f"{output}:0", feed)
