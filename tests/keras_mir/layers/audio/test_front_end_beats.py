"""Drums, onsets, tempo, beats and what lies between them, in the graph."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.layers import STFT, BeatSync, BeatTracker, Decibels, LogMel, MelPower, Percussive
from keras_mir.layers.audio.percussive import running_median
from pipelines.extraction.features import features
from pipelines.spec import FeatureSpec
from pipelines.synthetic.render import render_clip

SPEC = FeatureSpec()


@pytest.fixture(scope="module")
def analyse():
    """Audio of several clips -> what is found in their percussive part."""
    stft, percussive, tracker = STFT(), Percussive(), BeatTracker()

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)])
    def function(audio, lengths):
        return tracker([percussive([stft([audio, lengths]), lengths]), lengths])

    return lambda *clips: {name: value.numpy() for name, value in function(*padded(clips)).items()}


def padded(clips, value=np.nan):
    """A batch, and its lengths."""
    batch = np.full((len(clips), max(map(len, clips))), value, np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch, np.array([len(clip) for clip in clips], np.int32)


def clicks(bpm, seconds=12.0, start=0.5):
    times = np.arange(start, seconds, 60 / bpm)
    noise = 0.001 * np.random.default_rng(0).normal(size=round(seconds * 22050))
    return (librosa.clicks(times=times, length=len(noise)) + noise).astype(np.float32), times


@pytest.mark.parametrize(("n", "columns"), [(1, 3), (2, 64), (15, 65), (31, 1), (100, 200)])
@pytest.mark.parametrize("size", [3, 7, 31])
def test_running_median_sees_mirrored_ends(n, columns, size):
    values = np.random.default_rng(n).normal(size=(n, columns)).astype(np.float32).round(1)  # with ties
    mirrored = np.pad(values, [(size // 2, size // 2), (0, 0)], mode="symmetric")
    expected = np.median(np.lib.stride_tricks.sliding_window_view(mirrored, size, axis=0), axis=-1)
    np.testing.assert_array_equal(running_median(tf.constant(values), size), expected)


@pytest.mark.parametrize(
    ("genre", "samples"),
    [pytest.param("Rock", 66000, marks=pytest.mark.slow), ("Jazz", 44100), ("Pop", 3000)],
)
def test_percussive_part_is_librosas(genre, samples):
    audio = render_clip(genre, 3, duration_s=3.0).audio[:samples]
    batch, lengths = padded([np.append(audio, np.ones(9000, np.float32)), audio])
    lengths[0] = samples  # what is past the end must not matter
    percussive = np.asarray(Percussive()([STFT()([batch, lengths]), lengths]))
    expected = librosa.istft(librosa.decompose.hpss(librosa.stft(audio))[1], length=samples)
    for clip in percussive:
        np.testing.assert_allclose(clip[:samples], expected, atol=1e-5)
        assert not clip[samples:].any()
    assert 1 + percussive.shape[1] // 512 == 1 + batch.shape[1] // 512  # as many frames as went in


def test_drums_stay_and_held_notes_go():
    time = np.arange(44100) / 22050
    note = 0.3 * np.sin(2 * np.pi * 440 * time).astype(np.float32)
    drum = librosa.clicks(times=[0.5, 1.0, 1.5], length=44100).astype(np.float32)
    outputs = []
    for part in (note, drum):
        batch, lengths = padded([part])
        outputs.append(np.asarray(Percussive()([STFT()([batch, lengths]), lengths]))[0, 4000:-4000])
    assert np.std(outputs[0]) < 0.05 * np.std(note)
    assert np.std(outputs[1]) > 0.5 * np.std(drum)


def test_beats_are_the_reference_recipes(analyse):
    clips = [
        render_clip(genre, 5, seconds).audio for genre, seconds in (("Rock", 8), ("Jazz", 5), ("Pop", 9))
    ]
    found = analyse(*clips)
    expected = [features(clip, 22050).beats for clip in clips]
    np.testing.assert_array_equal(found["beat_counts"], [len(beats) for beats in expected])
    assert found["beats"].shape == (3, max(len(beats) for beats in expected))
    for row, beats in zip(found["beats"], expected, strict=True):
        np.testing.assert_array_equal(row[: len(beats)], beats)
        np.testing.assert_array_equal(row[len(beats) :], -1)


def test_onsets_and_tempo_are_librosas():
    audio = render_clip("Blues", 2, 6.0).audio
    found = BeatTracker()(list(padded([audio, audio[:70000]])))
    for row, clip in enumerate((audio, audio[:70000])):
        expected = librosa.onset.onset_strength(y=clip, aggregate=np.median)
        envelope = np.asarray(found["onset_envelope"])[row]
        np.testing.assert_allclose(envelope[: len(expected)], expected, atol=1e-3)
        assert not envelope[len(expected) :].any()
        (tempo,) = librosa.feature.tempo(onset_envelope=expected)
        assert float(found["tempo"][row]) == pytest.approx(tempo)


@pytest.mark.parametrize(("sample_rate", "hop_length"), [(16000, 256), (22050, 441)])
def test_other_rates_and_hops(sample_rate, hop_length):
    audio = render_clip("Rock", 4, 6.0, sample_rate).audio
    found = BeatTracker(sample_rate, hop_length)(list(padded([audio])))
    _, beats = librosa.beat.beat_track(y=audio, sr=sample_rate, hop_length=hop_length)
    np.testing.assert_array_equal(found["beats"][0], beats)


@pytest.mark.parametrize("bpm", [90, 120, 150])
def test_clicks_give_their_tempo_and_beats(analyse, bpm):
    audio, times = clicks(bpm)
    found = analyse(audio)
    assert found["tempo"][0] == pytest.approx(bpm, rel=0.04)  # as fine as whole frames of lag allow
    beat_times = found["beats"][0] * 512 / 22050
    distance = np.abs(beat_times[:, np.newaxis] - times).min(axis=1)
    assert distance.max() < 0.05
    assert abs(len(beat_times) - len(times)) <= 2


def test_twice_the_tempo_gives_twice_the_beats(analyse):
    found = analyse(clicks(80)[0], clicks(160)[0])
    slow, fast = found["beat_counts"]
    assert slow > 10
    assert abs(fast - 2 * slow) <= 3  # those at the ends may go
    assert found["tempo"][1] == pytest.approx(2 * found["tempo"][0], rel=0.04)


def test_no_beats_in_silence(analyse):
    song = render_clip("Rock", 5, 4.0).audio
    found = analyse(np.zeros(44100, np.float32), song, np.zeros(1, np.float32))
    assert found["beat_counts"][0] == found["beat_counts"][2] == 0
    assert found["tempo"][0] == found["tempo"][2] == 0.0
    assert found["beat_counts"][1] > 3
    assert all(np.isfinite(value).all() for value in found.values())
    assert analyse(np.zeros(44100, np.float32))["beats"].shape == (1, 0)


def test_beat_sync_is_the_reference_recipes():
    clips = [
        render_clip("Rock", 5, 6.0).audio,
        render_clip("Pop", 1, 4.0).audio,
        render_clip("Jazz", 1, 3.0).audio,
    ]
    beats = [features(clips[0], 22050).beats, np.array([0, 50, 90]), np.array([], int)]
    batch, lengths = padded(clips)
    frames = 1 + lengths // 512
    power = MelPower()(STFT()([batch, lengths]))
    unlimited = Decibels(1000.0)([power, frames])  # the floor comes after the median
    found = np.full((3, 20), -1, np.int32)
    for row, each in zip(found, beats, strict=True):
        row[: len(each)] = each
    synced = BeatSync()([unlimited, frames, found])
    for row, (clip, each) in enumerate(zip(clips, beats, strict=True)):
        expected = features(clip, 22050, beats=each).beat_fused[: SPEC.n_mels].T
        steps = len(expected)
        assert synced["lengths"][row] == steps
        np.testing.assert_allclose(synced["features"][row, :steps], expected, atol=1e-3)
        assert not np.any(synced["features"][row, steps:])
    assert synced["lengths"][0] == len(beats[0]) + 1  # a step before the first beat, and one after the last
    assert synced["lengths"][1] == 3  # nothing is before a beat at the start
    assert synced["lengths"][2] == -(-frames[2] // SPEC.half_second)  # no beats: every half second
    assert synced["features"].shape[1] == max(synced["lengths"])


def test_beat_sync_takes_mel_in_its_range_and_chroma_as_it_is():
    audio = render_clip("Rock", 5, 3.0).audio
    mel = np.asarray(LogMel()(list(padded([audio]))))
    chroma = np.random.default_rng(0).uniform(size=(1, mel.shape[1], 12)).astype(np.float32)
    beats = np.array([[20, 60, 100]], np.int32)
    lengths = np.array([mel.shape[1]], np.int32)
    synced = np.asarray(BeatSync()([np.concatenate([mel, chroma], axis=-1), lengths, beats])["features"])
    expected = librosa.util.sync(chroma[0].T, beats[0], aggregate=np.median).T
    np.testing.assert_allclose(synced[0, :, 128:], expected, atol=1e-6)
    alone = np.asarray(BeatSync(n_mels=0)([chroma, lengths, beats])["features"])
    np.testing.assert_allclose(alone[0], expected, atol=1e-6)
    assert synced[..., :128].max() == 0.0
    assert synced[..., :128].min() >= -80.0
