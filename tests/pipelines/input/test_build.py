"""Batches: what is in them, in which order, and that nothing but the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.input.build import evaluation_batches, training_batches
from pipelines.input.cache import cache_examples
from pipelines.settings import AugmentSettings, InputSettings
from pipelines.source import Source
from pipelines.spec import FeatureSpec

LENGTHS = [7, 3, 12, 5, 9, 4, 8, 6, 11, 10, 2]
FLOOR = np.array([-80.0] * 128 + [0.0] * 12, np.float32)

MakeSource = Callable[..., Source]


@pytest.fixture(scope="module")
def make_source(tmp_path_factory, shared_examples) -> MakeSource:
    """Examples whose label `row` is their row, each file read once."""
    cache = tmp_path_factory.mktemp("cache")

    def make(lengths: list[int] = LENGTHS, frames: int | None = None, **settings: Any) -> Source:
        chosen = InputSettings(**{"feature": "fused", **settings})
        cached = cache_examples(shared_examples(lengths), chosen, cache)
        labels = {"row": np.arange(len(lengths), dtype=np.int32)}
        return Source(cached, labels, None, chosen, frames, FeatureSpec())

    return make


def rows(dataset: tf.data.Dataset) -> list[int]:
    return [int(row) for _, labels, *_ in dataset for row in labels["row"]]


def every(dataset: tf.data.Dataset) -> list[np.ndarray]:
    """All tensors of all batches."""
    return [value.numpy() for batch in dataset for value in tf.nest.flatten(batch)]


def assert_same(first: tf.data.Dataset, second: tf.data.Dataset) -> None:
    left, right = every(first), every(second)
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaluation_gives_every_example_once_in_order(make_source, make_fused):
    batches = list(evaluation_batches(make_source(), batch_size=4))
    assert [len(inputs["lengths"]) for inputs, _ in batches] == [4, 4, 3]
    assert rows(batches) == list(range(11))
    for inputs, labels in batches:
        assert set(inputs) == {"features", "lengths"}
        assert inputs["features"].dtype == tf.float32
        assert inputs["lengths"].dtype == tf.int32
        assert labels["row"].dtype == tf.int32
        assert inputs["features"].shape[1] == max(inputs["lengths"])
        for row, length, features in zip(labels["row"], inputs["lengths"], inputs["features"], strict=True):
            assert int(length) == LENGTHS[int(row)]
            expected = make_fused(int(length), int(row)).T.astype(np.float32)
            np.testing.assert_array_equal(features[: int(length)], expected)


@pytest.mark.parametrize("frames", [None, 6, 20])
@pytest.mark.parametrize("padding", ["floor", "zero"])
def test_padding_is_silence_or_zero_and_lengths_say_where(make_source, frames, padding):
    source = make_source(frames=frames, padding=padding)
    fill = FLOOR if padding == "floor" else np.zeros(140, np.float32)
    padded = 0
    for inputs, labels in evaluation_batches(source, batch_size=4):
        width = inputs["features"].shape[1]
        assert frames in (None, width)
        for row, length, features in zip(labels["row"], inputs["lengths"], inputs["features"], strict=True):
            assert int(length) == min(LENGTHS[int(row)], frames or width)
            rest = features.numpy()[int(length) :]
            np.testing.assert_array_equal(rest, np.broadcast_to(fill, rest.shape))
            padded += len(rest)
    assert padded > 0


@pytest.mark.parametrize(("feature", "fill"), [("mel", -80.0), ("chroma", 0.0)])
def test_padding_of_a_part_of_the_bands(make_source, feature, fill):
    source = make_source([2, 1], feature=feature)
    inputs, _ = next(iter(evaluation_batches(source, 2)))
    assert set(inputs["features"].numpy()[1, 1]) == {fill}


def test_fixed_and_batch_lengths_hold_the_same_values(make_source):
    fixed, _ = next(iter(evaluation_batches(make_source(frames=12), 11)))
    batch, _ = next(iter(evaluation_batches(make_source(), 11)))
    np.testing.assert_array_equal(fixed["features"], batch["features"])


def test_evaluation_crops_at_the_start(make_source, make_fused):
    source = make_source([9], frames=4, crop="random")
    inputs, _ = next(iter(evaluation_batches(source, 1)))
    np.testing.assert_array_equal(inputs["features"][0], make_fused(9, 0).T[:4].astype(np.float32))


def test_training_shuffles_every_example_into_every_epoch(make_source):
    dataset, per_epoch = training_batches(make_source(), 4, seed=1, epochs=range(3))
    assert per_epoch == 3
    order = rows(dataset)
    epochs = [order[start : start + 11] for start in range(0, 33, 11)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(11))
    assert len({tuple(epoch) for epoch in epochs}) == 3
    other, _ = training_batches(make_source(), 4, seed=2, epochs=range(1))
    assert rows(other) != epochs[0]


@pytest.mark.parametrize("settings", [{"bucket": True}, {"crop": "random"}])
def test_an_epoch_is_the_same_whatever_came_before(make_source, settings):
    frames = 4 if "crop" in settings else None
    source = make_source(frames=frames, **settings)
    source = replace(source, weights={"row": np.linspace(0.5, 1.5, 11, dtype=np.float32)})
    augment = AugmentSettings(freq_mask=9, time_mask=3, mixup=0.4)

    def batches(epochs: range) -> tf.data.Dataset:
        return training_batches(source, 4, 5, epochs, augment, n_classes=11)[0]

    dataset, per_epoch = training_batches(source, 4, 5, range(3), augment, n_classes=11)
    assert_same(batches(range(3)), dataset)
    assert_same(batches(range(2, 3)), dataset.skip(2 * per_epoch))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 11, 50])
@pytest.mark.parametrize("bucket", [False, True])
def test_the_number_of_batches_is_as_promised(make_source, batch_size, bucket):
    source = make_source(bucket=bucket)
    dataset, per_epoch = training_batches(source, batch_size, seed=0, epochs=range(2))
    assert len(list(dataset)) == 2 * per_epoch
    assert sorted(rows(dataset)) == sorted(2 * list(range(11)))


def test_buckets_hold_similar_lengths(make_source):
    lengths = list(range(1, 41))
    spread = {}
    for bucket in (False, True):
        dataset, _ = training_batches(make_source(lengths, bucket=bucket), 8, seed=0, epochs=range(1))
        spread[bucket] = max(int(np.ptp(inputs["lengths"])) for inputs, _ in dataset)
    assert spread[True] <= 8
    assert spread[False] > 20


@pytest.mark.parametrize("lengths", [[5], [5, 5, 5, 5]])
def test_one_example_and_one_length_train_too(make_source, lengths):
    source = make_source(lengths, bucket=True)
    dataset, per_epoch = training_batches(
        source, 1, 0, range(2), AugmentSettings(mixup=0.2), n_classes=len(lengths)
    )
    assert len(list(dataset)) == 2 * per_epoch == 2 * len(lengths)


def test_random_crops_are_stretches_that_change_with_the_epoch(make_source, make_fused):
    source = make_source([20, 25, 30], frames=6, crop="random")
    dataset, _ = training_batches(source, 3, seed=0, epochs=range(8))
    starts: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for inputs, labels in dataset:
        assert inputs["lengths"].numpy().tolist() == [6, 6, 6]
        for row, features in zip(labels["row"].numpy(), inputs["features"].numpy(), strict=True):
            clip = make_fused([20, 25, 30][row], row).T.astype(np.float32)
            start = int(np.flatnonzero(clip[:, 0] == features[0, 0])[0])
            np.testing.assert_array_equal(features, clip[start : start + 6])
            starts[row].add(start)
    assert all(len(found) > 3 for found in starts.values())


def test_weights_go_with_their_examples(make_source):
    weights = np.arange(11, dtype=np.float32) / 10
    source = replace(make_source(), weights={"row": weights})
    dataset, _ = training_batches(source, 4, seed=0, epochs=range(1))
    for batches in (dataset, evaluation_batches(source, 4)):
        for _, labels, given in batches:
            np.testing.assert_array_equal(given["row"], weights[labels["row"].numpy()])


@pytest.mark.parametrize("mix", [0.0, 0.4])
def test_what_has_no_label_weighs_nothing_for_that_output_alone(make_source, mix):
    known = np.array([0, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1], np.float32)
    labels = {"row": np.arange(11, dtype=np.int32), "calm": np.ones(11, np.float32)}
    weights = {"row": np.full(11, 0.5, np.float32)}
    source = replace(make_source(), labels=labels, weights=weights, known={"calm": known})
    augment = AugmentSettings(mixup=mix)
    dataset, _ = training_batches(source, 4, 0, range(1), augment, n_classes=11)
    for batches in (dataset, evaluation_batches(source, 4)):
        for inputs, labels, given in batches:
            assert set(inputs) == {"features", "lengths"}
            assert set(labels) == set(given) == {"row", "calm"}
            np.testing.assert_array_equal(given["row"], np.full(len(given["row"]), 0.5))
    total = sum(float(tf.reduce_sum(given["calm"])) for *_, given in evaluation_batches(source, 4))
    assert total == pytest.approx(11)
    plain = {
        int(row): float(weight)
        for _, labels, given in evaluation_batches(source, 4)
        for row, weight in zip(labels["row"], given["calm"], strict=True)
    }
    assert [plain[row] for row in range(11)] == pytest.approx(known.tolist())


def test_several_targets_come_by_name(make_source):
    targets = {"calmness": np.linspace(0, 1, 11, dtype=np.float32), "power": np.ones(11, np.float32)}
    source = replace(make_source(), labels=targets)
    _, labels = next(iter(evaluation_batches(source, 11)))
    assert set(labels) == {"calmness", "power"}
    np.testing.assert_array_equal(labels["calmness"], targets["calmness"])


def test_evaluation_gives_one_hot_rows_on_request(make_source):
    _, labels = next(iter(evaluation_batches(make_source(), 11, one_hot=12)))
    np.testing.assert_array_equal(labels["row"], np.eye(12)[:11])


def test_mixup_mixes_labels_as_it_mixes_features(make_source, make_fused):
    source = make_source([6] * 11, frames=6)
    clips = np.stack([make_fused(6, row).T for row in range(11)]).astype(np.float32)
    dataset, _ = training_batches(source, 4, 0, range(2), AugmentSettings(mixup=1.0), n_classes=11)
    mixed = 0
    for inputs, labels in dataset:
        parts = labels["row"].numpy()  # (batch, 11)
        np.testing.assert_allclose(parts.sum(axis=1), 1, rtol=1e-6)
        assert (parts >= 0).all()
        assert ((parts > 0).sum(axis=1) <= 2).all()
        np.testing.assert_allclose(inputs["features"], np.tensordot(parts, clips, 1), rtol=1e-4, atol=1e-4)
        mixed += int(((parts > 0.05) & (parts < 0.95)).any(axis=1).sum())
    assert mixed > 5


def test_what_is_mixed_counts_for_its_own_weight(make_source, make_fused):
    source = make_source([6] * 11, frames=6)
    clips = np.stack([make_fused(6, row).T for row in range(11)]).astype(np.float32)
    weights = np.linspace(0.2, 2.0, 11, dtype=np.float32)
    source = replace(source, weights={"row": weights})
    dataset, _ = training_batches(source, 4, 0, range(2), AugmentSettings(mixup=1.0), n_classes=11)
    for inputs, labels, given in dataset:
        parts = labels["row"].numpy() * given["row"].numpy()[:, None] / weights  # (batch, 11)
        np.testing.assert_allclose(parts.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(inputs["features"], np.tensordot(parts, clips, 1), rtol=1e-3, atol=1e-3)


def test_a_mixed_example_is_as_long_as_the_longer(make_source):
    dataset, _ = training_batches(make_source(), 11, 0, range(1), AugmentSettings(mixup=1.0), n_classes=11)
    for inputs, labels in dataset:
        for length, parts in zip(inputs["lengths"], labels["row"].numpy(), strict=True):
            assert int(length) == max(LENGTHS[row] for row in np.flatnonzero(parts))


def graph_ops(dataset: tf.data.Dataset) -> set[str]:
    """Names of all ops of a data set, those in its functions too."""
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(tf.raw_ops.DatasetToGraphV2(input_dataset=dataset._variant_tensor).numpy())
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize(
    ("settings", "mix"),
    [
        ({"bucket": True}, 0.0),
        ({"padding": "zero"}, 0.0),
        ({"feature": "mel"}, 0.5),
        ({"frames": 6}, 0.0),
        ({"frames": 20}, 0.5),
    ],
)
def test_batches_are_the_same_however_they_are_read(make_source, monkeypatch, settings, mix):
    source = replace(make_source(**settings), weights={"row": np.linspace(0.5, 1.5, 11, dtype=np.float32)})
    size = source.cached.nbytes

    def batches(small: int, held: int) -> tuple[tf.data.Dataset, tf.data.Dataset]:
        monkeypatch.setattr("pipelines.input.build.SMALL", small)
        monkeypatch.setattr("pipelines.input.loading.HELD_BYTES", held)
        training, _ = training_batches(source, 4, 5, range(1, 4), AugmentSettings(mixup=mix), n_classes=11)
        return training, evaluation_batches(source, 4, one_hot=11)

    by_example = batches(small=-(-size // 11) - 1, held=size)
    from_files = batches(small=-(-size // 11), held=size - 1)
    from_memory = batches(small=-(-size // 11), held=size)
    for example, files, memory in zip(by_example, from_files, from_memory, strict=True):
        assert "ReadFile" in graph_ops(example) & graph_ops(files) - graph_ops(memory)
        assert "DecodePaddedRaw" in graph_ops(files) & graph_ops(memory) - graph_ops(example)
        assert example.element_spec == files.element_spec == memory.element_spec
        assert_same(example, files)
        assert_same(example, memory)


@pytest.mark.parametrize("small", [0, 1 << 30])
@pytest.mark.parametrize("held", [0, 1 << 30])
def test_no_python_runs_in_a_pipeline(make_source, monkeypatch, small, held):
    monkeypatch.setattr("pipelines.input.build.SMALL", small)
    monkeypatch.setattr("pipelines.input.loading.HELD_BYTES", held)
    with_python = tf.data.Dataset.range(1).map(lambda x: tf.py_function(lambda y: y, [x], tf.int64))
    assert any("PyFunc" in op for op in graph_ops(with_python))
    source = make_source(bucket=True)
    augment = AugmentSettings(freq_mask=9, time_mask=3, mixup=0.4)
    training, _ = training_batches(source, 4, 0, range(2), augment, n_classes=11)
    plain, _ = training_batches(source, 4, 0, range(2))
    for dataset in (training, plain, evaluation_batches(source, 4)):
        ops = graph_ops(dataset)
        assert {"ReadFile", "DecodePaddedRaw"} & ops
        assert not [op for op in ops if "PyFunc" in op]
