"""The reference extraction, against the recipe written plainly with librosa."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from librosa.beat import beat_track
from librosa.effects import hpss

from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.features import check_spec, extract, features
from pipelines.spec import FeatureSpec

RATE = 22050
SPEC = FeatureSpec()
SHARED = Path(__file__).parents[4] / "shared" / "data"


def drums_and_chord(seconds: float = 4.0) -> np.ndarray:
    """A chord over clicks of noise at 120 BPM, float32 `(samples,)`."""
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * RATE)) / RATE
    chord = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6))
    clicks = 0.6 * rng.standard_normal(len(t)) * np.exp(-60 * (t % 0.5))
    return (chord + clicks).clip(-1, 1).astype(np.float32)


def write(path: Path, audio: np.ndarray) -> Path:
    soundfile.write(path, audio, RATE)
    return path


def assert_same_features(made: np.ndarray, expected: np.ndarray) -> None:
    """Mel to the last bit, chroma up to rounding."""
    np.testing.assert_array_equal(made[:128], expected[:128].astype(np.float32))
    np.testing.assert_allclose(made[128:], expected[128:], atol=1e-4)


def decibels(power: np.ndarray) -> np.ndarray:
    """librosa's, from the loudest bin, which before numpy 2 is a rounding step from 0 as often as not."""
    levels = librosa.power_to_db(power, ref=np.max, top_db=80)
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        levels = np.maximum(levels - levels.max(), -80)
    return levels


def test_extraction_is_the_reference_recipe(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", drums_and_chord())

    audio, rate = librosa.load(path)
    mel = librosa.feature.melspectrogram(y=audio, sr=rate, n_fft=2048, hop_length=512, n_mels=128, power=2.0)
    chroma = librosa.feature.chroma_cqt(y=audio, sr=rate, hop_length=512)
    fused = np.vstack([decibels(mel), chroma])
    _, percussive = hpss(audio)
    _, beats = beat_track(y=percussive, sr=rate)
    synced_mel = librosa.util.sync(mel, beats, aggregate=np.median)
    synced_chroma = librosa.util.sync(chroma, beats, aggregate=np.median)
    beat_fused = np.vstack([decibels(synced_mel), synced_chroma])

    made = extract(path, SPEC)
    assert len(beats) > 3
    assert made.fused.dtype == made.beat_fused.dtype == np.float32
    assert made.beats.dtype == np.int64
    assert_same_features(made.fused, fused)
    np.testing.assert_array_equal(made.beats, beats)
    assert_same_features(made.beat_fused, beat_fused)

    # Samples give what their file gives, and beats that are known what tracked ones give.
    for same in (features(audio, rate), features(audio, rate, beats=made.beats)):
        np.testing.assert_array_equal(same.fused, made.fused)
        np.testing.assert_array_equal(same.beats, made.beats)
        np.testing.assert_array_equal(same.beat_fused, made.beat_fused)
    np.testing.assert_allclose(made.times, librosa.times_like(mel, sr=rate, hop_length=512))
    np.testing.assert_allclose(made.beat_times, librosa.frames_to_time(beats, sr=rate, hop_length=512))


def test_beats_are_those_that_are_played() -> None:
    times = features(drums_and_chord(8.0), RATE).beat_times
    assert len(times) >= 12
    assert np.abs(times - 0.5 * np.round(times / 0.5)).max() < 0.07  # the usual tolerance of a hit, in s


def test_levels_and_lengths() -> None:
    audio = drums_and_chord()
    made = features(audio, RATE, beats=np.array([20, 40, 60]))
    fused, synced = made.fused, made.beat_fused
    assert fused.shape == (140, 1 + len(audio) // 512)
    assert fused[:128].max() == 0.0
    assert fused[:128].min() >= -80.0
    assert synced.shape == (140, 4)
    assert synced[:128].max() == 0.0


def test_without_beats_there_is_a_step_every_half_second() -> None:
    audio = drums_and_chord()
    step = 22  # round(0.5 s * 22050 / 512)
    frames = 1 + len(audio) // 512
    expected = features(audio, RATE, beats=np.arange(step, frames, step)).beat_fused
    none = features(audio, RATE, beats=np.array([], int))
    np.testing.assert_array_equal(none.beat_fused, expected)


def test_a_steady_level_has_no_beats_and_still_a_sequence(tmp_path: Path) -> None:
    made = extract(write(tmp_path / "steady.wav", np.full(2 * RATE, 0.5, np.float32)), SPEC)
    assert made.beats.shape == (0,)
    assert made.beat_fused.shape == (140, 4)
    assert np.isfinite(made.beat_fused).all()


def test_other_rates_and_stereo_come_out_as_asked(tmp_path: Path) -> None:
    stereo = np.stack([drums_and_chord(2.0), np.zeros(2 * RATE, np.float32)], axis=1)
    spec = FeatureSpec(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64)
    made = extract(write(tmp_path / "clip.flac", stereo), spec)
    assert made.fused.shape == (76, 1 + 32000 // 256)


@pytest.mark.parametrize("extension", ["ogg", "flac", "mp3"])
def test_a_truncated_file_is_refused(tmp_path: Path, extension: str) -> None:
    whole = write(tmp_path / f"whole.{extension}", drums_and_chord(3.0))
    assert extract(whole, SPEC).times[-1] == pytest.approx(3, abs=0.1)
    cut = tmp_path / f"cut.{extension}"
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(
        UserError, match=r"cut\.\w+: (cut off|damaged or cut off|cannot be decoded; it is damaged)"
    ):
        extract(cut, SPEC)


def with_nan(audio: np.ndarray) -> np.ndarray:
    audio[1000] = np.nan
    return audio


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (drums_and_chord(0.1), r"0\.10 s is too short; give clips of 0\.50 s or more, best 30 s$"),
        (np.zeros(0, np.float32), r"0\.00 s is too short"),
        (np.zeros(2 * RATE, np.float32), "silent; leave the clip out or replace it$"),
        (np.outer(drums_and_chord(1.0), [1, -1]), "silent when mixed to mono: its channels cancel"),
        (
            drums_and_chord(1.0) * 1e30,
            r"samples of \de\+[23]\d, and full scale is 1; export the audio again$",
        ),
        (with_nan(drums_and_chord(1.0)), "NaN or infinite"),
    ],
)
def test_audio_without_music_is_refused(tmp_path: Path, audio: np.ndarray, message: str) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    with pytest.raises(UserError, match=message) as error:
        extract(path, SPEC)
    assert str(error.value).startswith(str(path))

    if audio.size:
        with pytest.raises(ArgumentError, match=f"^y: .*{message}"):
            features(audio.T, RATE)


def test_arrays_come_as_librosa_gives_them() -> None:
    """Any rate, mono or channels first, to the features of the samples at the spec's rate."""
    audio = drums_and_chord(2.0)
    twice = librosa.resample(audio, orig_sr=RATE, target_sr=2 * RATE)
    expected = features(librosa.resample(twice, orig_sr=2 * RATE, target_sr=RATE), RATE)
    for same in (twice, np.stack([twice, twice]), twice.astype(np.float64)):
        np.testing.assert_array_equal(features(same, 2 * RATE).fused, expected.fused)


@pytest.mark.parametrize(
    ("y", "sr", "message"),
    [
        (np.ones(RATE, np.int16), RATE, r"y: its samples are int16, not floats from -1 to 1; divide"),
        (np.ones((RATE, 2)), RATE, r"y: its shape is \(22050, 2\); give \(n,\) or \(channels, n\)"),
        (np.float32(1), RATE, r"y: its shape is \(\); give"),
        (np.ones(RATE), 0, r"sr 0: give the rate of the samples, in Hz"),
    ],
)
def test_other_arrays_are_refused(y: np.ndarray, sr: float, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}"):
        features(y, sr)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("clip.wav", b"these are my notes\n" * 100, "cannot be decoded"),
        ("clip.m4a", b"these are my notes\n" * 100, "cannot be decoded"),
        ("clip.ogg", b"", "the file is empty; copy it again"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        extract(tmp_path / name, SPEC)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        extract(tmp_path / "clip.wav", SPEC)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (FeatureSpec(sample_rate=8000), "sample rate 8000"),
        (FeatureSpec(n_fft=256, hop_length=128), "n_fft 256: too short"),
        (FeatureSpec(hop_length=4096), "hop length 4096"),
        (FeatureSpec(n_mels=0), "n_mels 0: give a positive number"),
    ],
)
def test_settings_that_cannot_work_are_refused(spec: FeatureSpec, message: str) -> None:
    check_spec(SPEC)
    with pytest.raises(UserError, match=message):
        check_spec(spec)


def read_features(path: Path) -> np.ndarray:
    content = path.read_bytes()
    array: np.ndarray = np.load(io.BytesIO(gzip.decompress(content) if path.suffix == ".gz" else content))
    return array


@pytest.mark.parametrize(
    ("audio", "features"),
    [
        ("0008.ogg", "fma_genre_spectrograms{}/test/70020.fused.full.npy"),
        ("0163.ogg", "multitask_dataset{}/test/82211.fused.full.npy.gz"),
    ],
)
def test_features_made_on_another_machine_are_matched(audio: str, features: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the shared sample of the course layout")
    made = extract(SHARED / "emotify" / "audio" / audio, SPEC)
    # Another processor's logarithm: one unit in the last place of a float32 dB value.
    for array, twin in ((made.fused, ""), (made.beat_fused, "_beat")):
        expected = read_features(SHARED / "ntua_sample" / features.format(twin))
        assert array.shape == expected.shape
        np.testing.assert_allclose(array[:128], expected[:128], rtol=0, atol=2e-5)
        np.testing.assert_allclose(array[128:], expected[128:], rtol=0, atol=1e-6)
