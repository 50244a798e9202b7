"""A genre and a seed in, a clip of synthetic music with its beats and affect values out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

from pipelines.errors import UserError
from pipelines.synthetic.affect import affect
from pipelines.synthetic.arrange import Band, Hit, Note, Score, arrange, form_band
from pipelines.synthetic.instruments import Timbre, hat, kick, snare, tone
from pipelines.synthetic.styles import GENRES, STYLES

GENERATOR_VERSION = 1  # raise it whenever the same seed gives other audio or other labels

_BASS_DB, _LEAD_DB = -2.0, -1.0  # against the chords
_FRAME, _HOP = 1024, 512  # of the spectrogram the audible properties are measured on, in samples


@dataclass(frozen=True)
class Clip:
    """Synthetic music with its ground truth.

    Attributes:
        audio: float32 of shape `(samples,)`, within [-1, 1].
        sample_rate: In Hz.
        beat_times: float64 of shape `(beats,)`, in seconds, `60 / tempo` apart.
        tempo: Beats per minute.
        genre: One of `styles.GENRES`.
        affect: `valence`, `energy` and `danceability`, each in [0, 1]; see `affect.FORMULAS`.
    """

    audio: np.ndarray
    sample_rate: int
    beat_times: np.ndarray
    tempo: float
    genre: str
    affect: dict[str, float]


def render_clip(genre: str, seed: int, duration_s: float = 12.0, sample_rate: int = 22050) -> Clip:
    """Render a clip by a band of its own.

    Args:
        genre: One of `styles.GENRES`.
        seed: Same seed, same clip; 0 or more.
        duration_s: Length in seconds, at least 1.
        sample_rate: In Hz, at least 8000.

    Raises:
        UserError: If an argument is out of its range.
    """
    if genre not in STYLES:
        raise UserError(f"genre {genre!r}: unknown; choose one of {', '.join(GENRES)}")
    check_format(seed, duration_s, sample_rate)
    rng = np.random.default_rng((seed, GENRES.index(genre)))
    return perform(form_band(STYLES[genre], rng), rng, duration_s, sample_rate)


def check_format(seed: int, duration_s: float, sample_rate: int) -> None:
    """Refuse what no clip can be.

    Raises:
        UserError: If the seed is negative, the duration under 1 s or over 10 minutes, or the rate under
            8 kHz.
    """
    if seed < 0:
        raise UserError(f"seed {seed}: give a whole number of 0 or more")
    if not 1 <= duration_s <= 600:
        raise UserError(f"duration {duration_s:g} s: give a value from 1 to 600")
    if sample_rate < 8000:
        raise UserError(f"sample rate {sample_rate} Hz: give 8000 or more")


def perform(band: Band, rng: np.random.Generator, duration_s: float, sample_rate: int) -> Clip:
    """Render a clip by `band`; arguments as `render_clip`."""
    score = arrange(band, duration_s, rng)
    samples = round(duration_s * sample_rate)
    sound = band.style.sound
    drums = _gain(_drums(score, band, samples, sample_rate, rng), rng.uniform(*sound.drum_db))
    pitched = _part(score.chords, band.chords, band, samples, sample_rate, rng)
    pitched += _gain(_part(score.bass, band.bass, band, samples, sample_rate, rng), _BASS_DB)
    pitched += _gain(_part(score.lead, band.lead, band, samples, sample_rate, rng), _LEAD_DB)
    mix = _room(drums + pitched, band.reverb_s, sample_rate, rng)
    treble = butter(1, 2000, "highpass", fs=sample_rate, output="sos").astype(np.float32)
    mix = mix + np.float32(10 ** (band.treble_db / 20) - 1) * sosfilt(treble, mix)
    mix = _add_noise(mix, sound.noise_db, rng.random() < sound.crackle, sample_rate, rng)
    audio = _master(mix, rng.uniform(*sound.drive_db), rng.uniform(0.7, 0.97))
    centroid_hz, pulse_clarity = _spectral(audio, score.beat_times, sample_rate)
    rated = affect(
        rng,
        level_db=20 * float(np.log10(_rms(audio))),
        onset_rate=score.onset_rate(duration_s),
        centroid_hz=centroid_hz,
        mode=score.mode,
        tempo=score.tempo,
        pulse_clarity=pulse_clarity,
        drum_share=_rms(drums) / _rms(drums + pitched),
    )
    return Clip(audio, sample_rate, score.beat_times, score.tempo, band.style.genre, rated)


def _part(
    notes: list[Note], timbre: Timbre, band: Band, samples: int, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """One instrument's track, float32 of shape `(samples,)`, with an RMS of 1 where it sounds."""
    track = np.zeros(samples, np.float32)
    played: dict[tuple[int, int], np.ndarray] = {}  # a repeated note is synthesised once
    for note in notes:
        key = (note.pitch, round(1000 * note.duration_s))
        if key not in played:
            frequency = 440 * 2 ** ((note.pitch - 69) / 12 + band.tuning_cents / 1200)
            played[key] = tone(timbre, frequency, key[1] / 1000, sample_rate, rng)
        _add(track, played[key] * np.float32(note.velocity), note.start_s, sample_rate)
    if timbre.drive and notes:
        track = np.tanh(np.float32(timbre.drive) * track)
    if timbre.cutoff_hz < 0.45 * sample_rate:
        sections = butter(2, timbre.cutoff_hz, "lowpass", fs=sample_rate, output="sos").astype(np.float32)
        track = sosfilt(sections, track)
    return _level(track)


def _drums(score: Score, band: Band, samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """The drums, float32 of shape `(samples,)`, with an RMS of 1 where they sound."""
    track = np.zeros(samples, np.float32)
    strokes: tuple[tuple[list[Hit], np.ndarray, float], ...] = (
        (score.drums["kick"], kick(band.kit, sample_rate), 1.0),
        (score.drums["snare"], snare(band.kit, sample_rate, rng), 0.8),
        (score.drums["hat"], hat(band.kit, sample_rate, rng), 0.3),
    )
    for hits, sound, level in strokes:
        for hit in hits:
            _add(track, sound * np.float32(level * hit.velocity), hit.start_s, sample_rate)
    return _level(track)


def _add(track: np.ndarray, sound: np.ndarray, start_s: float, sample_rate: int) -> None:
    """Mix `sound` into `track` in place; what lies outside is cut off."""
    start = round(start_s * sample_rate)
    first, last = max(start, 0), min(start + len(sound), len(track))
    if first < last:
        track[first:last] += sound[first - start : last - start]


def _rms(track: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(track, dtype=np.float64))))


def _level(track: np.ndarray) -> np.ndarray:
    sounding = track[np.abs(track) > 1e-3]
    return track / np.float32(_rms(sounding)) if len(sounding) else track


def _gain(track: np.ndarray, gain_db: float) -> np.ndarray:
    return track * np.float32(10 ** (gain_db / 20))


def _room(mix: np.ndarray, reverb_s: float, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """The mix in a room: convolved with exponentially decaying noise, at a fixed wet level."""
    tail = rng.standard_normal(int(5 * reverb_s * sample_rate), dtype=np.float32)
    tail *= np.exp(-np.arange(len(tail), dtype=np.float32) / np.float32(reverb_s * sample_rate))
    tail *= np.float32(0.35) / np.sqrt(np.sum(np.square(tail)))
    length = next_fast_len(len(mix) + len(tail) - 1, real=True)
    wet = irfft(rfft(mix, length) * rfft(tail, length), length)
    return mix + wet[: len(mix)]


def _add_noise(
    mix: np.ndarray, noise_db: tuple[float, float], crackle: bool, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """A recording's noise floor and, where asked for, the clicks of a worn record."""
    noise = _gain(rng.standard_normal(len(mix), dtype=np.float32), rng.uniform(*noise_db))
    if crackle:
        clicks = rng.integers(0, len(mix), int(12 * len(mix) / sample_rate))
        noise[clicks] += rng.normal(0, 0.8, len(clicks)).astype(np.float32)
    return mix + np.float32(_rms(mix)) * noise


def _master(mix: np.ndarray, drive_db: float, peak: float) -> np.ndarray:
    """Into a soft limiter at an RMS of `drive_db`, then to the given peak."""
    limited = np.tanh(mix * np.float32(10 ** (drive_db / 20) / _rms(mix)))
    return limited * np.float32(peak / np.abs(limited).max())


def _spectral(audio: np.ndarray, beat_times: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Centroid of the mean spectrum, in Hz, and clarity of the pulse.

    The clarity is the spectral flux at the beats, as the greatest of the frames around each, over its
    mean.
    """
    frames = np.lib.stride_tricks.sliding_window_view(audio, _FRAME)[::_HOP]
    spectrum = np.abs(rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1))  # (frames, bins)
    mean = spectrum.mean(axis=0)
    centroid = np.sum(np.linspace(0, sample_rate / 2, len(mean)) * mean) / np.sum(mean)
    flux = np.maximum(np.diff(np.log1p(spectrum), axis=0), 0).sum(axis=1)
    # flux[i] compares the frames centred at i and i + 1 hops (plus half a frame).
    at_beats = np.round((beat_times * sample_rate - _FRAME / 2) / _HOP - 0.5).astype(int)
    around = np.clip(at_beats[:, None] + np.arange(-1, 2), 0, len(flux) - 1)
    return float(centroid), float(flux[around].max(axis=1).mean() / flux.mean())
