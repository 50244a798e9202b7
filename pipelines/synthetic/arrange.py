"""From a style to a band, and from a band to a score: what is played when, before any sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from pipelines.synthetic.harmony import PROGRESSIONS, Chord, Progression
from pipelines.synthetic.instruments import KITS, TIMBRES, Kit, Timbre
from pipelines.synthetic.styles import BASS_LINES, COMPING, GENRES, GROOVES, STROKES, STYLES, Style

# How often a band or a clip takes one of its choices from another style. Together with the shared
# menus it keeps a good classifier below certainty.
_BORROW = 0.08
_STEPS_PER_BEAT = 4
_BEATS_PER_BAR = 4
_BASS_STEPS = {"r": 0, "t": 4, "f": 7, "s": 9, "o": 12}


@dataclass(frozen=True)
class Band:
    """A fictitious band: what its clips have in common.

    Attributes:
        style: What it plays.
        tempo: The tempo its clips are near, in beats per minute.
        swing: See `Playing.swing`.
        kit: Its drums.
        bass: Its bass.
        chords: Its accompanying instrument.
        lead: Its melody instrument.
        tuning_cents: Offset of its concert pitch from A4 = 440 Hz.
        treble_db: Gain of its recordings above 2 kHz.
        reverb_s: Time constant of its room, in seconds.
    """

    style: Style
    tempo: float
    swing: float
    kit: Kit
    bass: Timbre
    chords: Timbre
    lead: Timbre
    tuning_cents: float
    treble_db: float
    reverb_s: float


class Note(NamedTuple):
    """A pitched note; times in seconds, pitch as a MIDI number, velocity in (0, 1]."""

    start_s: float
    duration_s: float
    pitch: int
    velocity: float


class Hit(NamedTuple):
    """A drum stroke; time in seconds, velocity in (0, 1]."""

    start_s: float
    velocity: float


@dataclass(frozen=True)
class Score:
    """Everything that is played in a clip.

    Attributes:
        tempo: Beats per minute, constant.
        beat_times: float64 of shape `(beats,)`, in seconds, within the clip.
        mode: From 0 (minor) to 1 (major); see `Progression.mode`.
        bass: Notes of the bass.
        chords: Notes of the accompaniment.
        lead: Notes of the melody; may be empty.
        drums: Strokes of `kick`, `snare` and `hat`; empty where there are no drums.
    """

    tempo: float
    beat_times: np.ndarray
    mode: float
    bass: list[Note]
    chords: list[Note]
    lead: list[Note]
    drums: dict[str, list[Hit]]

    def onset_rate(self, duration_s: float) -> float:
        """Distinct onsets a second; what starts within 30 ms counts once."""
        parts: tuple[Sequence[Note | Hit], ...] = (self.bass, self.chords, self.lead, *self.drums.values())
        starts = np.sort([event.start_s for part in parts for event in part if event.start_s >= 0])
        return float(1 + np.sum(np.diff(starts) > 0.03)) / duration_s if len(starts) else 0.0


def form_band(style: Style, rng: np.random.Generator) -> Band:
    """Draw a band that plays `style`."""
    return Band(
        style=style,
        tempo=rng.uniform(*style.playing.tempo),
        swing=rng.uniform(*style.playing.swing),
        kit=KITS[_pick(_source(style, rng).kits, rng)],
        bass=TIMBRES[_pick(_source(style, rng).basses, rng)],
        chords=TIMBRES[_pick(_source(style, rng).chords, rng)],
        lead=TIMBRES[_pick(_source(style, rng).leads, rng)],
        tuning_cents=float(np.clip(rng.normal(0, 15), -45, 45)),
        treble_db=rng.uniform(-5, 5),
        reverb_s=rng.uniform(*_source(style, rng).sound.reverb_s),
    )


def arrange(band: Band, duration_s: float, rng: np.random.Generator) -> Score:
    """Draw what the band plays in one clip, cut from somewhere within a song.

    Args:
        band: Who plays.
        duration_s: Length of the clip in seconds.
        rng: Source of every choice.

    Returns:
        The score; its first bar may begin before the clip does.
    """
    style, playing = band.style, band.style.playing
    tempo = float(np.clip(band.tempo * rng.normal(1, 0.05), 60, 200))
    beat_s = 60 / tempo
    first_beat_s = rng.uniform(0, beat_s)
    beats_into_bar = int(rng.integers(1, _BEATS_PER_BAR + 1))
    grid = _Grid(first_beat_s - beats_into_bar * beat_s, beat_s, band.swing, playing.loose_ms / 1000, rng)
    bars = int(np.ceil((duration_s - grid.origin_s) / grid.bar_s))

    progression = PROGRESSIONS[_pick(_source(style, rng).progressions, rng)]
    key = int(rng.integers(12))
    first_chord = int(rng.integers(len(progression.chords)))
    harmony = [progression.chords[(first_chord + bar) % len(progression.chords)] for bar in range(bars)]

    groove = GROOVES[_pick(_source(style, rng).grooves, rng)]
    drum_bars = bars if rng.random() < playing.drums else 0
    comping = COMPING[_pick(_source(style, rng).comping, rng)]
    bass_line = BASS_LINES[_pick(_source(style, rng).bass_lines, rng)]
    has_lead = rng.random() < playing.lead
    lead_density = rng.uniform(*playing.density)
    return Score(
        tempo=tempo,
        beat_times=np.arange(first_beat_s, duration_s, beat_s),
        mode=progression.mode,
        bass=_bass(bass_line, harmony, key, grid),
        chords=_chords(comping, harmony, key, band.chords.power_chords, grid),
        lead=_lead(progression, harmony, key, lead_density, grid, rng) if has_lead else [],
        drums={part: _hits(pattern, drum_bars, grid) for part, pattern in asdict(groove).items()},
    )


@dataclass(frozen=True)
class _Grid:
    """Where the sixteenth steps of a bar fall, in seconds. Swing moves all but the beats."""

    origin_s: float
    beat_s: float
    swing: float
    looseness_s: float
    rng: np.random.Generator

    @property
    def bar_s(self) -> float:
        return _BEATS_PER_BAR * self.beat_s

    def time(self, bar: int, step: int) -> float:
        beat, within = divmod(step, _STEPS_PER_BEAT)
        offset = (0.0, self.swing / 2, self.swing, (1 + self.swing) / 2)[within]
        return self.origin_s + bar * self.bar_s + (beat + offset) * self.beat_s

    def loose(self, time_s: float) -> float:
        """The same time as a player meets it."""
        return time_s + self.looseness_s * float(np.clip(self.rng.standard_normal(), -2, 2))

    def span(self, bar: int, step: int, end: int, held: float) -> tuple[float, float]:
        """Where a note starts, and for how long it sounds if it is `held` for a share of its steps."""
        start_s = self.time(bar, step)
        return self.loose(start_s), held * (self.time(bar, end) - start_s)


def _hits(pattern: str, bars: int, grid: _Grid) -> list[Hit]:
    return [
        Hit(grid.loose(grid.time(bar, step)), STROKES[stroke])
        for bar in range(bars)
        for step, stroke in enumerate(pattern)
        if stroke in STROKES
    ]


def _bass(line: str, harmony: list[Chord], key: int, grid: _Grid) -> list[Note]:
    notes = []
    for bar, chord in enumerate(harmony):
        for step, end, letter in _strokes(line):
            interval = _BASS_STEPS[letter] - (letter == "t" and not chord.major)
            pitch = _at_or_above(33, chord.root + key) + interval
            notes.append(Note(*grid.span(bar, step, end, 0.95), pitch, 0.8))
    return notes


def _chords(comping: str, harmony: list[Chord], key: int, power: bool, grid: _Grid) -> list[Note]:
    notes = []
    for bar, chord in enumerate(harmony):
        if power:
            root = _at_or_above(40, chord.root + key)
            pitches = [root, root + 7, root + 12]
        else:
            pitches = sorted(_at_or_above(54, chord.root + key + interval) for interval in chord.intervals)
        for step, end, stroke in _strokes(comping):
            span = grid.span(bar, step, end, 0.95)
            played = [pitches[int(stroke)]] if stroke.isdigit() else pitches
            notes += [Note(*span, pitch, STROKES.get(stroke, 0.8)) for pitch in played]
    return notes


def _lead(
    progression: Progression,
    harmony: list[Chord],
    key: int,
    density: float,
    grid: _Grid,
    rng: np.random.Generator,
) -> list[Note]:
    """A motif of two bars, repeated; on strong beats it moves to a note of the chord."""
    scale = [pitch for pitch in range(64, 86) if (pitch - key - progression.tonic) % 12 in progression.scale]
    eighths = np.arange(0, _BEATS_PER_BAR * _STEPS_PER_BEAT, 2)
    strong = eighths % _STEPS_PER_BEAT == 0
    moves = rng.random((2, len(eighths))) < np.where(strong, min(1.3 * density, 1), 0.7 * density)
    moves[:, 0] = True
    walk = np.cumsum(rng.integers(-2, 3, moves.shape))
    degrees = np.abs((walk + len(scale) // 2) % (2 * len(scale) - 2) - (len(scale) - 1)).reshape(moves.shape)
    notes = []
    for bar, chord in enumerate(harmony):
        chosen = [int(step) for step in eighths[moves[bar % 2]]]
        ends = [*chosen[1:], _BEATS_PER_BAR * _STEPS_PER_BEAT]
        for step, end in zip(chosen, ends, strict=True):
            pitch = scale[degrees[bar % 2, step // 2]]
            if step % 8 == 0:
                near = [_at_or_above(pitch - 6, chord.root + key + interval) for interval in chord.intervals]
                pitch = near[int(np.argmin(np.abs(np.array(near) - pitch)))]
            notes.append(Note(*grid.span(bar, step, end, 0.9), pitch, 0.9 if step % 4 == 0 else 0.7))
    return notes


def _strokes(pattern: str) -> list[tuple[int, int, str]]:
    """The `(step, step of the next stroke or of the bar's end, character)` of each stroke."""
    steps = [step for step, stroke in enumerate(pattern) if stroke != "."]
    return [(step, end, pattern[step]) for step, end in zip(steps, [*steps[1:], len(pattern)], strict=True)]


def _at_or_above(lowest: int, pitch_class: int) -> int:
    """The lowest MIDI pitch of `pitch_class` that is not below `lowest`."""
    return lowest + (pitch_class - lowest) % 12


def _pick(menu: tuple[str, ...], rng: np.random.Generator) -> str:
    return menu[int(rng.integers(len(menu)))]


def _source(style: Style, rng: np.random.Generator) -> Style:
    """The style a choice is taken from: as a rule its own."""
    return STYLES[_pick(GENRES, rng)] if rng.random() < _BORROW else style
