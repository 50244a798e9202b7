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
class Style:
    """What a genre's bands choose from; a range is `(lowest, highest)`, a tuple of names a menu.

    Attributes:
        genre: Name of the genre.
        tempo: Beats per minute.
        swing: Where in the beat its second half starts: 0.5 is straight, 0.667 triplet swing.
        grooves: Names in `GROOVES`.
        drums: Probability that a clip has drums.
        drum_db: Level of the drums against the chords.
        kits: Names in `instruments.KITS`.
        bass_lines: Names in `BASS_LINES`.
        basses: Names in `instruments.TIMBRES`.
        comping: Names in `COMPING`.
        chords: Names in `instruments.TIMBRES`.
        leads: Names in `instruments.TIMBRES`.
        lead: Probability that a clip has a melody.
        lead_density: Share of eighth notes on which the melody moves.
        progressions: Names in `harmony.PROGRESSIONS`.
        drive_db: RMS level into the final limiter; higher is louder and denser.
        reverb_s: Time constant of the room, in seconds.
        noise_db: Noise floor against the music.
        crackle: Probability of vinyl crackle.
        looseness_ms: Standard deviation of the players' timing.
    """

    genre: str
    tempo: tuple[float, float]
    swing: tuple[float, float]
    grooves: tuple[str, ...]
    drums: float
    drum_db: tuple[float, float]
    kits: tuple[str, ...]
    bass_lines: tuple[str, ...]
    basses: tuple[str, ...]
    comping: tuple[str, ...]
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    lead: float
    lead_density: tuple[float, float]
    progressions: tuple[str, ...]
    drive_db: tuple[float, float]
    reverb_s: tuple[float, float]
    noise_db: tuple[float, float]
    crackle: float
    looseness_ms: float


_TABLE = (
    Style(
        genre="Blues",
        tempo=(68, 132),
        swing=(0.60, 0.67),
        grooves=("shuffle", "rock", "brushes"),
        drums=0.85,
        drum_db=(-3, 3),
        kits=("acoustic", "brushes"),
        bass_lines=("walking", "boogie", "quarters"),
        basses=("upright_bass", "electric_bass"),
        comping=("quarters", "backbeat", "eighths", "charleston"),
        chords=("clean_guitar", "overdriven_guitar", "piano", "acoustic_guitar", "organ"),
        leads=("overdriven_guitar", "harmonica", "voice", "clean_guitar"),
        lead=0.85,
        lead_density=(0.3, 0.6),
        progressions=("twelve_bar", "quick_change", "minor_blues", "three_chord"),
        drive_db=(-15, -9),
        reverb_s=(0.08, 0.25),
        noise_db=(-60, -40),
        crackle=0.1,
        looseness_ms=9,
    ),
    Style(
        genre="Classical",
        tempo=(60, 140),
        swing=(0.5, 0.5),
        grooves=("stomp", "brushes"),
        drums=0.06,
        drum_db=(-9, -3),
        kits=("brushes",),
        bass_lines=("whole", "halves", "quarters"),
        basses=("cello", "upright_bass"),
        comping=("held", "halves", "arpeggio", "fingerpicking", "broken"),
        chords=("strings", "piano", "acoustic_guitar", "strings", "brass"),
        leads=("flute", "strings", "clarinet", "piano"),
        lead=0.8,
        lead_density=(0.25, 0.8),
        progressions=("cadence", "minor_cadence", "canon", "andalusian", "three_chord"),
        drive_db=(-22, -13),
        reverb_s=(0.25, 0.6),
        noise_db=(-65, -42),
        crackle=0.06,
        looseness_ms=10,
    ),
    Style(
        genre="Electronic",
        tempo=(96, 150),
        swing=(0.5, 0.54),
        grooves=("four_on_the_floor", "four_on_the_floor", "breakbeat", "half_time"),
        drums=0.88,
        drum_db=(-1, 6),
        kits=("club", "drum_machine"),
        bass_lines=("offbeat", "eighths", "syncopated", "gallop"),
        basses=("synth_bass", "sub_bass"),
        comping=("arpeggio", "offbeat", "stabs", "held"),
        chords=("synth_pad", "saw_lead", "square_lead", "electric_piano"),
        leads=("saw_lead", "square_lead", "synth_pad", "voice"),
        lead=0.6,
        lead_density=(0.2, 0.7),
        progressions=("aeolian", "minor_riff", "axis", "drone", "minor_pair"),
        drive_db=(-11, -5),
        reverb_s=(0.1, 0.35),
        noise_db=(-75, -50),
        crackle=0.03,
        looseness_ms=1,
    ),
    Style(
        genre="Folk",
        tempo=(76, 140),
        swing=(0.5, 0.58),
        grooves=("stomp", "brushes", "rock"),
        drums=0.35,
        drum_db=(-8, -1),
        kits=("brushes", "acoustic"),
        bass_lines=("halves", "quarters", "whole"),
        basses=("upright_bass", "electric_bass", "cello"),
        comping=("fingerpicking", "strum", "quarters", "broken"),
        chords=("acoustic_guitar", "acoustic_guitar", "banjo", "piano"),
        leads=("voice", "flute", "harmonica", "strings"),
        lead=0.8,
        lead_density=(0.25, 0.6),
        progressions=("plagal", "three_chord", "doo_wop", "mixolydian", "axis", "aeolian"),
        drive_db=(-18, -11),
        reverb_s=(0.05, 0.2),
        noise_db=(-60, -42),
        crackle=0.06,
        looseness_ms=9,
    ),
    Style(
        genre="Hip-Hop",
        tempo=(76, 112),
        swing=(0.5, 0.61),
        grooves=("boom_bap", "boom_bap", "trap", "breakbeat", "half_time"),
        drums=0.95,
        drum_db=(1, 7),
        kits=("dusty", "drum_machine"),
        bass_lines=("sparse", "syncopated", "whole"),
        basses=("sub_bass", "electric_bass", "synth_bass"),
        comping=("stabs", "charleston", "halves", "broken"),
        chords=("electric_piano", "piano", "strings", "brass", "clean_guitar"),
        leads=("voice", "voice", "square_lead", "flute"),
        lead=0.7,
        lead_density=(0.4, 0.85),
        progressions=("minor_pair", "drone", "dorian_vamp", "aeolian", "two_five"),
        drive_db=(-12, -6),
        reverb_s=(0.04, 0.15),
        noise_db=(-60, -38),
        crackle=0.3,
        looseness_ms=4,
    ),
    Style(
        genre="Jazz",
        tempo=(84, 190),
        swing=(0.58, 0.67),
        grooves=("ride", "ride", "brushes", "shuffle"),
        drums=0.85,
        drum_db=(-6, 1),
        kits=("brushes", "acoustic"),
        bass_lines=("walking", "walking", "halves", "quarters"),
        basses=("upright_bass", "upright_bass", "electric_bass"),
        comping=("charleston", "backbeat", "stabs", "quarters"),
        chords=("piano", "electric_piano", "clean_guitar", "organ"),
        leads=("saxophone", "brass", "clarinet", "piano"),
        lead=0.85,
        lead_density=(0.45, 0.9),
        progressions=("two_five", "turnaround", "minor_two_five", "twelve_bar", "dorian_vamp"),
        drive_db=(-18, -10),
        reverb_s=(0.1, 0.3),
        noise_db=(-60, -42),
        crackle=0.12,
        looseness_ms=9,
    ),
    Style(
        genre="Metal",
        tempo=(96, 190),
        swing=(0.5, 0.5),
        grooves=("double_kick", "thrash", "rock", "half_time"),
        drums=0.97,
        drum_db=(-2, 4),
        kits=("heavy", "acoustic"),
        bass_lines=("eighths", "gallop", "quarters"),
        basses=("electric_bass", "synth_bass"),
        comping=("gallop", "eighths", "held", "quarters"),
        chords=("distorted_guitar", "distorted_guitar", "distorted_guitar", "overdriven_guitar"),
        leads=("distorted_guitar", "voice", "overdriven_guitar"),
        lead=0.5,
        lead_density=(0.3, 0.95),
        progressions=("phrygian", "minor_riff", "andalusian", "drone", "aeolian"),
        drive_db=(-8, -3),
        reverb_s=(0.04, 0.15),
        noise_db=(-60, -40),
        crackle=0.02,
        looseness_ms=3,
    ),
    Style(
        genre="Pop",
        tempo=(88, 134),
        swing=(0.5, 0.55),
        grooves=("pop", "four_on_the_floor", "rock", "breakbeat"),
        drums=0.92,
        drum_db=(-2, 4),
        kits=("drum_machine", "acoustic", "club"),
        bass_lines=("eighths", "syncopated", "quarters"),
        basses=("electric_bass", "synth_bass"),
        comping=("held", "quarters", "strum", "offbeat", "arpeggio"),
        chords=("piano", "synth_pad", "clean_guitar", "acoustic_guitar", "electric_piano"),
        leads=("voice", "voice", "voice", "saw_lead"),
        lead=0.9,
        lead_density=(0.35, 0.7),
        progressions=("axis", "doo_wop", "canon", "aeolian", "turnaround"),
        drive_db=(-11, -6),
        reverb_s=(0.06, 0.25),
        noise_db=(-75, -48),
        crackle=0.03,
        looseness_ms=3,
    ),
    Style(
        genre="Rock",
        tempo=(92, 164),
        swing=(0.5, 0.56),
        grooves=("rock", "rock", "pop", "shuffle", "thrash"),
        drums=0.95,
        drum_db=(-2, 4),
        kits=("acoustic", "heavy"),
        bass_lines=("eighths", "quarters", "syncopated"),
        basses=("electric_bass",),
        comping=("eighths", "strum", "quarters", "held"),
        chords=("overdriven_guitar", "overdriven_guitar", "distorted_guitar", "clean_guitar", "organ"),
        leads=("voice", "overdriven_guitar", "voice"),
        lead=0.8,
        lead_density=(0.25, 0.65),
        progressions=("mixolydian", "axis", "three_chord", "minor_riff", "aeolian", "quick_change"),
        drive_db=(-11, -5),
        reverb_s=(0.05, 0.2),
        noise_db=(-65, -42),
        crackle=0.04,
        looseness_ms=6,
    ),
    Style(
        genre="Trip-Hop",
        tempo=(66, 104),
        swing=(0.5, 0.6),
        grooves=("half_time", "breakbeat", "boom_bap"),
        drums=0.9,
        drum_db=(-2, 4),
        kits=("dusty", "dusty", "drum_machine"),
        bass_lines=("sparse", "whole", "syncopated"),
        basses=("sub_bass", "upright_bass", "synth_bass"),
        comping=("held", "broken", "halves", "offbeat"),
        chords=("electric_piano", "synth_pad", "strings", "organ"),
        leads=("voice", "strings", "synth_pad", "flute"),
        lead=0.65,
        lead_density=(0.15, 0.45),
        progressions=("minor_pair", "drone", "minor_two_five", "dorian_vamp", "minor_cadence"),
        drive_db=(-15, -8),
        reverb_s=(0.2, 0.5),
        noise_db=(-55, -35),
        crackle=0.45,
        looseness_ms=5,
    ),
)

STYLES = {style.genre: style for style in _TABLE}
GENRES = tuple(STYLES)
