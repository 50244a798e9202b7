"""The tracker in the graph finds what librosa finds."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import tensorflow as tf

from pipelines.ops import beats
from pipelines.ops.tempo import tempo as tempo_op
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "ntua_sample"


@pytest.fixture(scope="module")
def onset_envelope() -> Callable[[np.ndarray], np.ndarray]:
    function = tf.function(
        lambda mel: beats.onset_envelope(mel, SPEC), input_signature=[tf.TensorSpec([None, 128], tf.float32)]
    )
    return lambda mel: function(np.ascontiguousarray(mel.T)).numpy()


@pytest.fixture(scope="module")
def tempo() -> Callable[[np.ndarray], float]:
    function = tf.function(
        lambda envelope: tempo_op(envelope, SPEC), input_signature=[tf.TensorSpec([None], tf.float32)]
    )
    return lambda envelope: float(function(envelope))


@pytest.fixture(scope="module")
def track_beats() -> Callable[[np.ndarray], np.ndarray]:
    function = tf.function(
        lambda envelope: beats.track_beats(envelope, SPEC),
        input_signature=[tf.TensorSpec([None], tf.float32)],
    )
    return lambda envelope: function(envelope).numpy()


def librosa_beats(envelope: np.ndarray) -> np.ndarray:
    return librosa.beat.beat_track(onset_envelope=envelope)[1]


def click_track(bpm: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Clicks in soft noise: mel in dB `(128, frames)`."""
    random = np.random.default_rng(seed)
    times = np.arange(0.3, seconds, 60.0 / bpm)
    length = int(seconds * SPEC.sample_rate)
    audio = librosa.clicks(times=times, sr=SPEC.sample_rate, length=length)
    audio = audio + 0.02 * random.standard_normal(length)
    mel = librosa.feature.melspectrogram(y=audio.astype(np.float32), sr=SPEC.sample_rate)
    return librosa.power_to_db(mel, ref=np.max)


def random_envelopes(count: int) -> Iterator[np.ndarray]:
    """Pulses of a random tempo, swing and strength in noise, of 4 to 1,500 frames."""
    for seed in range(count):
        random = np.random.default_rng(seed)
        frames = int(np.exp(random.uniform(np.log(4), np.log(1500))))
        envelope = random.gamma(random.uniform(0.3, 3.0), 1.0, frames)
        period = SPEC.frame_rate * 60.0 / random.uniform(40, 240)
        onsets = np.arange(random.uniform(0, period), frames, period) + random.normal(0, 1)
        onsets = np.clip(np.round(onsets), 0, frames - 1).astype(int)
        envelope[onsets] += random.uniform(0, 30)
        yield envelope.astype(np.float32)


@pytest.mark.parametrize(("bpm", "seconds"), [(60, 12), (97, 20), (120, 30), (173, 8)])
def test_finds_librosas_onsets_tempo_and_beats(onset_envelope, tempo, track_beats, bpm, seconds):
    mel = click_track(bpm, seconds)
    expected = librosa.onset.onset_strength(S=mel)
    envelope = onset_envelope(mel)
    np.testing.assert_allclose(envelope, expected, rtol=2e-6, atol=1e-6)
    assert tempo(envelope) == librosa.feature.tempo(onset_envelope=envelope)[0]
    found = track_beats(envelope)
    assert found.tolist() == librosa_beats(expected).tolist()
    assert found.tolist() == librosa_beats(librosa.onset.onset_strength(S=mel.astype(np.float64))).tolist()
    assert len(found) >= 4


def test_finds_librosas_beats_in_any_envelope(tempo, track_beats):
    for envelope in random_envelopes(60):
        expected = librosa_beats(envelope)
        assert track_beats(envelope).tolist() == expected.tolist()
        assert tempo(envelope) == librosa.feature.tempo(onset_envelope=envelope)[0]


def test_the_scale_of_an_envelope_does_not_matter(track_beats):
    envelope = list(random_envelopes(20))[-1]
    for scale in (2.0**-20, 2.0**20):
        assert track_beats(envelope * np.float32(scale)).tolist() == track_beats(envelope).tolist()


def test_double_the_tempo_gives_double_the_beats(onset_envelope, track_beats):
    slow = track_beats(onset_envelope(click_track(75, 24)))
    fast = track_beats(onset_envelope(click_track(150, 24)))
    assert len(fast) == pytest.approx(2 * len(slow), abs=2)
    assert np.median(np.diff(slow)) == pytest.approx(SPEC.frame_rate * 60 / 75, abs=1)
    assert np.median(np.diff(fast)) == pytest.approx(SPEC.frame_rate * 60 / 150, abs=1)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 40])
@pytest.mark.parametrize("level", [-80.0, 0.0])
def test_silence_and_constant_sound_have_no_beats(onset_envelope, track_beats, frames, level):
    envelope = onset_envelope(np.full((128, frames), level, np.float32))
    assert envelope.tolist() == [0.0] * frames
    assert track_beats(envelope).tolist() == []


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_the_shortest_clips_are_tracked_or_have_no_beats(onset_envelope, track_beats, frames):
    mel = click_track(120, 2)[:, 13 : 13 + frames]
    envelope = onset_envelope(mel)
    assert len(envelope) == frames
    found = track_beats(envelope)
    assert found.tolist() == sorted(set(found.tolist()))
    assert all(0 <= beat < frames for beat in found)


@pytest.mark.parametrize("frames", [1, 21, 22, 23, 44, 45, 1292])
def test_the_fallback_steps_every_half_second(frames):
    step = SPEC.half_second
    assert step == 22  # 43.07 frames a second at 120 BPM
    bounds = beats.fixed_step_beats(tf.constant(frames), SPEC).numpy()
    assert bounds.tolist() == list(range(step, frames, step))


def sample_clips() -> list[Path]:
    folders = ("fma_genre_spectrograms", "multitask_dataset")
    files = itertools.chain.from_iterable(sorted((SAMPLE / name).glob("t*/*.npy*")) for name in folders)
    return list(files)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of real clips is not here")
def test_finds_librosas_beats_in_real_clips(onset_envelope, tempo, track_beats):
    for path in sample_clips():
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            mel = np.load(file)[:128].astype(np.float32)
        expected = librosa.onset.onset_strength(S=mel)
        envelope = onset_envelope(mel)
        np.testing.assert_allclose(envelope, expected, rtol=2e-6, atol=1e-5, err_msg=path.name)
        assert tempo(envelope) == librosa.feature.tempo(onset_envelope=envelope)[0], path.name
        assert track_beats(envelope).tolist() == librosa_beats(expected).tolist(), path.name
