"""Chords, scales and the chord progressions the styles choose from."""

from __future__ import annotations

from dataclasses import dataclass

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)
BLUES_SCALE = (0, 3, 5, 6, 7, 10)

_PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_QUALITY = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7b5": (0, 3, 6, 10),
}


@dataclass(frozen=True)
class Chord:
    """A chord as a pitch class and intervals.

    Attributes:
        root: Semitones above C, 0-11.
        intervals: Semitones above the root, ascending, starting with 0.
    """

    root: int
    intervals: tuple[int, ...]

    @property
    def major(self) -> bool:
        """Whether the third is major."""
        return 4 in self.intervals


@dataclass(frozen=True)
class Progression:
    """Chords of one bar each, repeated.

    Attributes:
        tonic: Pitch class of the key, semitones above C.
        chords: One chord a bar.
        scale: What a melody over it uses, in semitones above the tonic.
        major: Whether the key is major.
    """

    tonic: int
    chords: tuple[Chord, ...]
    scale: tuple[int, ...]
    major: bool

    @property
    def mode(self) -> float:
        """From 0 (minor) to 1 (major): half the key, half the share of chords with a major third."""
        share = sum(chord.major for chord in self.chords) / len(self.chords)
        return 0.5 * self.major + 0.5 * share


def _chord(symbol: str) -> Chord:
    letters = 2 if symbol[1:2] == "b" else 1
    return Chord(_PITCH_CLASSES.index(symbol[:letters]), _QUALITY[symbol[letters:]])


def _progression(key: str, chords: str, scale: tuple[int, ...] | None = None) -> Progression:
    tonic = _chord(key)
    diatonic = MAJOR_SCALE if tonic.major else MINOR_SCALE
    return Progression(tonic.root, tuple(map(_chord, chords.split())), scale or diatonic, tonic.major)


PROGRESSIONS = {
    "twelve_bar": _progression("C", "C7 C7 C7 C7 F7 F7 C7 C7 G7 F7 C7 G7", BLUES_SCALE),
    "quick_change": _progression("C", "C7 F7 C7 G7", BLUES_SCALE),
    "minor_blues": _progression("Am", "Am7 Dm7 Am7 E7", BLUES_SCALE),
    "axis": _progression("C", "C G Am F"),
    "doo_wop": _progression("C", "C Am F G"),
    "three_chord": _progression("C", "C F G C"),
    "plagal": _progression("C", "C F C G"),
    "mixolydian": _progression("C", "C Bb F C"),
    "canon": _progression("C", "C G Am Em F C F G"),
    "cadence": _progression("C", "C Dm G7 C"),
    "minor_cadence": _progression("Am", "Am Dm E7 Am"),
    "two_five": _progression("C", "Dm7 G7 Cmaj7 Cmaj7"),
    "turnaround": _progression("C", "Cmaj7 Am7 Dm7 G7"),
    "minor_two_five": _progression("Am", "Bm7b5 E7 Am7 Am7"),
    "dorian_vamp": _progression("Am", "Am7 D7 Am7 D7"),
    "andalusian": _progression("Am", "Am G F E"),
    "aeolian": _progression("Am", "Am F C G"),
    "phrygian": _progression("Am", "Am Bb Am G"),
    "minor_riff": _progression("Am", "Am Am F G"),
    "minor_pair": _progression("Am", "Am7 Am7 Em7 Em7"),
    "drone": _progression("Am", "Am Am Am Dm"),
}
