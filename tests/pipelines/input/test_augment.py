"""Augmentation hides and mixes what it should, by the seed alone."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from pipelines.input import augment
from pipelines.input.augment import Level, Shift, SpecAugment, draw_masks, mixup, smooth_labels
from pipelines.input.build import training_batches
from pipelines.input.cache import cache_examples
from pipelines.settings import AugmentSettings, InputSettings
from pipelines.source import Source
from pipelines.spec import FeatureSpec

FLOOR = (-80.0,) * 6 + (0.0,) * 2


def runs(hidden: np.ndarray) -> int:
    """Number of stretches of true values."""
    return int(np.count_nonzero(np.diff(np.concatenate([[0], hidden.astype(int)])) == 1))


@pytest.mark.parametrize("axis", ["freq", "time"])
@pytest.mark.parametrize(("size", "limit"), [(140, 27), (20, 20), (5, 100), (3, 1)])
def test_every_mask_hides_fewer_neighbours_than_its_limit(axis, size, limit):
    hidden = ~draw_masks(size, limit, seed=3, axis=axis)
    assert hidden.shape == (256, size)
    assert hidden.sum(axis=1).max() < min(limit, size)
    assert max(runs(mask) for mask in hidden) <= 1


def test_masks_follow_from_the_seed():
    first, again, other = (draw_masks(140, 27, seed, "freq") for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert len({mask.tobytes() for mask in first}) > 200


def test_a_limit_of_zero_hides_nothing():
    assert draw_masks(10, 0, 0, "time").all()


@pytest.mark.parametrize("axis", ["freq", "time"])
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="tensorflow-io has no wheel there")
def test_numpy_draws_the_distribution_of_tensorflow_io(axis):
    """Widths are uniform in [0, limit), starts in [0, size - width)."""
    size, limit = 140, 40
    theirs = ~np.concatenate([draw_masks(size, limit, seed, axis) for seed in range(20)])
    ours = ~np.concatenate([augment._draw_masks_with_numpy(size, limit, seed) for seed in range(20)])
    for hidden in (theirs, ours):
        widths = hidden.sum(axis=1)
        assert set(widths) == set(range(limit))
        assert widths.mean() == pytest.approx((limit - 1) / 2, rel=0.03)
        starts = hidden[widths > 0].argmax(axis=1)
        room = size - widths[widths > 0]
        assert (starts / room).mean() == pytest.approx(0.5, abs=0.02)
        assert (starts < room).all()


def hide(step: SpecAugment, features: np.ndarray, seed: int) -> np.ndarray:
    return step({"features": tf.constant(features), "seed": tf.constant([seed, 7])})["features"].numpy()


def test_what_is_hidden_is_filled_and_the_rest_stays():
    step = SpecAugment(freq_mask=4, time_mask=5, fill=FLOOR, frames=30, seed=0)
    features = np.full((30, 8), 5.0, np.float32)
    seen = set()
    for seed in range(30):
        result = hide(step, features, seed)
        changed = result != 5.0
        bands, steps = changed.all(axis=0), changed.all(axis=1)
        np.testing.assert_array_equal(changed, steps[:, None] | bands[None, :])
        np.testing.assert_array_equal(result[changed], np.broadcast_to(FLOOR, result.shape)[changed])
        assert bands.sum() < 4
        assert steps.sum() < 5
        seen.add(changed.tobytes())
    assert len(seen) > 20  # examples differ
    np.testing.assert_array_equal(hide(step, features, 3), hide(step, features, 3))


def test_a_short_example_is_masked_as_well():
    """Its mask is a stretch of one that is as long as the longest example."""
    step = SpecAugment(freq_mask=0, time_mask=5, fill=FLOOR, frames=30, seed=0)
    features = np.full((6, 8), 5.0, np.float32)
    hidden = [(hide(step, features, seed)[:, 0] != 5.0).sum() for seed in range(40)]
    assert 0 < sum(count > 0 for count in hidden) < 40
    assert max(hidden) < 5


def test_masks_change_with_the_example_and_the_epoch(tmp_path, make_examples):
    settings = InputSettings(feature="mel", frames=20)
    cached = cache_examples(make_examples([20] * 6), settings, tmp_path / "cache")
    labels = {"row": np.arange(6, dtype=np.int32)}
    source = Source(cached, labels, None, settings, 20, FeatureSpec())
    dataset, _ = training_batches(source, 6, 0, range(3), AugmentSettings(freq_mask=30, time_mask=8))
    plain, _ = training_batches(source, 6, 0, range(3))
    masks: dict[int, list[bytes]] = {}
    for (inputs, labels), (original, _) in zip(dataset, plain, strict=True):
        changed = inputs["features"].numpy() != original["features"].numpy()
        mean = np.broadcast_to(cached.statistics[0], changed.shape)
        np.testing.assert_array_equal(inputs["features"].numpy()[changed], mean[changed])
        for row, mask in zip(labels["row"].numpy(), changed, strict=True):
            masks.setdefault(int(row), []).append(mask.tobytes())
    assert all(len(set(of_example)) == 3 for of_example in masks.values())
    assert len({of_example[0] for of_example in masks.values()}) == 6


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_weights_follow_the_beta_distribution(alpha):
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))."""
    count = 4000
    batch = {"features": tf.zeros((count, 1, 1)), "lengths": tf.ones(count, tf.int32)}
    _, labels = mixup(batch, {"own": tf.eye(count)}, tf.constant([1, 2]), alpha)
    own = np.diag(labels["own"])
    np.testing.assert_allclose(labels["own"].numpy().sum(axis=1), 1, rtol=1e-5)
    assert own.mean() == pytest.approx(0.5, abs=0.03)
    assert own.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_a_label_that_is_mixed_with_none_stays_as_it_is_and_counts_for_its_share():
    known = np.array([2.0, 0.0, 0.0, 2.0] * 50, np.float32)
    tags = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]] * 50, np.float32)
    batch = {
        "features": tf.constant(known[:, None, None]),
        "lengths": tf.ones(200, tf.int32),
        "known:tags": tf.constant(known),
    }
    mixed, labels = mixup(
        batch, {"tags": tf.constant(tags), "calm": tf.constant(known)}, tf.constant([1, 2]), 1.0
    )
    shares = mixed["known:tags"].numpy()
    np.testing.assert_allclose(shares, mixed["features"][:, 0, 0], rtol=1e-6)
    assert len({0.0, 2.0} & set(shares)) == 2
    some = shares > 0
    np.testing.assert_allclose(labels["tags"].numpy()[some].sum(axis=1), 1, rtol=1e-5)
    assert not labels["tags"].numpy()[~some].any()
    np.testing.assert_allclose(labels["calm"], shares, rtol=1e-6)  # of which all are known


def drawn(step, features, count=200):
    """What a step makes of the same features with as many seeds."""
    elements = ({"features": tf.constant(features), "seed": tf.constant([7, n])} for n in range(count))
    return np.stack([step(element)["features"].numpy() for element in elements])


def test_level_raises_or_lowers_mel_as_one_and_leaves_chroma_alone():
    features = np.array([[-70.0, -10.0, 0.5], [-30.0, -20.0, 0.1]], np.float32)
    made = drawn(Level(6.0, (-80.0, -80.0)), features)
    changes = made[..., :2] - features[:, :2]
    np.testing.assert_allclose(changes, changes[:, :1, :1] * np.ones_like(changes), atol=1e-4)
    assert -6 <= changes.min() < -5.5
    assert 5.5 < changes.max() <= 6
    np.testing.assert_array_equal(made[..., 2], np.broadcast_to(features[:, 2], made.shape[:2]))
    lower = drawn(Level(40.0, (-80.0, -80.0)), features)
    assert lower[..., :2].min() == -80


def test_shift_moves_mel_by_whole_bands_and_fills_with_its_floor():
    features = np.array([[-1.0, -2.0, -3.0, 0.5]], np.float32)
    made = {tuple(clip[0]) for clip in drawn(Shift(1, (-80.0,) * 3), features)}
    assert made == {(-80.0, -1.0, -2.0, 0.5), (-1.0, -2.0, -3.0, 0.5), (-2.0, -3.0, -80.0, 0.5)}


def test_smoothing_spreads_a_share_of_class_labels_and_leaves_numbers_alone():
    tags = tf.constant([[1.0, 0.0, 1.0]])
    labels = {"genre": tf.eye(4), "power": tf.constant([0.1, 0.9]), "tags": tags}
    _, made = smooth_labels({}, labels, tf.constant([0, 0]), share=0.2)
    np.testing.assert_allclose(made["genre"], 0.8 * np.eye(4) + 0.05, rtol=1e-6)
    np.testing.assert_array_equal(made["power"], labels["power"])
    np.testing.assert_allclose(made["tags"], [[0.9, 0.1, 0.9]], rtol=1e-6)


@pytest.mark.parametrize("name", ["freq_mask", "time_mask", "mixup", "level", "shift", "label_smoothing"])
def test_negative_settings_are_refused(name):
    with pytest.raises(UserError, match=f"{name} -1: give 0 for none, or a positive number"):
        AugmentSettings(**{name: -1})
