"""The picture of a song: what is in it, for genre, for tags and for affect."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.colors import to_rgba

from keras_mir.predict.figure import mel_overview, prediction_figure
from keras_mir.predict.prediction import Prediction, Window
from pipelines.figures import TRAIN
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()


def figure_of(windows, probabilities=None, affect=None, tags=None, thresholds=None, name="song.mp3"):
    prediction = Prediction(
        path=Path(name),
        duration=80.0,
        genre=max(probabilities, key=probabilities.get) if probabilities else "",
        probabilities=probabilities or {},
        affect=affect or {},
        tempo=120.4,
        beat_times=(1.0, 2.0),
        windows=windows,
        tags=tags or {},
        thresholds=thresholds or {},
    )
    figure = prediction_figure(prediction, np.zeros((128, 4)), np.linspace(0, 80, 5), SPEC)
    figure.canvas.draw()
    return figure, [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


@pytest.mark.parametrize("several", [False, True])
def test_genres_over_time_and_for_the_whole(several):
    shares = {f"genre {number}": number / 105 for number in range(15)}
    windows = tuple(Window(start, start + 30, shares) for start in (0.0, 25.0, 50.0)[: 1 + 2 * several])
    figure, panels = figure_of(windows, probabilities=shares)
    assert len(panels) == 2 + several
    assert figure.get_suptitle() == "song.mp3 · genre 14 · 120 BPM"
    assert [label.get_text() for label in panels[-1].get_yticklabels()][:2] == ["genre 14", "genre 13"]
    assert len(panels[-1].patches) == 12
    assert all(axes.get_xlim() == (0, 80) for axes in panels[:-1])


def test_a_name_that_is_no_text():
    figure, _ = figure_of((Window(0.0, 80.0, {"A": 1.0}),), {"A": 1.0}, name=os.fsdecode(b"\xff.mp3"))
    assert figure.get_suptitle() == r"\xff.mp3 · A · 120 BPM"


def test_tags_and_their_thresholds():
    tags = {"rock": 0.4, "live": 0.7, "solo": 0.1}
    windows = tuple(Window(start, start + 30, tags=tags) for start in (0.0, 25.0, 50.0))
    figure, panels = figure_of(windows, tags=tags, thresholds={"rock": 0.3, "live": 0.8, "solo": 0.2})
    assert figure.get_suptitle() == "song.mp3 · 120 BPM"
    assert len(panels) == 3
    assert [label.get_text() for label in panels[-1].get_yticklabels()] == ["live", "rock", "solo"]
    assert [bar.get_facecolor() == to_rgba(TRAIN) for bar in panels[-1].patches] == [False, True, False]
    assert [float(line.get_segments()[0][0, 0]) for line in panels[-1].collections] == [0.8, 0.3, 0.2]
    assert panels[-1].get_xlabel() == "probability, and the threshold of each tag"
    _, panels = figure_of(windows, tags=tags)
    assert {bar.get_facecolor() for bar in panels[-1].patches} == {to_rgba(TRAIN)}


def test_several_heads_have_their_own_panels():
    shares, tags, affect = {"A": 0.7, "B": 0.3}, {"A": 0.4, "live": 0.7, "solo": 0.1}, {"calm": 0.25}
    windows = tuple(Window(start, start + 30, shares, tags, affect) for start in (0.0, 50.0))
    answers = {"probabilities": shares, "tags": tags, "affect": affect}
    figure, panels = figure_of(windows, **answers, thresholds=dict.fromkeys(tags, 0.5))
    assert figure.get_suptitle() == "song.mp3 · A · 120 BPM"
    assert len(panels) == 6
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in panels[1:5]]
    assert names == [["A", "B"], ["A", "B"], ["live", "A", "solo"], ["live", "A", "solo"]]
    assert [axes.get_xlabel() for axes in panels] == [
        *("time (s)", "time (s)", "probability"),
        *("time (s)", "probability, and the threshold of each tag", "time (s)"),
    ]
    assert [text.get_text() for text in panels[5].get_legend().get_texts()] == ["calm 0.25"]
    heights = panels[0].get_subplotspec().get_gridspec().get_height_ratios()
    assert heights == pytest.approx([3.0, 0.88, 0.88, 1.12, 1.12, 2.2])


def test_affect_over_time():
    windows = tuple(
        Window(start, start + 30, affect={"calm": start / 100, "joy": 0.5}) for start in (0.0, 25.0, 50.0)
    )
    figure, panels = figure_of(windows, affect={"calm": 0.25, "joy": 0.5})
    assert figure.get_suptitle() == "song.mp3 · 120 BPM"
    assert len(panels) == 2
    assert [text.get_text() for text in panels[1].get_legend().get_texts()] == ["calm 0.25", "joy 0.50"]
    assert list(panels[1].patches[0].get_data().values) == [0, 0.25, 0.5]
    assert list(panels[1].patches[0].get_data().edges) == [0, 25, 50, 80]


def test_the_picture_of_a_long_song_is_no_wider(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_mir.predict.figure._COLUMNS", 100)
    time = np.arange(90 * 8000) / 8000
    tone = 0.1 * np.sin(2 * np.pi * 1000 * time) * (time >= 45)
    soundfile.write(tmp_path / "song.flac", tone, 8000)
    mel, edges = mel_overview(tmp_path / "song.flac", 90.0, SPEC)
    assert mel.shape[0] == 128
    assert 90 <= mel.shape[1] <= 101
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(90, abs=1)
    assert mel.max() == 0
    loud = mel.max(axis=0) > -40
    assert edges[:-1][loud].min() == pytest.approx(45, abs=1)
    assert loud[np.searchsorted(edges, 46) :].all()
