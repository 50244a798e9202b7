"""Tone and drum synthesis: wavetables with an envelope, filtered noise, a falling sine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

_TABLE_LENGTH = 2048  # samples of one period; a power of two, so that a phase wraps with a bit mask
_VIBRATO_HZ = 5.5
_RELEASE_S = 0.04


@dataclass(frozen=True)
class Timbre:
    """A pitched instrument.

    Harmonic `k` starts with amplitude `k ** -rolloff`; over the note the sound moves from that
    towards `k ** -(rolloff + 1.5)`, as on a string whose high partials die first.

    Attributes:
        rolloff: Exponent of the harmonics' decay; 1 is a sawtooth, 4 nearly a sine.
        attack_s: Time to full level, in seconds.
        decay_s: Time constant of the level, in seconds; infinite for a sustained sound.
        dulling_s: Time constant of the loss of brightness, in seconds.
        even: Level of the even harmonics; 0 gives a square or a clarinet.
        formants_hz: Resonances of a voice-like sound.
        voices: Detuned copies played together.
        detune_cents: Spread of the copies.
        vibrato_cents: Depth of the vibrato.
        breath: Level of noise within the tone.
        drive: Gain into a soft clipper the whole part runs through; 0 for none.
        cutoff_hz: Low-pass on the whole part.
        power_chords: Whether chords are played low and without their third.
    """

    rolloff: float
    attack_s: float = 0.005
    decay_s: float = math.inf
    dulling_s: float = math.inf
    even: float = 1.0
    formants_hz: tuple[float, ...] = ()
    voices: int = 1
    detune_cents: float = 0.0
    vibrato_cents: float = 0.0
    breath: float = 0.0
    drive: float = 0.0
    cutoff_hz: float = math.inf
    power_chords: bool = False


@dataclass(frozen=True)
class Kit:
    """A drum kit: kick (falling sine with a click), snare (tone and noise), hat (high noise)."""

    kick_hz: float
    kick_decay_s: float
    snare_hz: float
    snare_decay_s: float
    snare_noise: float
    hat_hz: float
    hat_decay_s: float


TIMBRES = {
    "acoustic_guitar": Timbre(1.3, decay_s=0.7, dulling_s=0.15),
    "clean_guitar": Timbre(1.5, decay_s=0.9, dulling_s=0.3, cutoff_hz=4500),
    "overdriven_guitar": Timbre(1.1, decay_s=1.6, dulling_s=0.6, drive=3, cutoff_hz=4200),
    "distorted_guitar": Timbre(1.0, decay_s=2.5, drive=12, cutoff_hz=5000, power_chords=True),
    "banjo": Timbre(0.9, decay_s=0.25, dulling_s=0.1),
    "piano": Timbre(1.8, decay_s=1.1, dulling_s=0.4, voices=2, detune_cents=2),
    "electric_piano": Timbre(2.6, decay_s=1.3, dulling_s=0.2, vibrato_cents=6),
    "organ": Timbre(1.7, even=0.6, vibrato_cents=12, voices=2, detune_cents=4),
    "strings": Timbre(1.4, attack_s=0.12, voices=3, detune_cents=12, vibrato_cents=14, cutoff_hz=5000),
    "synth_pad": Timbre(1.5, attack_s=0.2, voices=3, detune_cents=18, cutoff_hz=2500),
    "saw_lead": Timbre(1.0, voices=2, detune_cents=10),
    "square_lead": Timbre(1.1, even=0.05),
    "flute": Timbre(2.8, attack_s=0.05, vibrato_cents=15, breath=0.08),
    "clarinet": Timbre(1.6, attack_s=0.03, even=0.1, vibrato_cents=6),
    "saxophone": Timbre(1.2, attack_s=0.03, vibrato_cents=18, breath=0.06, formants_hz=(650, 1500)),
    "brass": Timbre(1.1, attack_s=0.04, vibrato_cents=8, voices=2, detune_cents=6, cutoff_hz=5000),
    "voice": Timbre(1.2, attack_s=0.04, vibrato_cents=22, breath=0.03, formants_hz=(600, 1100, 2600)),
    "harmonica": Timbre(0.9, attack_s=0.03, vibrato_cents=15, formants_hz=(1100, 2400)),
    "upright_bass": Timbre(2.0, attack_s=0.01, decay_s=0.5, dulling_s=0.1, cutoff_hz=1500),
    "electric_bass": Timbre(1.6, decay_s=0.9, dulling_s=0.3, cutoff_hz=2500),
    "synth_bass": Timbre(1.1, decay_s=0.4, dulling_s=0.12, cutoff_hz=3000),
    "sub_bass": Timbre(3.5, attack_s=0.01, decay_s=2.0),
    "cello": Timbre(1.5, attack_s=0.08, vibrato_cents=10, voices=2, detune_cents=6, cutoff_hz=3500),
}

KITS = {
    "acoustic": Kit(62, 0.16, 190, 0.16, 0.8, 6000, 0.05),
    "brushes": Kit(70, 0.12, 220, 0.10, 0.95, 5000, 0.16),
    "heavy": Kit(75, 0.10, 170, 0.20, 0.7, 5500, 0.12),
    "drum_machine": Kit(50, 0.35, 180, 0.14, 0.85, 8000, 0.03),
    "dusty": Kit(58, 0.20, 200, 0.18, 0.75, 4500, 0.06),
    "club": Kit(52, 0.22, 210, 0.12, 0.95, 7500, 0.04),
}


def tone(
    timbre: Timbre, frequency: float, duration_s: float, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """One note.

    Args:
        timbre: The instrument.
        frequency: Fundamental, in Hz.
        duration_s: Length in seconds, without the short release that follows.
        sample_rate: In Hz; harmonics above 0.45 of it are left out.
        rng: Source of the breath noise.

    Returns:
        float32 of shape `(samples,)` with values about in [-1, 1].
    """
    samples = max(int((duration_s + _RELEASE_S) * sample_rate), 2)
    time = np.arange(samples, dtype=np.float32) / np.float32(sample_rate)
    bright, dark = _tables(timbre, frequency, sample_rate)
    cycles = time * np.float32(frequency)
    if timbre.vibrato_cents:
        deviation_hz = frequency * (2 ** (timbre.vibrato_cents / 1200) - 1)
        swing = np.sin(np.float32(2 * np.pi * _VIBRATO_HZ) * time)
        cycles += np.float32(deviation_hz / (2 * np.pi * _VIBRATO_HZ)) * swing
    wave = np.zeros(samples, np.float32)
    fade = None if math.isinf(timbre.dulling_s) else np.exp(time / np.float32(-timbre.dulling_s))
    for voice in range(timbre.voices):
        spread = voice - (timbre.voices - 1) / 2
        ratio = np.float32(2 ** (spread * timbre.detune_cents / 1200))
        phase = ((cycles * ratio + np.float32(0.37 * voice)) * np.float32(_TABLE_LENGTH)).astype(np.int32)
        phase &= _TABLE_LENGTH - 1
        wave += bright[phase] if fade is None else dark[phase] + (bright - dark)[phase] * fade
    if timbre.breath:
        wave += np.float32(timbre.breath) * rng.standard_normal(samples, dtype=np.float32)
    level = np.minimum(time / np.float32(timbre.attack_s), np.float32(1))
    if not math.isinf(timbre.decay_s):
        level *= np.exp(time / np.float32(-timbre.decay_s))
    level *= np.clip((np.float32(duration_s + _RELEASE_S) - time) / np.float32(_RELEASE_S), 0, 1)
    return wave * (level / np.float32(math.sqrt(timbre.voices)))


def _tables(timbre: Timbre, frequency: float, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """One period at the note's start and at its end, each float32 of shape `(_TABLE_LENGTH,)`."""
    highest = int(np.clip(0.45 * sample_rate / frequency, 1, _TABLE_LENGTH // 2 - 1))
    harmonic = np.arange(1, highest + 1)
    start = harmonic**-timbre.rolloff
    start[1::2] *= timbre.even
    if timbre.formants_hz:
        hz = harmonic * frequency
        start *= 0.15 + sum(
            np.exp(-(((hz - formant) / (0.25 * formant)) ** 2)) for formant in timbre.formants_hz
        )
    spectrum = np.zeros((2, _TABLE_LENGTH // 2 + 1), np.complex128)
    spectrum[0, 1 : highest + 1] = -1j * start
    spectrum[1, 1 : highest + 1] = -1j * start * harmonic**-1.5
    bright, dark = np.fft.irfft(spectrum, axis=1)
    loudest = np.abs(bright).max()
    return (bright / loudest).astype(np.float32), (dark / loudest).astype(np.float32)


def kick(kit: Kit, sample_rate: int) -> np.ndarray:
    """A bass drum, float32 of shape `(samples,)`: a sine falling from four times its pitch, and a click."""
    time = _drum_time(kit.kick_decay_s, sample_rate)
    drop_s = 0.025
    cycles = kit.kick_hz * (time + 3 * drop_s * (1 - np.exp(-time / drop_s)))
    body = np.sin(2 * np.pi * cycles) * np.exp(-time / kit.kick_decay_s)
    click = np.exp(-time / 0.002) * np.sign(np.sin(2 * np.pi * 1800 * time))
    return (body + 0.25 * click).astype(np.float32)


def snare(kit: Kit, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """A snare drum, float32 of shape `(samples,)`: a short tone and a longer burst of noise."""
    time = _drum_time(kit.snare_decay_s, sample_rate)
    head = np.sin(2 * np.pi * kit.snare_hz * time) * np.exp(-time / (0.5 * kit.snare_decay_s))
    wires = _high_noise(len(time), 1500, sample_rate, rng) * np.exp(-time / kit.snare_decay_s)
    return ((1 - kit.snare_noise) * head + kit.snare_noise * wires).astype(np.float32)


def hat(kit: Kit, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """A cymbal, float32 of shape `(samples,)`: decaying high-pass noise."""
    time = _drum_time(kit.hat_decay_s, sample_rate)
    return (_high_noise(len(time), kit.hat_hz, sample_rate, rng) * np.exp(-time / kit.hat_decay_s)).astype(
        np.float32
    )


def _drum_time(decay_s: float, sample_rate: int) -> np.ndarray:
    return np.arange(int(6 * decay_s * sample_rate)) / sample_rate


def _high_noise(samples: int, cutoff_hz: float, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    noise = sosfilt(
        butter(2, min(cutoff_hz, 0.4 * sample_rate), "highpass", fs=sample_rate, output="sos"),
        rng.standard_normal(samples),
    )
    return noise / np.abs(noise).max()
