"""A prediction as people see it in Python and in a notebook, and as rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from keras_mir.predict.prediction import Prediction, Window

SHARES = {"Blues": 0.05, "Jazz & Soul": 0.7, "Metal": 0.15, "Rock": 0.1}
GENRE = Prediction(
    path=Path("music/song.mp3"),
    duration=205.4321,
    genre="Jazz & Soul",
    probabilities=SHARES,
    affect={},
    tempo=120.4,
    beat_times=(1.0, 1.5),
    windows=(Window(0.0, 102.7, {**SHARES, "Rock": 0.9}), Window(102.7, 205.4321, SHARES)),
)
AFFECT = Prediction(
    path=None,
    duration=61.0,
    genre="",
    probabilities={},
    affect={"calm": 0.25, "joy": 0.5},
    tempo=None,
    beat_times=(),
    windows=(Window(0.0, 61.0, affect={"calm": 0.25, "joy": 0.5}),),
    note="trained on generated music",
)


def test_one_line_says_it_all():
    assert repr(GENRE) == "<song.mp3, 3:25, 120 BPM: Jazz & Soul 70%, Metal 15%, Rock 10%>"
    assert str(AFFECT) == "<samples, 1:01: calm 0.250, joy 0.500; trained on generated music>"


def test_a_notebook_shows_a_table():
    assert GENRE._repr_html_() == (
        "<table><caption>song.mp3, 3:25, 120 BPM</caption>"
        "<tr><th>Jazz &amp; Soul</th><td>70%</td></tr><tr><th>Metal</th><td>15%</td></tr>"
        "<tr><th>Rock</th><td>10%</td></tr><tr><th>Blues</th><td>5%</td></tr></table>"
    )
    assert AFFECT._repr_html_().endswith("</table><p>trained on generated music</p>")


def test_frames_have_the_columns_of_the_csv():
    frame = GENRE.frame()
    columns = ["path", "duration", "genre", *(f"probability_{name}" for name in SHARES), "tempo", "beats"]
    assert list(frame) == columns
    assert frame.iloc[0].tolist() == ["music/song.mp3", 205.432, "Jazz & Soul", *SHARES.values(), 120.4, 2]
    windows = GENRE.frame(windows=True)
    assert list(windows) == ["path", "start", "end", "genre", *(f"probability_{name}" for name in SHARES)]
    assert windows["genre"].tolist() == ["Rock", "Jazz & Soul"]
    assert windows["end"].tolist() == [102.7, 205.432]


def test_songs_with_and_without_a_beat_are_one_frame():
    frame = pd.concat([AFFECT.frame(), AFFECT.frame()])
    assert list(frame) == ["path", "duration", "affect_calm", "affect_joy", "tempo", "beats"]
    assert frame["tempo"].dtype == np.float64
    assert frame["tempo"].isna().all()
    assert AFFECT.rows()[0]["tempo"] is None
    with pytest.raises(KeyError):
        AFFECT.frame(windows=True)["tempo"]


def test_several_heads_are_said_one_after_the_other():
    both = replace(
        GENRE,
        tags={"loud": 0.2, "live": 0.9},
        thresholds={"loud": 0.5, "live": 0.5},
        affect={"calm": 0.25},
        windows=(Window(0.0, 205.4321, SHARES, {"loud": 0.2, "live": 0.9}, {"calm": 0.25}),),
    )
    assert list(both.heads) == ["genre", "tags", "affect"]
    assert repr(both) == (
        "<song.mp3, 3:25, 120 BPM: Jazz & Soul 70%, Metal 15%, Rock 10%; live 90%, loud 20%; calm 0.250>"
    )
    assert both._repr_html_().count("<tr>") == len(SHARES) + 3
    assert both.values == both.probabilities
    columns = ["genre", *(f"probability_{name}" for name in SHARES), "tag_loud", "tag_live", "affect_calm"]
    assert list(both.rows()[0]) == ["path", "duration", *columns, "given_tags", "tempo", "beats"]
    assert list(both.rows(windows=True)[0]) == ["path", "start", "end", *columns]
