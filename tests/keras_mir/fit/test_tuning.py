"""`fit --tune`: a search that a stop does not change, and a recipe that comes of it."""

from __future__ import annotations

import pandas as pd
import pytest

from keras_mir.evaluate.metrics import DivergedError
from keras_mir.fit import __main__ as fit
from keras_mir.fit import tuning
from keras_mir.models.cross_validation import CrossValidation, CrossValidationReport, FoldScores, summarised
from keras_mir.models.json_file import write_json
from keras_mir.models.report import Dataset, Interval
from keras_mir.recipes.named import RECIPES
from keras_mir.recipes.recipe import read_recipe

pytest.importorskip("optuna")


@pytest.fixture
def trained(monkeypatch):
    """Trials without any training: a score that follows from the settings; those of each trial, in order."""
    tried = []

    def train(self):
        assert not self.options.baseline, "it would be the same in every trial"
        settings = self.recipe.model
        tried.append((self.folder.path.name, settings.units, settings.layers, settings.dropout))
        if self.recipe.split.limit and len(tried) == self.recipe.split.limit:
            raise KeyboardInterrupt
        if settings.dropout > 0.4:
            raise DivergedError(
                "the loss is not a number after epoch 1; lower learning_rate, or set clip_norm"
            )
        folds = [
            FoldScores(
                repeat=1,
                fold=fold,
                clips=18,
                scores={"accuracy": round(1 - settings.dropout + 0.01 * fold, 6)},
                epochs=1,
                best_epoch=1,
                seconds=1.0,
            )
            for fold in (1, 2)
        ]
        report = CrossValidationReport(
            task="genre",
            folds=2,
            repeats=1,
            clips=36,
            group_by="none",
            seed=0,
            dataset=Dataset("course", False, ""),
            recipe=self.recipe.to_dict(),
            by_fold=tuple(folds),
            scores=summarised(folds, {"accuracy": Interval(0.5, 0.4, 0.6)}),
            seconds=2.0,
        )
        (self.folder.path / "fold-01").mkdir(parents=True)
        write_json(self.folder.cross_validation, report)
        return CrossValidation(self.folder.path, report, pd.DataFrame())

    monkeypatch.setattr(tuning.CrossValidationRun, "train", train)
    return tried


def search(course_data, out, *flags) -> int:
    places = ("--data", str(course_data), "--out", str(out))
    return fit.main(["lstm-beat-mel", *places, "--folds", "2", "--epochs", "7", "--tune", "8", *flags])


def test_the_best_settings_make_a_recipe(trained, course_data, tmp_path, capsys):
    assert search(course_data, tmp_path / "run") == 0
    table = pd.read_csv(tmp_path / "run" / "trials.csv")
    assert len(table) == len(trained) == 8
    assert table.columns.tolist()[:4] == ["trial", "score", "deviation", "seconds"]
    diverged = table["dropout"] > 0.4
    assert diverged.any()
    assert table["score"].isna().tolist() == diverged.tolist()
    assert table["score"].dropna().is_monotonic_decreasing
    best = read_recipe(tmp_path / "run" / "best.toml", RECIPES)
    assert best.name == "lstm-beat-mel-searched"
    assert (best.train.epochs, best.split.folds) == (7, 0), "what was given stays; folds were for the search"
    assert best.model.dropout == table["dropout"][0] == table["dropout"][~diverged].min()
    assert best.model.units == table["units"][0]
    assert (tmp_path / "run" / "best.toml").read_text().startswith('base = "lstm-beat-mel"\n')
    assert not list((tmp_path / "run").glob("trial-*/fold-*")), "models of no further use"
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("trial 1 of 8: accuracy ")
    assert [": the training diverged; " in line for line in said[1:9]] == [
        table.set_index("trial")["dropout"][trial] > 0.4 for trial in range(1, 9)
    ]
    assert said[10].split()[:2] == ["trial", str(table["trial"][0])]
    assert said[-2:] == [f"best    {tmp_path}/run/best.toml", f"table   {tmp_path}/run/trials.csv"]
    assert fit.main(["--resume", str(tmp_path / "run")]) == 2
    assert "the search is finished" in capsys.readouterr().err


def test_a_search_that_was_stopped_goes_on_as_it_would_have(trained, course_data, tmp_path, capsys):
    assert search(course_data, tmp_path / "whole") == 0
    whole = list(trained)
    trained.clear()
    assert search(course_data, tmp_path / "run", "--limit", "4") == 130
    assert f"continue with: python -m keras_mir.fit --resume {tmp_path}/run\n" in capsys.readouterr().out
    assert fit.main(["--resume", str(tmp_path / "run")]) == 0
    assert trained[3] == trained[4], "the trial that was stopped is tried again"
    assert trained[:3] + trained[4:] == whole


def test_settings_that_are_given_are_not_varied(trained, course_data, tmp_path):
    assert search(course_data, tmp_path / "run", "--units", "5", "--layers", "1") == 0
    assert {(units, layers) for _, units, layers, _ in trained} == {(5, 1)}


def test_one_line_before_anything_is_tried(trained, course_data, tmp_path, capsys):
    for flags, problem in (
        (("--ensemble",), "--ensemble: a search has none; ask for it with its best recipe"),
        (("--folds", "1"), "--folds 1: give 2 or more, or 0 for one training"),
        (("--folds", "13"), "--folds 13: class 'Blues' has 12 clips; give fewer, or leave the class out"),
    ):
        assert search(course_data, tmp_path / "run", *flags) == 2
        assert capsys.readouterr().err == f"error: {problem}\n"
    assert not trained
    assert not (tmp_path / "run" / "run.json").exists()
