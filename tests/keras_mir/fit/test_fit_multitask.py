"""Genre, tags and affect together: one training on clips of which some lack some labels, to an export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import keras_mir as km
from keras_mir.command_line.progress import Shown
from keras_mir.compare.compare import compare
from keras_mir.data.find import find_examples
from keras_mir.data.load import load_data
from keras_mir.evaluate.predictions_table import read_heads
from keras_mir.fit.__main__ import main
from keras_mir.fit.model import compile_model, new_model
from keras_mir.models.report import GenreReport, MultitaskReport, read_report
from keras_mir.models.session import ServedModel
from keras_mir.recipes.named import named_recipe
from pipelines.errors import UserError

SMALL = {
    **{"filters": (4,), "pools": (2,), "input_pool": (2, 2), "frames": 16, "batch_size": 8, "epochs": 2},
    **{"freq_mask": 0, "time_mask": 0},
}
HEADS = {
    **{"task": "genre+tags+affect", "tags": ("live", "slow"), "epochs": 12, "batch_size": 8, "l2": 0.0},
    **{"learning_rate": 0.05, "dropout": 0.0, "mixup": 0.1},
}
CLIPS = 90
TASKS = ("genre", "tags", "affect")
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """`Metal` is loud, `live` has much chroma, `calm` is the absence of it; a third lacks each of these."""
    root, random = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    (root / "features").mkdir()
    (root / "vectors").mkdir()
    rows = []
    for number in range(CLIPS):
        metal, live, slow = random.integers(0, 2, 3)
        mel = random.uniform(-60, -40, (128, 24)) + 30 * metal
        chroma = random.uniform(0, 0.3, (12, 24)) + 0.7 * live
        fused = np.concatenate([mel, chroma]).astype(np.float32)
        np.save(root / "features" / f"{number}.npy", fused)
        np.save(root / "vectors" / f"{number}.npy", [fused[:128].mean() / 40 + 1, fused[128:].mean() - 0.5])
        tags = ";".join(name for name, has in (("live", live), ("slow", slow)) if has) or "neither"
        labels = ["Metal" if metal else "Jazz", tags, f"{1 - live + 0.1 * random.uniform():.4f}"]
        labels[number % 3] = ""
        rows.append((number, *labels, "test" if number % 5 == 0 else "train"))
    table = pd.DataFrame(rows, columns=["id", "genre", "tags", "calm", "split"])
    for folder in ("features", "vectors"):
        table.to_csv(root / folder / "labels.csv", index=False)
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "heads"
    texts = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in HEADS.items()}
    flags = [word for name, text in texts.items() for word in (f"--{name.replace('_', '-')}", str(text))]
    command = ["vectors", "--data", str(data / "vectors"), "--out", str(out), "--name", "heads", *flags]
    assert main([*command, "--no-export"]) == 0
    return out


@pytest.mark.slow
def test_the_report_is_on_each_head_and_its_own_clips(run, data):
    report = read_report(run)
    assert isinstance(report, MultitaskReport)
    assert report.task == "genre+tags+affect"
    assert report.split.sizes == {"train": 72, "test": 18}
    assert {task: scores.n for task, scores in report.heads.items()} == {
        "genre": 12,
        "tags": 12,
        "affect": 12,
    }
    assert float(report.genre.accuracy) > 0.9
    assert float(report.tags.roc_auc["live"]) > 0.9
    assert float(report.affect.spearman["calm"]) > 0.5
    assert {task: baseline.name for task, baseline in report.baselines.items()} == {
        "genre": "an SVM on feature statistics",
        "tags": "an SVM for each tag on feature statistics",
        "affect": "a kernel ridge regression on feature statistics",
    }
    assert {path.name for path in run.glob("*.png")} == {
        *("confusion_matrix.png", "reliability.png", "tags.png", "precision_recall.png", "scatter.png"),
        "learning_curves.png",
    }
    history = set(pd.read_csv(run / "history.csv"))
    assert {"loss", "genre_loss", "tags_loss", "calm_loss", "genre_accuracy", "tags_roc_auc"} <= history
    labels = pd.read_csv(data / "vectors" / "labels.csv", index_col="id", keep_default_na=False)
    for task, predictions in read_heads(run / "predictions.csv").items():
        column = {"genre": "genre", "tags": "tags", "affect": "calm"}[task]
        known = labels[(labels["split"] == "test") & (labels[column] != "")]
        assert set(predictions.table.index) == set(map(str, known.index))
        again = predictions.evaluation(predictions.table.index, report.seed)
        assert again.scores.main_scores == report.heads[task].main_scores
    assert (run / "baseline_tags.csv").is_file()


@pytest.mark.slow
def test_a_head_is_compared_with_the_same_of_another_run(run, tmp_path):
    again = shutil.copytree(run, tmp_path / "again")
    with pytest.raises(UserError, match="head: the runs have genre, affect, tags in common; choose one"):
        compare([run, again])
    found = compare([run, again], head="affect")
    assert (found.score, found.n) == ("mean Spearman", 12)
    assert found.runs[1].score == read_report(run).affect.spearman_mean


@pytest.mark.slow
def test_one_head_is_evaluated_where_the_data_have_labels_for_no_other(run, data, tmp_path):
    folder = shutil.copytree(data / "vectors", tmp_path / "genres")
    genres = pd.read_csv(folder / "labels.csv")[["id", "genre"]].dropna()
    genres.to_csv(folder / "labels.csv", index=False)
    for number in {*range(CLIPS)} - {*genres["id"]}:
        (folder / f"{number}.npy").unlink()
    model = km.load(run)
    with pytest.raises(UserError, match="has no such tag or column; there is no column tags"):
        model.evaluate(folder, split="all")
    divided = (
        "clips with labels of some heads are divided otherwise than those that were trained on; choose all"
    )
    with pytest.raises(UserError, match=f"^split test: {divided}, "):
        model.evaluate(folder, task="genre")
    with pytest.raises(UserError, match=r"^task tempo: the model has no tempo head; it has genre, tags, aff"):
        model.evaluate(data / "vectors", task="tempo")
    alone = model.evaluate(folder, task="genre", split="all")
    every = model.evaluate(data / "vectors", split="all")
    assert isinstance(alone, GenreReport)
    assert (alone.n, alone.accuracy) == (60, every.genre.accuracy)
    own_test = model.evaluate(data / "vectors", task="affect+genre")
    assert own_test.task == "genre+affect"
    assert own_test.affect.spearman_mean == read_report(run).affect.spearman_mean


@pytest.mark.slow
def test_a_head_is_compared_with_a_model_that_learnt_it_alone(run, data, tmp_path):
    settings = {**HEADS, "task": "genre", "tags": (), "epochs": 1}
    km.train("vectors", data / "vectors", out=tmp_path / "alone", console=QUIET, **settings)
    found = compare([tmp_path / "alone", run])
    assert (found.score, found.n) == ("accuracy", 12)
    assert found.runs[1].score == read_report(run).genre.accuracy
    with pytest.raises(UserError, match=r"^head tags: .*alone has none; it has genre"):
        compare([tmp_path / "alone", run], head="tags")


def test_labels_that_a_clip_lacks_count_for_nothing(data, tmp_path):
    recipe = named_recipe("vectors").with_settings({**HEADS, "mixup": 0.0})
    examples = find_examples(data / "vectors", "", False, recipe, tmp_path, 1, Shown(QUIET))
    loaded = load_data(examples, recipe, tmp_path / "processed")
    train = loaded.sources["train"]
    assert {name: int((known > 0).sum()) for name, known in train.known.items()} == {
        "genre": 48,
        "tags": 48,
        "calm": 48,
    }
    model = new_model(recipe, loaded)
    compile_model(model, recipe, loaded, soft=False, steps=10)
    features = np.random.default_rng(0).uniform(-1, 1, (6, 1, 2)).astype(np.float32)
    inputs = {"features": features, "lengths": np.ones(6, np.int32)}
    labels = {
        "genre": np.array([0, 1] * 3, np.int32),
        "tags": np.eye(2, dtype=np.float32)[[0, 1] * 3],
        "calm": np.linspace(0, 1, 6, dtype=np.float32),
    }
    half = np.array([2, 2, 2, 0, 0, 0], np.float32)
    weights = {**dict.fromkeys(labels, np.ones(6, np.float32)), "tags": half}
    before = model.test_on_batch(inputs, labels, weights, return_dict=True)
    other = {**labels, "tags": labels["tags"].copy()}
    other["tags"][3:] = 1 - other["tags"][3:]
    assert model.test_on_batch(inputs, other, weights, return_dict=True) == before
    some = {name: values[:3] for name, values in inputs.items()}
    alone = {name: values[:3] for name, values in labels.items()}
    ones = dict.fromkeys(labels, np.ones(3, np.float32))
    model.reset_metrics()
    assert model.test_on_batch(some, alone, ones, return_dict=True)["tags_loss"] == pytest.approx(
        before["tags_loss"], rel=1e-5
    )


@pytest.mark.slow
def test_the_export_answers_with_all_heads(data, tmp_path):
    trained = km.train("small-cnn-multitask", data / "features", out=tmp_path / "run", console=QUIET, **SMALL)
    version, report = trained.export(tmp_path), trained.report
    description = json.loads((version / "assets.extra" / "keras_mir.json").read_text())
    assert description["classes"] == ["Jazz", "Metal"]
    assert description["targets"] == ["calm"]
    assert description["thresholds"] == report.tags.thresholds.by_tag
    outputs = {"genre", "classes", "probabilities", "tags", "tag_probabilities", "tag_thresholds", "calm"}
    with ServedModel(version) as served:
        assert set(served.signature("serving_default").outputs) == {*outputs, "error"}
        assert outputs < set(served.signature("audio").outputs)
        assert set(served.signature("embedding").outputs) == {"embedding", "error"}
    model = km.load(version)
    evaluated = model.evaluate(data / "features", out=tmp_path / "again")
    for task, scores in evaluated.heads.items():
        for name, score in scores.main_scores.items():
            assert float(score) == pytest.approx(float(report.heads[task].main_scores[name]), abs=1e-5)
    card = (version / "assets.extra" / "model_card.md").read_text()
    assert "that names the genre of music, gives music its tags and rates the affect of music (recipe" in card
    for text in (
        "2 classes: Jazz, Metal.",
        "tags, each with the probability",
        "1 target, each a number: calm.",
    ):
        assert text in card
    sound = np.random.default_rng(0).normal(0, 0.1, 22050 * 3).astype(np.float32)
    prediction = model.predict(sound, 22050)
    assert tuple(prediction.heads) == TASKS
    assert prediction.genre in ("Jazz", "Metal")
    assert prediction.thresholds == pytest.approx(report.tags.thresholds.by_tag)


@pytest.mark.slow
def test_folds_and_their_ensemble(data, tmp_path):
    out = tmp_path / "cv"
    whole = km.cross_validate(
        "vectors", data / "vectors", folds=2, ensemble=True, out=out, console=QUIET, **{**HEADS, "epochs": 2}
    )
    assert list(whole.scores) == [
        *("accuracy", "macro_f1", "macro_roc_auc", "mean_average_precision", "spearman_mean"),
    ]
    assert set(whole.report.baselines) == set(TASKS)
    assert "Genre, tags and affect of 72 clips" in whole.report.headline
    assert len(whole.predictions) == 72
    assert set(read_heads(out / "predictions.csv")) == set(TASKS)
    assert whole.model.report.tags.thresholds.chosen_on == "clips, out of fold"
    assert set(whole.model.keras.output) == {"genre", "tags", "calm"}
    assert whole.model.report.genre.n == 12


@pytest.mark.slow
def test_two_heads_of_the_three(data, tmp_path):
    asked = {"task": "genre+affect", "class_weights": "balanced", "loss_weights": ("genre=2",)}
    settings = {**SMALL, "epochs": 1, **asked, "out": tmp_path}
    model = km.train("small-cnn-multitask", data / "features", console=QUIET, **settings)
    assert set(model.keras.output) == {"genre", "calm"}
    assert model.report.task == "genre+affect"


def test_what_is_refused_before_training(data, tmp_path):
    def refusal(**options: object) -> str:
        with pytest.raises(UserError) as error:
            km.train("vectors", data / "vectors", out=tmp_path, console=QUIET, **{**HEADS, **options})
        return str(error.value)

    assert refusal(task="genre+affect").startswith("tags: the genre+affect task has none")
    assert refusal(auxiliary_genre=True).startswith("auxiliary_genre: the genre+tags+affect task has none")
    assert refusal(task="affect+genre").startswith("task affect+genre: choose genre, affect, tags, ")
    assert refusal(loss_weights=("power=2",)) == (
        "loss weight for 'power': no such output; the model has genre, tags, calm"
    )
