"""The ten genres as rough styles: what each usually chooses for tempo, rhythm, harmony and sound.

The styles overlap on purpose: tempo ranges, progressions, grooves and instruments are shared, so no
single property gives a genre away.
"""

from __future__ import annotations

from dataclasses import dataclass

# Rhythms are one bar of 4/4 in sixteenth steps. "X" is an accent, "x" a normal stroke, "o" a soft one.
STROKES = {"X": 1.0, "x": 0.7, "o": 0.35}


@dataclass(frozen=True)
class Groove:
    """A drum pattern of one bar: sixteen steps each for kick, snare and hat."""

    kick: str
    snare: str
    hat: str


GROOVES = {
    "rock": Groove("X.......X.x.....", "....X.......X...", "x.x.x.x.x.x.x.x."),
    "pop": Groove("X.....x.X.....x.", "....X.......X...", "xoxoxoxoxoxoxoxo"),
    "four_on_the_floor": Groove("X...X...X...X...", "....x.......x...", "..X...X...X...X."),
    "breakbeat": Groove("X.x.......X.....", "....X..o.o..X..o", "x.x.x.x.x.x.x.x."),
    "boom_bap": Groove("X......x..X.....", "....X.......X...", "x.x.x.x.x.xxx.x."),
    "half_time": Groove("X.....x...x.....", "o.......X.......", "x...x.o.x...x.oo"),
    "trap": Groove("X.....x...x.....", "........X.......", "x.x.xxx.x.x.xoxo"),
    "shuffle": Groove("X.......X.......", "....X.......X...", "X.x.X.x.X.x.X.x."),
    "ride": Groove("x...o...x...o...", "......o.......o.", "X...X.x.X...X.x."),
    "brushes": Groove("x.......x.......", "o.o.x.o.o.o.x.o.", "....x.......x..."),
    "stomp": Groove("X...x...X...x...", "................", "..x...x...x...x."),
    "thrash": Groove("X.x.X.x.X.x.X.x.", "..X...X...X...X.", "x.x.x.x.x.x.x.x."),
    "double_kick": Groove("XxxxXxxxXxxxXxxx", "....X.......X...", "X...X...X...X..."),
}

# One letter a note: (r)oot, (t)hird, (f)ifth, (s)ixth, (o)ctave.
BASS_LINES = {
    "whole": "r...............",
    "halves": "r.......f.......",
    "quarters": "r...r...r...r...",
    "eighths": "r.r.r.r.r.r.r.r.",
    "gallop": "r.rrr.rrr.rrr.rr",
    "offbeat": "..r...r...r...r.",
    "syncopated": "r.....r...r..o..",
    "sparse": "r.....r.........",
    "walking": "r...t...f...s...",
    "boogie": "r.t.f.s.o.s.f.t.",
}

# A stroke plays the whole chord; a digit plays one of its notes, lowest 0.
COMPING = {
    "held": "x...............",
    "halves": "x.......x.......",
    "quarters": "X...x...X...x...",
    "eighths": "X.x.x.x.X.x.x.x.",
    "gallop": "X.xxX.xxX.xxX.xx",
    "strum": "X...x.x...xox.x.",
    "backbeat": "....x.......x...",
    "offbeat": "..x...x...x...x.",
    "charleston": "X.....x.........",
    "stabs": "X..x..x...x.....",
    "fingerpicking": "0.2.1.2.0.2.1.2.",
    "arpeggio": "0121012101210121",
    "broken": "0...1...2...1...",
}


@dataclass(frozen=True)
class Playing:
    """How a genre is played; a range is `(lowest, highest)`.

    Attributes:
        tempo: Beats per minute.
        swing: Where in the beat its second half starts: 0.5 is straight, 0.667 triplet swing.
        drums: Probability that a clip has drums.
        lead: Probability that a clip has a melody.
        density: Share of eighth notes on which the melody moves.
        loose_ms: Standard deviation of the players' timing.
    """

    tempo: tuple[float, float]
    swing: tuple[float, float]
    drums: float
    lead: float
    density: tuple[float, float]
    loose_ms: float


@dataclass(frozen=True)
class Sound:
    """How a genre is recorded; a range is `(lowest, highest)`.

    Attributes:
        drum_db: Level of the drums against the chords.
        drive_db: RMS level into the final limiter; higher is louder and denser.
        reverb_s: Time constant of the room, in seconds.
        noise_db: Noise floor against the music.
        crackle: Probability of vinyl crackle.
    """

    drum_db: tuple[float, float]
    drive_db: tuple[float, float]
    reverb_s: tuple[float, float]
    noise_db: tuple[float, float]
    crackle: float


@dataclass(frozen=True)
class Style:
    """What a genre's bands choose from: names in `GROOVES`, `instruments.KITS`, `BASS_LINES`,
    `instruments.TIMBRES` (basses, chords and leads), `COMPING` and `harmony.PROGRESSIONS`.
    """

    genre: str
    playing: Playing
    sound: Sound
    grooves: tuple[str, ...]
    kits: tuple[str, ...]
    bass_lines: tuple[str, ...]
    basses: tuple[str, ...]
    comping: tuple[str, ...]
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    progressions: tuple[str, ...]


_TABLE = (
    Style(
        "Blues",
        Playing(tempo=(68, 132), swing=(0.60, 0.67), drums=0.85, lead=0.85, density=(0.3, 0.6), loose_ms=9),
        Sound(drum_db=(-3, 3), drive_db=(-15, -9), reverb_s=(0.08, 0.25), noise_db=(-60, -40), crackle=0.1),
        grooves=("shuffle", "rock", "brushes"),
        kits=("acoustic", "brushes"),
        bass_lines=("walking", "boogie", "quarters"),
        basses=("upright_bass", "electric_bass"),
        comping=("quarters", "backbeat", "eighths", "charleston"),
        chords=("clean_guitar", "overdriven_guitar", "piano", "acoustic_guitar", "organ"),
        leads=("overdriven_guitar", "harmonica", "voice", "clean_guitar"),
        progressions=("twelve_bar", "quick_change", "minor_blues", "three_chord"),
    ),
    Style(
        "Classical",
        Playing(tempo=(60, 140), swing=(0.5, 0.5), drums=0.06, lead=0.8, density=(0.25, 0.8), loose_ms=10),
        Sound(drum_db=(-9, -3), drive_db=(-22, -13), reverb_s=(0.25, 0.6), noise_db=(-65, -42), crackle=0.06),
        grooves=("stomp", "brushes"),
        kits=("brushes",),
        bass_lines=("whole", "halves", "quarters"),
        basses=("cello", "upright_bass"),
        comping=("held", "halves", "arpeggio", "fingerpicking", "broken"),
        chords=("strings", "piano", "acoustic_guitar", "strings", "brass"),
        leads=("flute", "strings", "clarinet", "piano"),
        progressions=("cadence", "minor_cadence", "canon", "andalusian", "three_chord"),
    ),
    Style(
        "Electronic",
        Playing(tempo=(96, 150), swing=(0.5, 0.54), drums=0.88, lead=0.6, density=(0.2, 0.7), loose_ms=1),
        Sound(drum_db=(-1, 6), drive_db=(-11, -5), reverb_s=(0.1, 0.35), noise_db=(-75, -50), crackle=0.03),
        grooves=("four_on_the_floor", "four_on_the_floor", "breakbeat", "half_time"),
        kits=("club", "drum_machine"),
        bass_lines=("offbeat", "eighths", "syncopated", "gallop"),
        basses=("synth_bass", "sub_bass"),
        comping=("arpeggio", "offbeat", "stabs", "held"),
        chords=("synth_pad", "saw_lead", "square_lead", "electric_piano"),
        leads=("saw_lead", "square_lead", "synth_pad", "voice"),
        progressions=("aeolian", "minor_riff", "axis", "drone", "minor_pair"),
    ),
    Style(
        "Folk",
        Playing(tempo=(76, 140), swing=(0.5, 0.58), drums=0.35, lead=0.8, density=(0.25, 0.6), loose_ms=9),
        Sound(drum_db=(-8, -1), drive_db=(-18, -11), reverb_s=(0.05, 0.2), noise_db=(-60, -42), crackle=0.06),
        grooves=("stomp", "brushes", "rock"),
        kits=("brushes", "acoustic"),
        bass_lines=("halves", "quarters", "whole"),
        basses=("upright_bass", "electric_bass", "cello"),
        comping=("fingerpicking", "strum", "quarters", "broken"),
        chords=("acoustic_guitar", "acoustic_guitar", "banjo", "piano"),
        leads=("voice", "flute", "harmonica", "strings"),
        progressions=("plagal", "three_chord", "doo_wop", "mixolydian", "axis", "aeolian"),
    ),
    Style(
        "Hip-Hop",
        Playing(tempo=(76, 112), swing=(0.5, 0.61), drums=0.95, lead=0.7, density=(0.4, 0.85), loose_ms=4),
        Sound(drum_db=(1, 7), drive_db=(-12, -6), reverb_s=(0.04, 0.15), noise_db=(-60, -38), crackle=0.3),
        grooves=("boom_bap", "boom_bap", "trap", "breakbeat", "half_time"),
        kits=("dusty", "drum_machine"),
        bass_lines=("sparse", "syncopated", "whole"),
        basses=("sub_bass", "electric_bass", "synth_bass"),
        comping=("stabs", "charleston", "halves", "broken"),
        chords=("electric_piano", "piano", "strings", "brass", "clean_guitar"),
        leads=("voice", "voice", "square_lead", "flute"),
        progressions=("minor_pair", "drone", "dorian_vamp", "aeolian", "two_five"),
    ),
    Style(
        "Jazz",
        Playing(tempo=(84, 190), swing=(0.58, 0.67), drums=0.85, lead=0.85, density=(0.45, 0.9), loose_ms=9),
        Sound(drum_db=(-6, 1), drive_db=(-18, -10), reverb_s=(0.1, 0.3), noise_db=(-60, -42), crackle=0.12),
        grooves=("ride", "ride", "brushes", "shuffle"),
        kits=("brushes", "acoustic"),
        bass_lines=("walking", "walking", "halves", "quarters"),
        basses=("upright_bass", "upright_bass", "electric_bass"),
        comping=("charleston", "backbeat", "stabs", "quarters"),
        chords=("piano", "electric_piano", "clean_guitar", "organ"),
        leads=("saxophone", "brass", "clarinet", "piano"),
        progressions=("two_five", "turnaround", "minor_two_five", "twelve_bar", "dorian_vamp"),
    ),
    Style(
        "Metal",
        Playing(tempo=(96, 190), swing=(0.5, 0.5), drums=0.97, lead=0.5, density=(0.3, 0.95), loose_ms=3),
        Sound(drum_db=(-2, 4), drive_db=(-8, -3), reverb_s=(0.04, 0.15), noise_db=(-60, -40), crackle=0.02),
        grooves=("double_kick", "thrash", "rock", "half_time"),
        kits=("heavy", "acoustic"),
        bass_lines=("eighths", "gallop", "quarters"),
        basses=("electric_bass", "synth_bass"),
        comping=("gallop", "eighths", "held", "quarters"),
        chords=("distorted_guitar", "distorted_guitar", "distorted_guitar", "overdriven_guitar"),
        leads=("distorted_guitar", "voice", "overdriven_guitar"),
        progressions=("phrygian", "minor_riff", "andalusian", "drone", "aeolian"),
    ),
    Style(
        "Pop",
        Playing(tempo=(88, 134), swing=(0.5, 0.55), drums=0.92, lead=0.9, density=(0.35, 0.7), loose_ms=3),
        Sound(drum_db=(-2, 4), drive_db=(-11, -6), reverb_s=(0.06, 0.25), noise_db=(-75, -48), crackle=0.03),
        grooves=("pop", "four_on_the_floor", "rock", "breakbeat"),
        kits=("drum_machine", "acoustic", "club"),
        bass_lines=("eighths", "syncopated", "quarters"),
        basses=("electric_bass", "synth_bass"),
        comping=("held", "quarters", "strum", "offbeat", "arpeggio"),
        chords=("piano", "synth_pad", "clean_guitar", "acoustic_guitar", "electric_piano"),
        leads=("voice", "voice", "voice", "saw_lead"),
        progressions=("axis", "doo_wop", "canon", "aeolian", "turnaround"),
    ),
    Style(
        "Rock",
        Playing(tempo=(92, 164), swing=(0.5, 0.56), drums=0.95, lead=0.8, density=(0.25, 0.65), loose_ms=6),
        Sound(drum_db=(-2, 4), drive_db=(-11, -5), reverb_s=(0.05, 0.2), noise_db=(-65, -42), crackle=0.04),
        grooves=("rock", "rock", "pop", "shuffle", "thrash"),
        kits=("acoustic", "heavy"),
        bass_lines=("eighths", "quarters", "syncopated"),
        basses=("electric_bass",),
        comping=("eighths", "strum", "quarters", "held"),
        chords=("overdriven_guitar", "overdriven_guitar", "distorted_guitar", "clean_guitar", "organ"),
        leads=("voice", "overdriven_guitar", "voice"),
        progressions=("mixolydian", "axis", "three_chord", "minor_riff", "aeolian", "quick_change"),
    ),
    Style(
        "Trip-Hop",
        Playing(tempo=(66, 104), swing=(0.5, 0.6), drums=0.9, lead=0.65, density=(0.15, 0.45), loose_ms=5),
        Sound(drum_db=(-2, 4), drive_db=(-15, -8), reverb_s=(0.2, 0.5), noise_db=(-55, -35), crackle=0.45),
        grooves=("half_time", "breakbeat", "boom_bap"),
        kits=("dusty", "dusty", "drum_machine"),
        bass_lines=("sparse", "whole", "syncopated"),
        basses=("sub_bass", "upright_bass", "synth_bass"),
        comping=("held", "broken", "halves", "offbeat"),
        chords=("electric_piano", "synth_pad", "strings", "organ"),
        leads=("voice", "strings", "synth_pad", "flute"),
        progressions=("minor_pair", "drone", "minor_two_five", "dorian_vamp", "minor_cadence"),
    ),
)

STYLES = {style.genre: style for style in _TABLE}
GENRES = tuple(STYLES)
