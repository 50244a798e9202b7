"""Audio of any rate and any number of channels, in the graph."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.layers import DownMix, Resample
from pipelines.synthetic.render import render_clip

RATES = [4000, 8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000]


def resample(audio, rate, target=22050):
    """One clip at its new rate."""
    lengths = np.array([len(audio)], np.int32)
    outputs, new_lengths = Resample(target)([audio[np.newaxis], lengths, np.array([rate], np.int32)])
    assert outputs.shape == (1, new_lengths[0])
    return np.asarray(outputs)[0]


def sine(frequency, rate, seconds=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def level_db(audio):
    """Of the middle, against a sine of amplitude 1."""
    middle = audio[len(audio) // 4 : -len(audio) // 4].astype(np.float64)
    return 10 * np.log10(2 * np.mean(middle**2) + 1e-30)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_a_sine_stays_the_same_sine(rate, share):
    frequency = share * min(rate, 22050) / 2
    resampled = resample(sine(frequency, rate), rate)
    assert len(resampled) == 22050
    middle = slice(22050 // 4, -22050 // 4)
    np.testing.assert_allclose(resampled[middle], sine(frequency, 22050)[middle], atol=1e-5)


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 22050])
@pytest.mark.parametrize("share", [1.001, 1.05, 1.5])
def test_what_would_alias_is_100_db_down(rate, share):
    frequency = min(share * 22050, 0.98 * rate) / 2
    assert level_db(resample(sine(frequency, rate), rate)) < -100


@pytest.mark.parametrize("rate", [8000, 16000])
def test_nothing_is_added_above_the_old_nyquist_frequency(rate):
    resampled = resample(sine(0.45 * rate, rate, seconds=2.0), rate)[2000:-2000].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(resampled * np.blackman(len(resampled))))
    above = np.fft.rfftfreq(len(resampled), 1 / 22050) > rate / 2
    assert 20 * np.log10(spectrum[above].max() / spectrum.max()) < -100


@pytest.mark.parametrize("rate", [5507, 37123, 44056, 47952, 191999])
def test_a_rate_without_a_simple_ratio_is_close(rate):
    resampled = resample(sine(1000, rate, seconds=2.0), rate).astype(np.float64)
    assert abs(len(resampled) - 2 * 22050) <= 1
    spectrum = np.abs(np.fft.rfft(resampled * np.blackman(len(resampled)), 1 << 20))
    found = np.argmax(spectrum) * 22050 / (1 << 20)
    assert abs(1200 * np.log2(found / 1000)) < 2  # cents
    assert level_db(resampled) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(("rate", "target"), [(44100, 22050), (48000, 22050), (44100, 16000), (8000, 44100)])
def test_equals_librosa_on_music(rate, target):
    audio = render_clip("Rock", seed=1, duration_s=2.0, sample_rate=rate).audio
    expected = librosa.resample(audio, orig_sr=rate, target_sr=target)
    resampled = resample(audio, rate, target)
    assert len(resampled) == len(expected)
    # They differ where the filters fall off, above 0.913 of the Nyquist frequency.
    assert level_db(resampled - expected) < level_db(expected) - 50


def test_clips_of_a_batch_do_not_touch_each_other():
    clips = [render_clip("Folk", 1, 1.0, rate).audio for rate in (16000, 44100, 22050)]
    rates = np.array([16000, 44100, 22050], np.int32)
    batch = np.full((3, 50000), np.nan, np.float32)  # what is past the end must not matter
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    lengths = np.array([len(clip) for clip in clips], np.int32)
    outputs, new_lengths = Resample(22050)([batch, lengths, rates])
    np.testing.assert_array_equal(new_lengths, [22050, 22050, 22050])
    for output, clip, rate in zip(np.asarray(outputs), clips, rates, strict=True):
        np.testing.assert_allclose(output, resample(clip, rate), atol=1e-6)
    np.testing.assert_array_equal(outputs[2], clips[2])  # at the right rate already


def test_one_rate_for_all():
    audio = np.stack([sine(300, 16000), sine(500, 16000)])
    lengths = np.array([16000, 8000], np.int32)
    single, counts = Resample()([audio, lengths, np.array(16000, np.int32)])
    each, _ = Resample()([audio, lengths, np.array([16000, 16000], np.int32)])
    np.testing.assert_array_equal(single, each)
    np.testing.assert_array_equal(counts, [22050, 11025])
    assert not np.any(single[1, 11025:])


@pytest.mark.parametrize("rate", [0, -44100, 999, 1_000_000])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(tf.errors.InvalidArgumentError, match="sample rates are 1000 to 768000 Hz"):
        resample(sine(100, 8000), rate)
    with pytest.raises(ValueError, match="sample_rate"):
        Resample(rate)


def test_down_mix_is_the_mean_of_the_channels():
    channels = np.random.default_rng(0).normal(size=(2, 100, 6)).astype(np.float32)
    mixed = np.asarray(DownMix()(channels))
    for clip, mono in zip(channels, mixed, strict=True):
        np.testing.assert_allclose(mono, librosa.to_mono(clip.T), atol=1e-6)
