"""`fit --folds`: one run per fold, out-of-fold predictions, and every mistake one line before training."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import keras_mir as km
from keras_mir.compare.compare import compare
from keras_mir.fit import __main__ as fit
from keras_mir.fit.cross_validation import CrossValidationRun
from keras_mir.models.cross_validation import read_cross_validation
from pipelines.errors import ArgumentError, UserError

SMALL = {"units": 4, "layers": 1, "epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def validated(course_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("folds") / "run"
    quiet = Console(quiet=True)
    return km.cross_validate("lstm-beat-mel", course_data, 2, 2, out=out, console=quiet, seed=3, **SMALL)


@pytest.mark.slow
def test_every_clip_is_predicted_once(course_data, tmp_path):
    options = {"out": tmp_path / "run", "console": Console(quiet=True), "baseline": False}
    found = km.cross_validate("lstm-beat-mel", course_data, 2, **options, **{**SMALL, "epochs": 1})
    table = found.predictions
    assert table["id"].is_unique
    assert len(table) == 36
    hits = table["label"] == table["predicted"]
    shares = hits.groupby(table["fold"]).mean()
    assert found.scores["accuracy"].mean == pytest.approx(shares.mean())
    assert found.scores["accuracy"].pooled.value == pytest.approx(hits.mean())


@pytest.mark.slow
def test_every_clip_is_predicted_once_a_repeat_by_a_model_that_has_not_seen_it(validated):
    table = validated.predictions
    assert table.columns.tolist()[:5] == ["id", "fold", "repeat", "label", "predicted"]
    assert table.groupby("repeat")["id"].nunique().to_dict() == {1: 36, 2: 36}
    assert not [name for name in table["id"] if name.startswith("test")]
    folds = pd.read_csv(validated.folder / "folds.csv")
    for (repeat, fold), part in table.groupby(["repeat", "fold"]):
        run = validated.folder / (f"repeat-{repeat}" if repeat > 1 else "") / f"fold-{fold:02}"
        split = pd.read_csv(run / "split.csv")
        assert set(part["id"]) == set(split["id"][split["split"] == "test"])
        assert set(part["id"]) == set(folds["id"][(folds["repeat"] == repeat) & (folds["fold"] == fold)])
        assert len(split) == 36
    first, second = (part.set_index("id")["fold"] for _, part in folds.groupby("repeat"))
    assert not first.equals(second)


@pytest.mark.slow
def test_its_scores_are_those_of_the_folds(validated):
    report = validated.report
    assert [(each.repeat, each.fold, each.clips) for each in report.by_fold] == [
        (1, 1, 18),
        (1, 2, 18),
        (2, 1, 18),
        (2, 2, 18),
    ]
    own = json.loads((validated.folder / "fold-02" / "report.json").read_text())
    assert report.by_fold[1].scores["accuracy"] == own["accuracy"]["value"]
    assert own["split"]["test_from"] == "a fold"
    hits = validated.predictions["label"] == validated.predictions["predicted"]
    score = validated.scores["accuracy"]
    assert score.pooled.value == pytest.approx(hits.mean()) == pytest.approx(score.mean)
    assert score.pooled.low <= score.pooled.value <= score.pooled.high
    assert read_cross_validation(validated.folder) == report


@pytest.mark.slow
def test_the_baseline_of_all_folds_stands_beside_it(validated):
    baseline = validated.report.baseline
    folds = [
        json.loads(path.read_text())["baseline"]["score"]["value"]
        for path in validated.folder.glob("**/fold-*/report.json")
    ]
    assert (len(folds), baseline.name) == (4, "an SVM on feature statistics")
    assert baseline.score.value == pytest.approx(np.mean(folds))
    lead = validated.scores["accuracy"].pooled.value - baseline.score.value
    assert baseline.difference.value == pytest.approx(lead)
    assert baseline.difference.low < lead < baseline.difference.high
    assert validated.report.headline.endswith(baseline.sentence)
    assert validated.report.headline in repr(validated)
    answers = pd.read_csv(validated.folder / "baseline.csv")
    assert answers.columns.tolist() == validated.predictions.columns.tolist()
    hits = answers["label"] == answers["predicted"]
    assert hits.mean() == pytest.approx(baseline.score.value)


@pytest.mark.slow
def test_a_fold_is_a_run_and_the_whole_has_no_model(validated, course_data, tmp_path):
    model = km.load(validated.folder / "fold-01")
    again = model.evaluate(course_data, cache_dir=tmp_path)
    assert again.accuracy == model.report.accuracy, "its test clips are those of its fold"
    with pytest.raises(UserError, match="a cross-validation without an ensemble"):
        km.load(validated.folder)


@pytest.mark.slow
def test_it_is_compared_by_the_mean_over_the_repeats(validated):
    table = validated.predictions
    columns = [name for name in table if name.startswith("probability_")]
    means = table.groupby("id")[columns].mean()
    fold = table[(table["repeat"] == 1) & (table["fold"] == 1)].set_index("id")
    guesses = means.loc[fold.index].idxmax(axis=1).str.removeprefix("probability_")
    found = compare([validated.folder, validated.folder / "fold-01"])
    assert (found.n, found.left_out) == (18, 18)
    assert [run.recipe for run in found.runs] == ["lstm-beat-mel"] * 2
    assert [run.score.value for run in found.runs] == pytest.approx(
        [(guesses == fold["label"]).mean(), (fold["predicted"] == fold["label"]).mean()]
    )


@pytest.mark.slow
def test_a_stopped_one_goes_on_with_the_first_fold_that_is_not_finished(
    validated, course_data, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(validated.folder, run)
    for name in ("cross_validation.json", "predictions.csv"):
        (run / name).unlink()
    shutil.rmtree(run / "repeat-2" / "fold-02")
    (run / "fold-02" / "report.json").unlink()  # stopped after the last epoch
    before = (run / "repeat-2" / "fold-01" / "report.json").stat().st_mtime_ns
    assert fit.main(["--resume", str(run)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == (
        "data: course: 2 folds of 36 labelled clips; 12 test clips of the data set's own in none"
    ).replace("course", course_data.name)
    assert said[4].startswith("repeat 2 of 2, fold 2 of 2: accuracy ")
    assert said[-2:] == [f"report  {run}/cross_validation.json", f"table   {run}/predictions.csv"]
    assert (run / "predictions.csv").read_bytes() == (validated.folder / "predictions.csv").read_bytes()
    assert (run / "repeat-2" / "fold-01" / "report.json").stat().st_mtime_ns == before
    assert fit.main(["--resume", str(run)]) == 2
    assert "the run is finished" in capsys.readouterr().err

    (run / "cross_validation.json").unlink()
    folds = (run / "folds.csv").read_text().splitlines()
    (run / "folds.csv").write_text("\n".join(folds[:-1]) + "\n")
    assert fit.main(["--resume", str(run)]) == 2
    assert "the data set has changed since the run started" in capsys.readouterr().err


@pytest.mark.slow
def test_affect_is_cross_validated_too(course_data, tmp_path):
    settings = {"filters": (2,), "pools": (4,), "epochs": 1, "batch_size": 16}
    result = km.cross_validate(
        "multitask-cnn-beat-mel",
        course_data,
        folds=2,
        out=tmp_path / "run",
        console=Console(quiet=True),
        **settings,
    )
    assert list(result.scores) == ["spearman_mean", "spearman.calmness", "spearman.power"]
    assert result.predictions.columns.tolist() == [
        *("id", "fold", "repeat"),
        *("label_calmness", "predicted_calmness", "label_power", "predicted_power"),
    ]


@pytest.fixture
def as_ensemble(validated, course_data, tmp_path):
    """A copy of the cross-validation, on a copy of its data, of which the ensemble is still to be made."""
    run, data = tmp_path / "run", tmp_path / course_data.name
    shutil.copytree(validated.folder, run)
    shutil.copytree(course_data, data)
    (run / "cross_validation.json").unlink()
    options = json.loads((run / "run.json").read_text())
    changed = {"data": str(data), "ensemble": True, "export_dir": str(tmp_path / "saved_models")}
    (run / "run.json").write_text(json.dumps({**options, **changed}))
    return CrossValidationRun.continued(run, console=Console(quiet=True)), data


@pytest.mark.slow
def test_an_ensemble_is_one_model_evaluated_on_clips_that_none_has_seen(as_ensemble, tmp_path, songs):
    job, data = as_ensemble
    job.options = dataclasses.replace(job.options, export=True)
    model = job.resume().model
    assert model.description.members == 4
    assert model.report.split.evaluated == "test"
    assert model.report.split.sizes == {"train": 36, "test": 12}
    version = tmp_path / "saved_models" / "lstm-beat-mel" / "1"
    assert (version / "saved_model.pb").is_file()
    assert (job.folder.path / "confusion_matrix.png").is_file()
    features = {"features": np.full((1, 9, 128), -40, np.float32), "lengths": np.array([9], np.int32)}
    folders = [*job.folder.path.glob("fold-*"), *job.folder.path.glob("repeat-2/fold-*")]
    mean = np.mean([np.asarray(km.load(each).keras(features)["genre"]) for each in folders], axis=0)
    for place in (job.folder.path, version):
        loaded = km.load(place)
        np.testing.assert_allclose(loaded.keras(features)["genre"], mean, atol=1e-6)
        assert loaded.evaluate(data, cache_dir=tmp_path / "cache").accuracy == model.report.accuracy
        assert loaded.predict(songs / "a.flac").genre in model.classes
    card = (version / "assets.extra" / "model_card.md").read_text()
    assert "The mean of 4 models, each a bidirectional LSTM, 1 layer of 4 units" in card
    assert "4 models, each on the clips outside one fold. Batches of 16" in card
    assert "Each of the 4 models has a temperature of its own; their mean is left as it is." in card
    with pytest.raises(ArgumentError, match="the run is finished"):
        CrossValidationRun.continued(job.folder.path, console=Console(quiet=True)).resume()


@pytest.mark.slow
def test_labels_most_likely_wrong_are_listed(as_ensemble):
    pytest.importorskip("cleanlab")
    job, _ = as_ensemble
    job.options = dataclasses.replace(job.options, ensemble=False, suspicious_labels=True)
    result = job.resume()
    table = pd.read_csv(job.folder.path / "suspicious_labels.csv", dtype={"id": str})
    assert set(table["id"]) == set(result.predictions["id"])
    given = result.predictions.groupby("id")["label"].first()
    assert table["label"].tolist() == given.loc[table["id"]].tolist()
    assert table["label_quality"].is_monotonic_increasing


@pytest.mark.slow
def test_without_a_test_split_its_report_is_out_of_fold(as_ensemble, validated, tmp_path):
    job, data = as_ensemble
    genre = data / "fma_genre_spectrograms_beat"
    shutil.rmtree(genre / "test")
    (genre / "test_labels.txt").unlink()
    result = job.resume()
    report = result.model.report
    assert report.split.evaluated == "out of fold"
    assert report.split.test_from == "all folds"
    assert "Genre of 36 clips of music (course" in report.headline
    assert "out of fold): accuracy" in report.headline
    columns = [name for name in result.predictions if name.startswith("probability_")]
    means = validated.predictions.groupby("id")[columns].mean()
    guesses = means.idxmax(axis=1).str.removeprefix("probability_")
    assert float(report.accuracy) == (guesses == validated.predictions.groupby("id")["label"].first()).mean()
    with pytest.raises(ArgumentError, match=r"^split test: course.* has none; choose train or all"):
        result.model.evaluate(data, cache_dir=tmp_path / "cache")


class TestMistakes:
    @pytest.mark.parametrize(
        ("flags", "problem"),
        [
            (["--split-seed", "-1"], "--split-seed -1: give a number from 0 to 4294967295"),
            (["--folds", "1"], "--folds 1: give 2 or more, or 0 for one training"),
            (["--folds", "13"], "--folds 13: class 'Blues' has 12 clips; give fewer, or leave the class out"),
            (
                ["--folds", "3", "--split", "course"],
                "--folds 3: the course's split has no folds; choose stratified",
            ),
            (["--folds", "3", "--fold", "4"], "--fold 4: give a number from 1 to 3"),
            (["--fold", "1"], "--fold 1: goes with folds"),
            (["--repeats", "2"], "--repeats 2: goes with folds"),
            (["--ensemble"], "--ensemble: goes with folds"),
            (
                ["--folds", "2", "--ensemble", "--frames", "longest"],
                "--ensemble: its models must read the same number of frames; give frames a number",
            ),
            (["--folds", "2", "--fold", "1", "--repeats", "2"], "--repeats 2: goes with folds"),
            (
                ["--folds", "3", "--overfit-batches", "1"],
                "--overfit-batches 1: an overfit check has no folds; leave one away",
            ),
        ],
    )
    def test_one_line_before_anything_is_trained(self, flags, problem, course_data, tmp_path, capsys):
        out = tmp_path / "run"
        assert fit.main(["lstm-beat-mel", "--data", str(course_data), "--out", str(out), *flags]) == 2
        assert capsys.readouterr().err == f"error: {problem}\n"
        assert not (out / "run.json").exists()

    def test_what_is_not_installed_is_named(self, course_data, tmp_path, capsys, monkeypatch):
        flags = ("--data", str(course_data), "--out", str(tmp_path / "run"))
        for module, asked, problem in (
            ("optuna", ("--tune", "20"), "--tune 20: needs Optuna; pip install 'keras-mir[tune]'"),
            (
                "cleanlab",
                ("--folds", "2", "--suspicious-labels"),
                "--suspicious-labels: needs cleanlab; pip install 'keras-mir[labels]'",
            ),
        ):
            monkeypatch.setitem(sys.modules, module, None)
            assert fit.main([*flags, *asked]) == 2
            assert capsys.readouterr().err == f"error: {problem}\n"
        assert not (tmp_path / "run").exists()

    def test_affect_has_no_labels_to_suspect(self, course_data, tmp_path, capsys):
        flags = ("affect-lstm", "--data", str(course_data), "--folds", "2", "--suspicious-labels")
        assert fit.main([*flags, "--out", str(tmp_path / "run")]) == 2
        line = "error: --suspicious-labels: goes with genre recipes, whose labels are classes\n"
        assert capsys.readouterr().err == line

    def test_from_python(self, course_data, tmp_path):
        options = {"data": course_data, "out": tmp_path / "run", "console": Console(quiet=True)}
        with pytest.raises(ArgumentError, match=r"^folds 5: use cross_validate, or choose a fold"):
            km.train("lstm-beat-mel", folds=5, **options)
        with pytest.raises(ArgumentError, match=r"^repeats 0: give 1 or more"):
            km.cross_validate("lstm-beat-mel", repeats=0, **options)
        with pytest.raises(ArgumentError, match=r"^folds 0: give 2 or more"):
            km.cross_validate("lstm-beat-mel", folds=0, **options)
        assert not (tmp_path / "run").exists()
