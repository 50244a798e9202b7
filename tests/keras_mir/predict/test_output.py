"""What is printed, whole."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from keras_mir.predict.output import print_predictions
from keras_mir.predict.prediction import Prediction, Window

SHARES = {"Blues": 0.05, "Jazz": 0.8, "Metal": 0.15}
SONGS = [
    Prediction(
        path=Path("music/a.mp3"),
        duration=61.0,
        genre="Jazz",
        probabilities=SHARES,
        affect={},
        tempo=120.4,
        beat_times=(1.0, 1.5),
        windows=(Window(0.0, 30.5, SHARES), Window(30.5, 61.0, SHARES)),
        note="trained on generated music",
    ),
    Prediction(
        path=Path("music/deep/b.mp3"),
        duration=4.0,
        genre="Metal",
        probabilities={"Blues": 0.3, "Jazz": 0.3, "Metal": 0.4},
        affect={},
        tempo=None,
        beat_times=(),
        windows=(Window(0.0, 4.0, {"Blues": 0.3, "Jazz": 0.3, "Metal": 0.4}),),
        note="trained on generated music",
    ),
]

TABLE = """\
music
┏━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━┓
┃ song       ┃ length ┃ genre      ┃ next       ┃  BPM ┃
┡━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━┩
│ a.mp3      │   1:01 │  80% Jazz  │  15% Metal │  120 │
│ deep/b.mp3 │   0:04 │  40% Metal │  30% Blues │ none │
└────────────┴────────┴────────────┴────────────┴──────┘
note: trained on generated music
"""
CURVE = """\
path,start,end,genre,probability_Blues,probability_Jazz,probability_Metal
music/a.mp3,0.0,30.5,Jazz,0.05,0.8,0.15
music/a.mp3,30.5,61.0,Jazz,0.05,0.8,0.15
music/deep/b.mp3,0.0,4.0,Metal,0.3,0.3,0.4
"""
CSV = """\
path,duration,genre,probability_Blues,probability_Jazz,probability_Metal,tempo,beats
music/a.mp3,61.0,Jazz,0.05,0.8,0.15,120.4,2
music/deep/b.mp3,4.0,Metal,0.3,0.3,0.4,,0
"""
JSON = """\
{"path": "music/a.mp3", "model": "m/1", "note": "trained on generated music", "duration": 61.0, \
"genre": "Jazz", "probabilities": {"Blues": 0.05, "Jazz": 0.8, "Metal": 0.15}, "tempo": 120.4, \
"beat_times": [1.0, 1.5]}
{"path": "music/deep/b.mp3", "model": "m/1", "note": "trained on generated music", "duration": 4.0, \
"genre": "Metal", "probabilities": {"Blues": 0.3, "Jazz": 0.3, "Metal": 0.4}, "tempo": null, \
"beat_times": []}
"""


def printed(form, curve=False, songs=SONGS):
    stream = io.StringIO()
    print_predictions(iter(songs), form, stream, "m/1", curve)
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n"))


@pytest.mark.parametrize(
    ("form", "curve", "expected"),
    [("table", False, TABLE), ("csv", False, CSV), ("csv", True, CURVE), ("json", False, JSON)],
)
def test_the_whole_of_it(form, curve, expected):
    assert printed(form, curve) == expected


NO_BEATS_TABLE = """\
music
┏━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━┓
┃ song       ┃ length ┃ genre      ┃ next       ┃
┡━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━┩
│ a.mp3      │   1:01 │  80% Jazz  │  15% Metal │
│ deep/b.mp3 │   0:04 │  40% Metal │  30% Blues │
└────────────┴────────┴────────────┴────────────┘
note: trained on generated music
"""


def test_a_model_that_tracks_no_beats_has_no_column_of_tempi():
    assert printed("table", songs=[replace(song, tempo=None) for song in SONGS]) == NO_BEATS_TABLE


def test_most_models_have_no_note():
    songs = [replace(song, note="") for song in SONGS]
    assert printed("table", songs=songs) == TABLE.removesuffix("note: trained on generated music\n")
    assert '"note"' not in printed("json", songs=songs)


LIKELY = {"rock": 0.7, "live": 0.2, "guitar": 0.65, "slow": 0.1, "piano": 0.05, "solo": 0.02}
TAGGED = [
    replace(song, genre="", probabilities={}, tags=tags, thresholds=dict.fromkeys(LIKELY, 0.3), note="")
    for song, tags in zip(SONGS, (LIKELY, dict.fromkeys(LIKELY, 0.1)), strict=True)
]
TAGS_TABLE = """\
music
┏━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━┓
┃ song       ┃ length ┃ tags                 ┃ next                     ┃  BPM ┃
┡━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━┩
│ a.mp3      │   1:01 │ 70% rock, 65% guitar │ 20% live, 10% slow, 5%   │  120 │
│            │        │                      │ piano                    │      │
│ deep/b.mp3 │   0:04 │ none                 │ 10% rock, 10% live, 10%  │ none │
│            │        │                      │ guitar                   │      │
└────────────┴────────┴──────────────────────┴──────────────────────────┴──────┘
"""
TAGS_CSV = """\
path,duration,tag_rock,tag_live,tag_guitar,tag_slow,tag_piano,tag_solo,given_tags,tempo,beats
music/a.mp3,61.0,0.7,0.2,0.65,0.1,0.05,0.02,rock;guitar,120.4,2
music/deep/b.mp3,4.0,0.1,0.1,0.1,0.1,0.1,0.1,,,0
"""


def test_tags_that_reach_their_thresholds_come_first():
    assert printed("csv", songs=TAGGED) == TAGS_CSV
    assert '"given_tags": ["rock", "guitar"], "tempo": 120.4' in printed("json", songs=TAGGED)
    without = [replace(song, thresholds={}) for song in TAGGED]
    assert "given_tags" not in printed("json", songs=without) + printed("csv", songs=without)
    assert "next" not in printed("table", songs=without)
    assert printed("table", songs=TAGGED) == TAGS_TABLE


HEADS = [
    replace(
        song,
        tags=tags,
        thresholds=dict.fromkeys(tags, 0.3),
        affect={"calm": 0.5, "next": 0.125},
        windows=tuple(
            replace(window, tags=tags, affect={"calm": 0.5, "next": 0.125}) for window in song.windows
        ),
        note="",
    )
    for song, tags in zip(SONGS, ({"rock": 0.7, "live": 0.2}, {"rock": 0.1, "live": 0.1}), strict=True)
]
HEADS_TABLE = """\
music
┏━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━┳━━━━━━━┳━━━━━━┓
┃ song       ┃ length ┃ genre      ┃ tags     ┃  calm ┃ next  ┃  BPM ┃
┡━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━╇━━━━━━━╇━━━━━━┩
│ a.mp3      │   1:01 │  80% Jazz  │ 70% rock │ 0.500 │ 0.125 │  120 │
│ deep/b.mp3 │   0:04 │  40% Metal │ none     │ 0.500 │ 0.125 │ none │
└────────────┴────────┴────────────┴──────────┴───────┴───────┴──────┘
"""
HEADS_JSON = """\
{"path": "music/deep/b.mp3", "model": "m/1", "duration": 4.0, "genre": "Metal", \
"probabilities": {"Blues": 0.3, "Jazz": 0.3, "Metal": 0.4}, "tags": {"rock": 0.1, "live": 0.1}, \
"affect": {"calm": 0.5, "next": 0.125}, "given_tags": [], "tempo": null, "beat_times": [], "windows": [\
{"start": 0.0, "end": 4.0, "probabilities": {"Blues": 0.3, "Jazz": 0.3, "Metal": 0.4}, \
"tags": {"rock": 0.1, "live": 0.1}, "affect": {"calm": 0.5, "next": 0.125}}]}
"""


def test_several_heads_stand_side_by_side():
    assert printed("table", songs=HEADS) == HEADS_TABLE
    assert printed("json", curve=True, songs=HEADS[1:]) == HEADS_JSON


NARROW_TABLE = """\
music
┏━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━┳━━━━━┓
┃ song  ┃ length ┃ genre     ┃ tags        ┃  calm ┃ next  ┃ BPM ┃
┡━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━╇━━━━━┩
│ a.mp3 │   1:01 │  80% Jazz │ 70%         │ 0.500 │ 0.125 │ 120 │
│       │        │           │ joyful_acti │       │       │     │
│       │        │           │ vation, 40% │       │       │     │
│       │        │           │ live        │       │       │     │
└───────┴────────┴───────────┴─────────────┴───────┴───────┴─────┘
"""


def test_a_tag_wider_than_its_column_loses_no_letter(monkeypatch):
    monkeypatch.setenv("COLUMNS", "66")
    tags = {"joyful_activation": 0.7, "live": 0.4}
    songs = [replace(song, tags=tags, note="") for song in HEADS[:1]]
    assert printed("table", songs=songs) == NARROW_TABLE
