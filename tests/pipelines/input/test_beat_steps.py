"""The step that synchronises a clip: beats of its own, from a file, tracked, or the fallback."""

from __future__ import annotations

from collections.abc import Callable

import librosa
import numpy as np
import pytest
import tensorflow as tf

from pipelines.input.steps import BeatSync, Crop, Length, Pad, ReadFused, Select, fuse
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
Run = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def synchronise() -> Run:
    steps = fuse([ReadFused((128, 140), SPEC), BeatSync(SPEC)])
    function = tf.function(
        lambda path, beats: steps({"path": path, "beats": beats})["features"],
        input_signature=[tf.TensorSpec([], tf.string)] * 2,
    )
    return lambda path, beats="": function(str(path), str(beats)).numpy()


def pulses(frames: int, period: int) -> np.ndarray:
    """Quiet sound with a loud frame every `period`: fused `(140, frames)`."""
    array = np.full((140, frames), -60.0, np.float32)
    array[:128, 5::period] = 0.0
    array[128:] = 0.5
    return array


def test_tracks_beats_where_none_are_given(tmp_path, synchronise):
    fused = pulses(700, 22)
    np.save(tmp_path / "clip.npy", fused)
    _, beats = librosa.beat.beat_track(onset_envelope=librosa.onset.onset_strength(S=fused[:128]))
    assert len(beats) > 20
    assert synchronise(tmp_path / "clip.npy").shape == (len(beats) + 1, 140)


def test_uses_the_beats_of_a_file(tmp_path, synchronise, make_fused, save_features):
    fused = make_fused(50, 0)
    save_features(tmp_path / "clip.npy.gz", fused)
    np.save(tmp_path / "clip.beats.npy", np.array([10, 11, 30]))
    synced = synchronise(tmp_path / "clip.npy.gz", tmp_path / "clip.beats.npy")
    expected = [np.median(fused[128:, a:b], axis=1) for a, b in ((0, 10), (10, 11), (11, 30), (30, 50))]
    np.testing.assert_allclose(synced[:, 128:], expected, rtol=1e-6)


@pytest.mark.parametrize(("frames", "steps"), [(1, 1), (22, 1), (23, 2), (44, 2), (45, 3), (440, 20)])
def test_steps_every_half_second_where_there_are_no_beats(tmp_path, synchronise, frames, steps):
    silence = np.repeat(np.float32(SPEC.lowest("fused"))[:, None], frames, axis=1)
    np.save(tmp_path / "clip.npy", silence)
    np.save(tmp_path / "clip.beats.npy", np.array([], np.int64))
    assert synchronise(tmp_path / "clip.npy").shape == (steps, 140)
    assert synchronise(tmp_path / "clip.npy", tmp_path / "clip.beats.npy").shape == (steps, 140)


@pytest.mark.parametrize("beats", [[20, 10], [10, 10]])
def test_refuses_beats_that_do_not_increase(tmp_path, synchronise, beats):
    np.save(tmp_path / "clip.npy", pulses(50, 22))
    np.save(tmp_path / "clip.beats.npy", np.array(beats))
    with pytest.raises(tf.errors.InvalidArgumentError):
        synchronise(tmp_path / "clip.npy", tmp_path / "clip.beats.npy")


@pytest.mark.parametrize(
    ("feature", "bands"), [("mel", (0, 128)), ("chroma", (128, 140)), ("fused", (0, 140))]
)
def test_selects_bands(make_fused, feature, bands):
    fused = make_fused(3, 0).T.astype(np.float32)
    selected = Select(feature, SPEC)({"features": tf.constant(fused)})["features"]
    np.testing.assert_array_equal(selected, fused[:, bands[0] : bands[1]])


def test_takes_a_file_of_just_the_feature_whole(make_fused):
    mel = make_fused(3, 0)[:128].T.astype(np.float32)
    np.testing.assert_array_equal(Select("mel", SPEC)({"features": tf.constant(mel)})["features"], mel)


def test_crops_then_pads_to_a_fixed_length():
    run = fuse([Crop(4), Length(), Pad(4, (-80.0, 0.0))])
    long = run({"features": tf.reshape(tf.range(12.0), (6, 2))})
    np.testing.assert_array_equal(long["features"], np.arange(8.0).reshape(4, 2))
    assert int(long["length"]) == 4
    short = run({"features": tf.ones((3, 2))})
    np.testing.assert_array_equal(short["features"], [[1, 1], [1, 1], [1, 1], [-80, 0]])
    assert int(short["length"]) == 3


def test_a_random_crop_is_a_stretch_that_reaches_both_ends():
    crop = Crop(3, random=True)
    features = tf.range(5.0)[:, None]
    starts = set()
    for seed in range(40):
        values = crop({"features": features, "seed": tf.constant([seed, 1])})["features"].numpy()[:, 0]
        np.testing.assert_array_equal(np.diff(values), 1)
        starts.add(int(values[0]))
    assert starts == {0, 1, 2}


def test_a_random_crop_leaves_short_clips_whole():
    crop = Crop(9, random=True)({"features": tf.ones((4, 2)), "seed": tf.constant([1, 2])})
    assert crop["features"].shape == (4, 2)


def test_the_repr_of_a_step_holds_its_settings():
    """The cache is keyed by it."""
    assert repr(BeatSync(FeatureSpec(hop_length=256))) != repr(BeatSync(SPEC))
    assert repr(Select("mel", SPEC)) != repr(Select("fused", SPEC))
    assert repr(ReadFused((140,), SPEC)) != repr(ReadFused((128, 140), SPEC))
