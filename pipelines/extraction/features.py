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

from pipelines.errors import UserError
from pipelines.extraction import tuning
from pipelines.extraction.audio_files import decode
from pipelines.extraction.chroma import BINS_PER_OCTAVE, chroma_cqt
from pipelines.extraction.percussive import percussive
from pipelines.spec import FeatureSpec

MIN_SECONDS = 0.5  # one beat at 120 BPM; less holds nothing to synchronise to
SILENCE = 2.0**-16  # half the last bit of 16-bit audio; a clip that never gets above it is silent
MIN_SAMPLE_RATE = 8400  # Hz; the highest filter of the chroma's seven octaves ends just below half of it


@dataclass(frozen=True)
class Extraction:
    """What `extract` makes of a clip.

    Attributes:
        fused: float32 `(n_bands, frames)`: mel in dB, then chroma.
        beat_fused: float32 `(n_bands, steps)`: the same between beats; n beats give n + 1 steps.
        beats: int64 `(n,)` beat frames, increasing; empty where none was found, and then
            `beat_fused` has a step every half second.
    """

    fused: np.ndarray
    beat_fused: np.ndarray
    beats: np.ndarray


def extract(path: Path, spec: FeatureSpec) -> Extraction:
    """Load a clip and make its features, computing its spectrogram only once.

    Args:
        path: An audio file.
        spec: What to make.

    Raises:
        UserError: If the file cannot be decoded, is truncated, silent or too short, or has
            samples that are not numbers.
    """
    audio = load_audio(path, spec)
    try:
        return _features_of(audio, spec)
    except librosa.LibrosaError as error:
        raise UserError(f"{path}: librosa cannot process it ({error}); leave the clip out") from None


def compile_functions(spec: FeatureSpec) -> None:
    """Extract from noise, so that numba has compiled, and keeps, all that `extract` needs.

    Two processes must not do that at a time: what they keep for librosa's functions may not fit
    together then, and every process that uses it after them crashes.
    """
    _features_of(np.random.default_rng(0).uniform(-1, 1, 2 * spec.sample_rate).astype(np.float32), spec)


def _features_of(audio: np.ndarray, spec: FeatureSpec) -> Extraction:
    stft = _stft(audio, spec)
    mel, chroma = _mel_power(stft, spec), _chroma(audio, stft, spec)
    beats = _beats_of_percussive_part(stft, len(audio), spec)
    return Extraction(_fuse(mel, chroma, spec), _synced(mel, chroma, beats, spec), beats)


def check_spec(spec: FeatureSpec) -> None:
    """Find settings that would fail, or give empty bands, in every clip.

    Raises:
        UserError: If `spec` has such a setting.
    """
    from librosa.filters import mel as mel_filters

    for name in ("n_fft", "hop_length", "n_mels"):
        if getattr(spec, name) < 1:
            raise UserError(f"{name} {getattr(spec, name)}: give a positive number")
    if spec.sample_rate < MIN_SAMPLE_RATE:
        raise UserError(
            f"sample rate {spec.sample_rate}: the chroma's seven octaves need {MIN_SAMPLE_RATE} Hz or more"
        )
    if spec.hop_length > spec.n_fft:
        raise UserError(f"hop length {spec.hop_length}: longer than the window of {spec.n_fft} samples")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of what is raised below
        weights = mel_filters(sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels)
    if not weights.any(axis=1).all():
        raise UserError(
            f"n_fft {spec.n_fft}: too short for {spec.n_mels} mel bands at {spec.sample_rate} Hz, "
            f"some would be empty; give a longer window"
        )


def load_audio(path: Path, spec: FeatureSpec) -> np.ndarray:
    """Decode a file, as `pipelines.extraction.audio_files.decode` does, to mono at the spec's sample rate.

    Args:
        path: An audio file.
        spec: Gives the sample rate.

    Returns:
        float32 `(samples,)`, at least `MIN_SECONDS` and `n_fft` samples long.

    Raises:
        UserError: If the file cannot be decoded, is truncated, silent or too short, or has
            samples that are not numbers.
    """
    samples, rate = decode(path)
    if not np.isfinite(samples).all():
        raise UserError(f"{path}: has samples that are NaN or infinite; export the audio again")
    seconds = samples.shape[1] / rate
    shortest = max(MIN_SECONDS, spec.n_fft / spec.sample_rate)
    if seconds < shortest:
        raise UserError(
            f"{path}: {seconds:.2f} s is too short; give clips of {shortest:.2f} s or more, best 30 s"
        )
    audio = librosa.resample(librosa.to_mono(samples), orig_sr=rate, target_sr=spec.sample_rate)
    if np.abs(audio).max() < SILENCE:
        raise UserError(f"{path}: silent; leave the clip out or replace it")
    return np.asarray(audio, np.float32)


def fused_spectrogram(audio: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Mel bands in dB, the loudest bin 0, above them the constant-Q chromagram.

    Args:
        audio: float32 `(samples,)` at `spec.sample_rate`.
        spec: What to make.

    Returns:
        float32 `(n_bands, frames)`.
    """
    stft = _stft(audio, spec)
    return _fuse(_mel_power(stft, spec), _chroma(audio, stft, spec), spec)


def track_beats(audio: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Beats of the percussive part, which has the drums and lacks sustained notes.

    The separation is D. Fitzgerald's by median filtering (DAFx 2010), the tracker D. P. W. Ellis's
    by dynamic programming (Journal of New Music Research 36(1), 2007), both as in librosa.

    Args:
        audio: float32 `(samples,)` at `spec.sample_rate`.
        spec: Gives the frames.

    Returns:
        int64 `(n,)` increasing frames; may be empty.
    """
    return _beats_of_percussive_part(_stft(audio, spec), len(audio), spec)


def beat_synced(audio: np.ndarray, beats: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """The median of every band between beats; mel as power, in dB relative to the loudest afterwards.

    Args:
        audio: float32 `(samples,)` at `spec.sample_rate`.
        beats: int `(n,)` increasing frames. Where there is none, boundaries come every half
            second (`spec.half_second`), for one column for a whole clip would be no sequence.
        spec: What to make.

    Returns:
        float32 `(n_bands, steps)`; n beats after frame 0 give n + 1 steps.
    """
    stft = _stft(audio, spec)
    return _synced(_mel_power(stft, spec), _chroma(audio, stft, spec), beats, spec)


def _stft(audio: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    return librosa.stft(audio, n_fft=spec.n_fft, hop_length=spec.hop_length)


def _mel_power(stft: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    power = np.abs(stft) ** 2.0
    return librosa.feature.melspectrogram(S=power, sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels)


def _chroma(audio: np.ndarray, stft: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    if (spec.n_fft, spec.hop_length) != (tuning.N_FFT, tuning.HOP_LENGTH):
        with _without_notices():
            stft = librosa.stft(audio, n_fft=tuning.N_FFT, hop_length=tuning.HOP_LENGTH)
    found = tuning.estimate_tuning(np.abs(stft), spec.sample_rate, BINS_PER_OCTAVE)
    return chroma_cqt(audio, spec.sample_rate, spec.hop_length, spec.n_chroma, found)


def _fuse(mel_power: np.ndarray, chroma: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    mel = librosa.power_to_db(mel_power, ref=np.max, top_db=spec.top_db)
    return np.concatenate([mel, chroma]).astype(np.float32)


def _synced(mel_power: np.ndarray, chroma: np.ndarray, beats: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    if len(beats) == 0:
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
