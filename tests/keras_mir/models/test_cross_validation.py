"""A cross-validation's scores: summed up, written and read."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from keras_mir.models.cross_validation import (
    CrossValidation,
    CrossValidationReport,
    FoldScores,
    Summary,
    read_cross_validation,
    summarised,
)
from keras_mir.models.json_file import write_json
from keras_mir.models.report import Baseline, Dataset, Interval
from keras_mir.models.report_table import print_cross_validation
from pipelines.errors import UserError

POOLED = {"accuracy": Interval(0.7, 0.6, 0.8), "macro_f1": Interval(0.5, 0.4, 0.6)}


def fold(number: int, accuracy: float | None, repeat: int = 1) -> FoldScores:
    scores = {"accuracy": accuracy, "macro_f1": 0.5}
    return FoldScores(
        repeat=repeat, fold=number, clips=10, scores=scores, epochs=12, best_epoch=9, seconds=3.4
    )


def report_of(*folds: FoldScores, repeats: int = 1) -> CrossValidationReport:
    return CrossValidationReport(
        task="genre",
        folds=len(folds) // repeats,
        repeats=repeats,
        clips=20,
        group_by="artist",
        seed=0,
        dataset=Dataset("course", False, ""),
        recipe={"name": "lstm-beat-mel"},
        by_fold=folds,
        scores=summarised(folds, POOLED),
        seconds=6.8,
        versions={"keras": "3"},
    )


def test_a_score_undefined_in_one_fold_has_no_mean():
    assert summarised([fold(1, 0.6), fold(2, 0.8)], POOLED)["accuracy"] == Summary(
        pytest.approx(0.7), pytest.approx(0.1 * 2**0.5), POOLED["accuracy"]
    )
    assert summarised([fold(1, 0.6), fold(2, None)], POOLED)["accuracy"] == Summary(
        None, None, POOLED["accuracy"]
    )


def test_it_is_read_as_it_was_written(tmp_path):
    report = report_of(fold(1, 0.6), fold(2, None))
    write_json(tmp_path / "cross_validation.json", report)
    assert read_cross_validation(tmp_path) == report
    with pytest.raises(UserError, match=r"no cross-validation there"):
        read_cross_validation(tmp_path / "none")


def test_of_several_heads_each_score_has_its_baseline_beside_it():
    pooled = {"accuracy": Interval(0.7, 0.6, 0.8), "spearman_mean": Interval(0.5, 0.4, 0.6)}
    folds = [
        dataclasses.replace(fold(n, 0.6), scores={"accuracy": 0.6, "spearman_mean": 0.5}) for n in (1, 2)
    ]
    report = dataclasses.replace(
        report_of(fold(1, 0.6), fold(2, 0.6)),
        task="genre+affect",
        scores=summarised(folds, pooled),
        baselines={"genre": Baseline("an SVM", Interval(0.5, 0.4, 0.6), Interval(0.2, 0.1, 0.3))},
    )
    assert report.headline == (
        "Genre and affect of 20 clips of music (course), 2 folds. Genre: accuracy 0.600 (deviation 0.000); "
        "out of fold 0.700 [0.600, 0.800]. An SVM gets 0.500 [0.400, 0.600]; the network is ahead by 0.200 "
        "[0.100, 0.300]. Affect: mean Spearman 0.500 (deviation 0.000); out of fold 0.500 [0.400, 0.600]."
    )


def test_it_shows_itself_as_a_table():
    result = CrossValidation(Path("run"), report_of(fold(1, 0.6), fold(2, 0.8)), pd.DataFrame())
    frame = result.frame()
    assert frame["accuracy"].tolist() == pytest.approx([0.6, 0.8, 0.7, 0.1 * 2**0.5])
    assert frame.index.tolist() == [(1, 1), (1, 2), ("mean", ""), ("deviation", "")]
    assert result.report.headline in result._repr_html_()
    assert "NaN" not in result._repr_html_()


def test_the_printed_table_has_a_row_a_fold():
    def printed(report: CrossValidationReport) -> str:
        text = io.StringIO()
        print_cross_validation(report, Console(file=text, width=100))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    assert printed(report_of(fold(1, 0.6), fold(2, None))) == (
        "Genre of 20 clips of music (course), 2 folds: accuracy undefined (deviation\n"
        "undefined); out of fold 0.700 [0.600, 0.800].\n"
        "\n"
        "fold                 clips   accuracy  macro F1  epochs  seconds\n"
        "1                       10      0.600     0.500      12        3\n"
        "2                       10  undefined     0.500      12        3\n"
        "mean                        undefined     0.500\n"
        "standard deviation          undefined     0.000\n"
        "out of fold                     0.700     0.500\n"
        "95 % interval, low              0.600     0.400\n"
        "95 % interval, high             0.800     0.600\n"
        "\n"
        "Out of fold, every clip is predicted by the model that was trained without its\n"
        "fold."
    )
    folds = [dataclasses.replace(fold(number, 0.6), repeat=r) for r in (1, 2) for number in (1, 2)]
    lines = printed(report_of(*folds, repeats=2)).splitlines()
    assert lines[0].startswith("Genre of 20 clips of music (course), 2 folds, 2 repeats: accuracy 0.600")
    assert [line.split()[0] for line in lines[3:8]] == ["repeat.fold", "1.1", "1.2", "2.1", "2.2"]
