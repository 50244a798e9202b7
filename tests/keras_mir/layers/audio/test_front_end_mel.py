"""Spectra and mel bands in the graph: librosa's, and what any must be."""

import librosa
import numpy as np
import pytest

from keras_mir.layers import STFT, Decibels, LogCompression, LogMel, MelPower
from pipelines.synthetic.render import render_clip


def reference(audio, sample_rate=22050, n_fft=2048, hop_length=512, n_mels=128):
    mel = librosa.feature.melspectrogram(
        y=audio, sr=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels
    )
    return librosa.power_to_db(mel, ref=np.max, top_db=80.0).T


def log_mel(audio, **settings):
    """One clip's mel spectrogram in dB, `(frames, n_mels)`."""
    return np.asarray(LogMel(**settings)([audio[np.newaxis], np.array([len(audio)], np.int32)]))[0]


@pytest.mark.parametrize(("genre", "seed"), [("Jazz", 3), ("Rock", 0), ("Classical", 1)])
def test_equals_librosa_on_music(genre, seed):
    audio = render_clip(genre, seed, duration_s=4.0).audio
    np.testing.assert_allclose(log_mel(audio), reference(audio), atol=2e-4)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "hop_length", "n_mels"),
    [(16000, 1024, 256, 64), (44100, 4096, 1024, 96), (22050, 2048, 441, 128), (22050, 512, 512, 40)],
)
def test_equals_librosa_with_other_settings(sample_rate, n_fft, hop_length, n_mels):
    audio = render_clip("Pop", 2, duration_s=2.0, sample_rate=sample_rate).audio
    settings = {"sample_rate": sample_rate, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
    np.testing.assert_allclose(log_mel(audio, **settings), reference(audio, **settings), atol=2e-4)


@pytest.mark.parametrize("samples", [1, 511, 512, 1024, 2047, 5 * 512, 5 * 512 + 1])
@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
def test_frames_count_as_in_librosa(samples):
    audio = render_clip("Pop", 2, duration_s=1.0).audio[:samples]
    mel = log_mel(audio)
    assert mel.shape == (1 + samples // 512, 128)
    np.testing.assert_allclose(mel, reference(audio), atol=2e-4)


def test_a_clip_of_a_batch_gives_what_it_gives_alone():
    clips = [render_clip("Pop", seed, duration_s=2.0).audio for seed in range(3)]
    lengths = np.array([44100, 30000, 700], np.int32)
    batch = np.full((3, 44100), np.nan, np.float32)  # what is past the end must not matter
    for row, clip, length in zip(batch, clips, lengths, strict=True):
        row[:length] = clip[:length]
    together = np.asarray(LogMel()([batch, lengths]))
    assert together.shape == (3, 87, 128)
    for mel, clip, length in zip(together, clips, lengths, strict=True):
        frames = 1 + length // 512
        np.testing.assert_allclose(mel[:frames], log_mel(clip[:length]), atol=1e-5)
        np.testing.assert_array_equal(mel[frames:], -80.0)


def test_a_tone_lights_its_band():
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    centres = librosa.mel_frequencies(130, fmax=11025)[1:-1]
    nearest = np.argmin(np.abs(centres - 440))
    mel = log_mel(tone)[5:-5]
    np.testing.assert_array_equal(mel.argmax(axis=1), nearest)
    assert (mel[:, np.abs(np.arange(128) - nearest) > 10] < -40).all()


@pytest.mark.parametrize("audio", [np.zeros(4000, np.float32), np.full(4000, 1e-30, np.float32)])
def test_silence_is_0_db_as_in_librosa(audio):
    np.testing.assert_array_equal(log_mel(audio), 0.0)
    np.testing.assert_allclose(reference(audio), 0.0, atol=1e-4)


def test_the_parts_share_one_spectrum():
    audio = render_clip("Blues", 1, duration_s=2.0).audio[np.newaxis]
    lengths = np.array([40000], np.int32)
    spectrum = STFT()([audio, lengths])
    power = MelPower()(spectrum)
    np.testing.assert_allclose(
        power[0, :79], librosa.feature.melspectrogram(y=audio[0, :40000]).T, rtol=1e-3, atol=1e-6
    )
    assert not np.any(power[0, 79:])
    expected = LogMel()([audio, lengths])
    np.testing.assert_array_equal(Decibels()([power, np.array([79], np.int32)]), expected)


def test_spectrum_equals_librosas():
    audio = render_clip("Blues", 1, duration_s=2.0).audio
    parts = np.asarray(STFT(1024, 300)([audio[np.newaxis], np.array([len(audio)], np.int32)]))[0]
    np.testing.assert_allclose(
        parts[..., 0] + 1j * parts[..., 1], librosa.stft(audio, n_fft=1024, hop_length=300).T, atol=1e-4
    )


@pytest.mark.parametrize(
    ("layer", "settings"),
    [
        (STFT, {"n_fft": 1023}),
        (STFT, {"n_fft": 0}),
        (STFT, {"hop_length": 0}),
        (Decibels, {"top_db": 0.0}),
        (LogCompression, {"factor": 0.0}),
    ],
)
def test_impossible_settings_are_refused(layer, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        layer(**settings)
