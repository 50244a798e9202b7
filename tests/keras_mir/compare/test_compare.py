"""Runs side by side: the clips that all have, differences, intervals, and what cannot be compared."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from keras_mir.compare import __main__ as command
from keras_mir.compare.compare import compare
from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.evaluate.predictions_table import read_predictions, write_predictions
from keras_mir.evaluate.tag_metrics import thresholds_at_half
from keras_mir.models.report import Circumstances, Dataset, Interval, Split, make_report, write_report
from pipelines.errors import UserError

CLASSES = ("Blues", "Drum, Bass", "Jazz")
CONTEXT = Circumstances(
    seed=0,
    split=Split(evaluated="test", sizes={"test": 30}),
    dataset=Dataset("songs", synthetic=False, licence=""),
    recipe={"name": "lstm-beat-mel"},
    training=None,
    model="model.keras",
)


@pytest.fixture
def write(tmp_path):
    """A run's report and predictions, right for its first clips."""

    def write(
        name, right=30, clips=range(30), classes=CLASSES, targets=(), tags=(), shift=0, recipe="lstm-beat-mel"
    ):
        clips, thresholds = np.array(clips), None
        if tags:
            true = (clips[:, None] + shift) // (1 + np.arange(len(tags))) % 2
            said = np.where(clips[:, None] < right, true, 1 - true)
            labels, outputs = {"tags": true}, {"tags": 0.2 + 0.6 * said}
            thresholds, classes = thresholds_at_half(tags), ()
        elif classes:
            true = (clips + shift) % len(classes)
            said = np.where(clips < right, true, (true + 1) % len(classes))
            labels, outputs = {"genre": true}, {"genre": 0.2 + 0.4 * np.eye(len(classes))[said]}
        else:
            true = clips / 30 + shift
            said = np.where(clips < right, true, -true)
            labels, outputs = dict.fromkeys(targets, true), dict.fromkeys(targets, said)
        evaluation = compare_with_labels(labels, outputs, classes, targets, 0, thresholds)
        report = make_report(evaluation.scores, replace(CONTEXT, recipe={"name": recipe}))
        write_report(report, tmp_path / name)
        write_predictions([f"clip{clip}" for clip in clips], evaluation, tmp_path / name / "predictions.csv")
        return tmp_path / name

    return write


def test_predictions_are_read_as_they_were_written(write):
    affect = write("affect", 20, classes=(), targets=("power", "joy"))
    for folder in (write("genre", 20), affect, write("tags", 20, tags=("rock", "live"))):
        table = read_predictions(folder / "predictions.csv")
        assert list(table.table.index) == [f"clip{clip}" for clip in range(30)]
        again = table.evaluation(table.table.index)
        write_predictions(table.table.index, again, folder / "again" / "predictions.csv")
        one, other = ((place / "predictions.csv").read_bytes() for place in (folder, folder / "again"))
        assert one == other
    head = (write("genre", 20) / "predictions.csv").read_text().splitlines()[:2]
    assert head[0] == 'id,label,predicted,probability_Blues,"probability_Drum, Bass",probability_Jazz'
    assert head[1].startswith("clip0,Blues,Blues,0.6")


def test_the_better_run_is_ahead_on_the_clips_that_all_have(write):
    folders = [write("one", 15), write("two", 24, range(29, 4, -1)), write("three", 15, range(5, 30))]

    found = compare(folders)

    assert (found.score, found.n, found.left_out) == ("accuracy", 25, 5)
    one, two, three = found.runs
    assert (one.name, one.recipe, one.difference) == ("one", "lstm-beat-mel", None)
    assert [run.score.value for run in found.runs] == pytest.approx([10 / 25, 19 / 25, 10 / 25])
    assert two.difference.value == pytest.approx(9 / 25)
    assert 0 < two.difference.low < 9 / 25 < two.difference.high
    assert three.difference == Interval(0.0, 0.0, 0.0)


def test_a_seed_that_cannot_be_is_refused(write):
    with pytest.raises(UserError, match=r"^seed -1: give a number from 0 to 4294967295$"):
        compare([write("one", 15), write("two", 20)], seed=-1)


def test_affect_is_compared_by_the_mean_correlation(write):
    one = write("one", 20, classes=(), targets=("power", "joy"))
    two = write("two", 30, classes=(), targets=("joy", "power"))
    found = compare([one, two])
    assert found.score == "mean Spearman"
    assert found.runs[1].score.value == pytest.approx(1.0)
    assert found.runs[1].difference.value == pytest.approx(1.0 - found.runs[0].score.value)


def test_the_command_prints_a_table_and_writes_a_picture(write, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    write("runs/first", 15)
    write("runs/second", 24, range(28), recipe="cnn-beat-mel")
    monkeypatch.chdir(tmp_path)
    assert command.main(["first", "runs/second", "--out", "pictures"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[:2] == [
        "Accuracy of 2 runs on the same 28 clips.",
        "Left out: 2 clips that not all of them have.",
    ]
    rows = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    assert rows["first"][:3] == ["first", "lstm-beat-mel", "0.536"]
    assert rows["second"][:3] == ["second", "cnn-beat-mel", "0.857"]
    assert "0.321" in rows["second"]
    assert printed.isascii()
    assert max(map(len, printed.splitlines())) <= 80
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["comparison.png"]


def test_a_run_s_usual_name_stays_in_one_line(write, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"lstm-beat-mel-20261130-08002{second}" for second in (8, 9)]
    assert command.main([str(write(name)) for name in names]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"clips": range(30, 40)}, "no evaluated clip in common"),
        ({"classes": (), "targets": ("power",)}, "one run tells genres, the other rates affect"),
        ({"tags": ("rock", "live")}, "one run tells genres, the other gives tags"),
        ({"classes": CLASSES[:2]}, "the classes differ"),
        ({"shift": 1}, "clip 'clip0' has another label in each"),
    ],
)
def test_what_cannot_be_compared_is_one_line(write, capsys, other, problem):
    assert command.main([str(write("one")), str(write("two", **other))]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_runs_that_are_not_there_or_have_no_predictions(write, tmp_path, capsys):
    one = str(write("one"))
    assert command.main([one]) == 2
    assert command.main([one, str(tmp_path / "none")]) == 2
    older = write("older")
    (older / "predictions.csv").unlink()
    assert command.main([one, str(older)]) == 2
    assert command.main([one, one, "--out", f"{one}/report.json"]) == 2
    assert command.main([one, f"{older}/../one"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: RUN: give two or more to compare",
        f"error: {tmp_path}/none: no such run; give its folder",
        f"error: {older}/predictions.csv: no such file; evaluate the model again",
        f"error: --out {one}/report.json: a file, not a folder; choose another name",
        f"error: RUN {one}: it is named twice; give different runs",
    ]


@pytest.mark.parametrize("damage", [("label", "name"), ("Jazz", "Polka"), ("clip1,", "clip0,"), ("0.6", "x")])
def test_damaged_predictions_are_named(write, damage):
    folder = write("one")
    file = folder / "predictions.csv"
    file.write_text(file.read_text().replace("probability_Jazz", "probability_J").replace(*damage))
    with pytest.raises(UserError, match=r"predictions\.csv: .*; evaluate the model again"):
        read_predictions(file)


def test_it_needs_no_tensorflow(write):
    code = (
        "import sys\nfrom keras_mir.compare.__main__ import main\n"
        f"assert main([{str(write('one'))!r}, {str(write('two', 20))!r}]) == 0\n"
        "print(*sorted({'tensorflow', 'keras', 'librosa'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
