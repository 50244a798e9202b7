"""The reference extraction of one clip with librosa: fused spectrogram, beats, beat-synchronous twin.

The recipe is the one the course data set was made with: a mel spectrogram in dB relative to its
loudest bin, above it a constant-Q chromagram; beats tracked in the percussive part of the clip;
the median of every band between beats, mel taken as power and turned to dB afterwards.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np

from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.audio_files import check_sound, decode
from pipelines.extraction.chroma import BINS_PER_OCTAVE, TUNING_FFT, TUNING_HOP, chroma_cqt, estimate_tuning
from pipelines.extraction.percussive import percussive
from pipelines.limits import CANCELLED, CANCELS, MIN_SECONDS, SILENCE
from pipelines.spec import FeatureSpec

_STANDARD = FeatureSpec()
MIN_SAMPLE_RATE = 8400  # Hz; the highest filter of the chroma's seven octaves ends just below half of it


@dataclass(frozen=True)
class Extraction:
    """What `features` and `extract` make of a clip.

    Attributes:
        fused: float32 `(n_bands, frames)`: mel in dB, the loudest bin exactly 0, then chroma.
        beat_fused: float32 `(n_bands, steps)`: the same between beats; n beats give n + 1 steps.
        beats: int64 `(n,)` beat frames, increasing; empty where none was found, and then
            `beat_fused` has a step every half second.
        level: Level of the loudest bin of mel, in dB: added to the mel of `fused` it gives back the power.
        spec: What they were made with.
    """

    fused: np.ndarray
    beat_fused: np.ndarray
    beats: np.ndarray
    level: float
    spec: FeatureSpec

    @property
    def times(self) -> np.ndarray:
        """Times of the frames' middles, in seconds, float64 `(frames,)`."""
        return np.arange(self.fused.shape[1]) / self.spec.frame_rate

    @property
    def beat_times(self) -> np.ndarray:
        """Times of the beats, in seconds, float64 `(n,)`."""
        return self.beats / self.spec.frame_rate


def features(
    y: np.ndarray, sr: float, *, beats: np.ndarray | None = None, spec: FeatureSpec = _STANDARD
) -> Extraction:
    """The fused spectrogram of sound, its beats, and the spectrogram between them.

    Beats are tracked in the percussive part, which has the drums and lacks sustained notes: the
    separation is D. Fitzgerald's by median filtering (DAFx 2010), the tracker D. P. W. Ellis's by
    dynamic programming (Journal of New Music Research 36(1), 2007), both as in librosa.

    Args:
        y: Samples, floats from -1 to 1, `(n,)` or `(channels, n)`, as `librosa.load` gives them.
        sr: Their rate, in Hz; they are resampled where `spec` has another.
        beats: Frames of beats that are known, int `(n,)`, increasing; by default they are tracked.
        spec: What to make.

    Raises:
        ArgumentError: If the samples are not such an array, are silent, too short or not numbers.
        UserError: If `spec` cannot be met.
    """
    samples = np.asarray(y)
    if samples.dtype.kind != "f":
        problem = f"its samples are {samples.dtype}, not floats from -1 to 1; divide by their largest value"
        raise ArgumentError("y", None, problem)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 0 < samples.shape[0] <= samples.shape[1]):
        raise ArgumentError("y", None, f"its shape is {samples.shape}; give (n,) or (channels, n)")
    if not 0 < sr < np.inf:
        raise ArgumentError("sr", sr, "give the rate of the samples, in Hz")
    check_spec(spec)
    try:
        return _features_of(_mono(samples.astype(np.float32), sr, spec), spec, beats)
    except UserError as error:
        raise ArgumentError("y", None, str(error)) from None


def extract(path: Path, spec: FeatureSpec) -> Extraction:
    """The `features` of a file.

    Args:
        path: An audio file.
        spec: What to make.

    Raises:
        UserError: If the file cannot be decoded, is truncated, silent or too short, or has
            samples that are not numbers.
    """
    samples, rate = decode(path)
    try:
        return _features_of(_mono(samples, rate, spec), spec)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def compile_functions(spec: FeatureSpec) -> None:
    """Extract from noise, so that numba has compiled, and keeps, all that `extract` needs.

    Two processes must not do that at a time: what they keep for librosa's functions may not fit
    together then, and every process that uses it after them crashes.
    """
    _features_of(np.random.default_rng(0).uniform(-1, 1, 2 * spec.sample_rate).astype(np.float32), spec)


def check_spec(spec: FeatureSpec) -> None:
    """Find settings that would fail, or give empty bands, in every clip.

    Raises:
        UserError: If `spec` has such a setting.
    """
    from librosa.filters import mel as mel_filters

    if not spec.n_mels:
        raise UserError("n_mels 0: give a positive number")
    if spec.sample_rate < MIN_SAMPLE_RATE:
        raise UserError(
            f"sample rate {spec.sample_rate}: the chroma's seven octaves need {MIN_SAMPLE_RATE} Hz or more"
        )
    if spec.hop_length > spec.n_fft:
        problem = f"longer than the window of {spec.n_fft} samples; give a shorter one"
        raise UserError(f"hop length {spec.hop_length}: {problem}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of what is raised below
        weights = mel_filters(sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels)
    if not weights.any(axis=1).all():
        raise UserError(
            f"n_fft {spec.n_fft}: too short for {spec.n_mels} mel bands at {spec.sample_rate} Hz, "
            f"some would be empty; give a longer window"
        )


def _mono(samples: np.ndarray, rate: float, spec: FeatureSpec) -> np.ndarray:
    """float32 `(samples,)` at the spec's rate, at least `MIN_SECONDS` and `n_fft` samples long."""
    check_sound(samples, rate)
    seconds = samples.shape[-1] / rate
    shortest = max(MIN_SECONDS, spec.n_fft / spec.sample_rate)
    if seconds < shortest:
        raise UserError(f"{seconds:.2f} s is too short; give clips of {shortest:.2f} s or more, best 30 s")
    audio = librosa.resample(librosa.to_mono(samples), orig_sr=rate, target_sr=spec.sample_rate)
    loudest = np.abs(samples).max()
    if np.abs(audio).max() < max(SILENCE, CANCELLED * loudest):
        silent = "silent" if loudest < SILENCE else CANCELS
        raise UserError(f"{silent}; leave the clip out or replace it")
    return np.asarray(audio, np.float32)


def _features_of(audio: np.ndarray, spec: FeatureSpec, beats: np.ndarray | None = None) -> Extraction:
    """Everything, from a spectrogram that is computed only once."""
    try:
        stft = librosa.stft(audio, n_fft=spec.n_fft, hop_length=spec.hop_length)
        power = np.abs(stft) ** 2.0
        mel = librosa.feature.melspectrogram(
            S=power, sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels
        )
        chroma = _chroma(audio, stft, spec)
        if beats is None:
            beats = _beats_of_percussive_part(stft, len(audio), spec)
        fused, synced = _fuse(mel, chroma, spec), _synced(mel, chroma, beats, spec)
        level = float(librosa.power_to_db(mel.max(), top_db=None))
        return Extraction(fused, synced, beats, level, spec)
    except librosa.LibrosaError as error:
        raise UserError(f"librosa cannot process it ({error}); leave the clip out") from None


def _chroma(audio: np.ndarray, stft: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    if (spec.n_fft, spec.hop_length) != (TUNING_FFT, TUNING_HOP):
        with _without_notices():
            stft = librosa.stft(audio, n_fft=TUNING_FFT, hop_length=TUNING_HOP)
    found = estimate_tuning(np.abs(stft), spec.sample_rate, BINS_PER_OCTAVE)
    return chroma_cqt(audio, spec.sample_rate, spec.hop_length, spec.n_chroma, found)


def _fuse(mel_power: np.ndarray, chroma: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    mel = librosa.power_to_db(mel_power, ref=np.max, top_db=None)
    # Of the loudest bin that is not exactly 0 where an array and a number have logarithms of their own.
    mel = np.maximum(mel - mel.max(), -spec.top_db)
    return np.concatenate([mel, chroma]).astype(np.float32)


def _synced(mel_power: np.ndarray, chroma: np.ndarray, beats: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """The median of every band between beats; mel as power, in dB relative to the loudest afterwards."""
    if len(beats) == 0:  # one column for a whole clip would be no sequence
        beats = np.arange(spec.half_second, mel_power.shape[1], spec.half_second)
    mel = librosa.util.sync(mel_power, beats, aggregate=np.median)
    return _fuse(mel, librosa.util.sync(chroma, beats, aggregate=np.median), spec)


def _beats_of_percussive_part(stft: np.ndarray, samples: int, spec: FeatureSpec) -> np.ndarray:
    from librosa.beat import beat_track  # seconds of import, so not before it is needed

    drums = librosa.istft(percussive(stft), n_fft=spec.n_fft, hop_length=spec.hop_length, length=samples)
    with _without_notices():
        _, beats = beat_track(y=drums, sr=spec.sample_rate, hop_length=spec.hop_length)
    return np.asarray(beats, np.int64)


@contextmanager
def _without_notices() -> Iterator[None]:
    """librosa remarks on clips shorter than its window."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large for input signal")
        yield
