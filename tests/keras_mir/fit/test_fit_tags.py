"""Tags from a data set to an exported model that answers with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import keras_mir as km
from keras_mir.evaluate.predictions_table import read_predictions
from keras_mir.fit.__main__ import main
from keras_mir.fit.run import Run
from keras_mir.models.report import TagsReport, read_report
from keras_mir.models.session import ServedModel
from pipelines.errors import UserError

SMALL = {"units": 8, "layers": 1, "epochs": 8, "batch_size": 8, "learning_rate": 0.02, "dropout": 0.0}


@pytest.fixture(scope="module")
def tagged(tmp_path_factory) -> Path:
    """Beat-synchronous features: `rock` is loud, `live` has much chroma, and `guitar` is by chance."""
    root = tmp_path_factory.mktemp("tagged")
    folder, random = root / "tags_dataset_beat", np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 16)):
        (folder / split).mkdir(parents=True)
        lines = ["Id,rock,guitar,live"]
        for number in range(count):
            rock, _, live = flags = random.integers(0, 2, 3)
            mel = random.uniform(-60, -20, (128, 24)) + 20 * rock
            chroma = random.uniform(0, 0.5, (12, 24)) + 0.5 * live
            np.save(folder / split / f"{split}{number}.fused.full.npy",
                    np.concatenate([mel, chroma]).astype(np.float32))  # fmt: skip
            lines.append(f"{split}{number}," + ",".join(map(str, flags)))
        (folder / f"{split}_labels.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def run(tagged, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "tags"
    settings = {**SMALL, "feature": "fused"}
    flags = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = ["lstm-beat-mel-tags", "--data", str(tagged), "--out", str(out), "--name", "tags"]
    assert main([*command, "--no-export", *flags]) == 0
    return out


@pytest.mark.slow
def test_the_report_and_what_lies_beside_it(run, tagged):
    report = read_report(run)
    assert isinstance(report, TagsReport)
    assert report.tags == ("guitar", "live", "rock")
    assert float(report.roc_auc["rock"]) > 0.9
    assert float(report.roc_auc["live"]) > 0.9
    assert report.thresholds.chosen_on == "validation clips"
    assert report.thresholds.clips == report.split.sizes["validation"]
    assert report.baseline is not None
    assert report.baseline.name == "an SVM for each tag on feature statistics"
    assert {path.name for path in run.glob("*.png")} == {
        "learning_curves.png",
        "precision_recall.png",
        "tags.png",
    }
    history = pd.read_csv(run / "history.csv")
    assert {"roc_auc", "pr_auc", "val_roc_auc", "val_pr_auc"} <= set(history)
    table = pd.read_csv(run / "predictions.csv", index_col="id")
    assert list(table) == [
        f"{what}_{tag}" for tag in report.tags for what in ("label", "predicted", "probability")
    ]
    for tag, threshold in report.thresholds.by_tag.items():
        assert table[f"predicted_{tag}"].eq((table[f"probability_{tag}"] >= threshold).astype(int)).all()
    found = read_predictions(run / "predictions.csv")
    assert (found.tags, found.classes, found.targets) == (report.tags, (), ())
    again = found.evaluation(found.table.index, report.seed)
    assert again.scores.main_scores == report.main_scores
    assert report.frame().loc["rock", "roc_auc"] == float(report.roc_auc["rock"])


@pytest.mark.slow
def test_the_export_answers_with_tags_and_says_its_thresholds(run, tagged, tmp_path):
    version = km.load(run).export(tmp_path)
    description = json.loads((version / "assets.extra" / "keras_mir.json").read_text())
    report = read_report(run)
    assert description["tags"] == list(report.tags)
    assert description["thresholds"] == report.thresholds.by_tag
    model = km.load(version)
    with ServedModel(version) as served:
        assert {"tags", "tag_probabilities"} <= set(served.signature("serving_default").outputs)
        assert {"tags", "tag_probabilities", "window_tag_probabilities"} <= set(
            served.signature("audio").outputs
        )
    evaluated = model.evaluate(tagged, cache_dir=tmp_path / "cache")
    assert float(evaluated.macro_roc_auc) == pytest.approx(float(report.macro_roc_auc), abs=1e-6)
    assert evaluated.thresholds == report.thresholds
    card = (version / "assets.extra" / "model_card.md").read_text()
    assert "that gives music its tags (recipe `lstm-beat-mel-tags`)" in card
    assert "3 tags, each with the probability from which on a clip is given it: guitar (" in card
    assert report.thresholds.sentence in card
    sound = np.random.default_rng(0).normal(0, 0.1, 22050 * 3).astype(np.float32)
    prediction = model.predict(sound, 22050)
    assert list(prediction.tags) == list(report.tags)
    assert prediction.thresholds == pytest.approx(report.thresholds.by_tag)
    assert not prediction.genre
    assert not prediction.affect


@pytest.mark.slow
def test_folds_and_their_ensemble(tagged, tmp_path):
    whole = km.cross_validate(
        "lstm-beat-mel-tags", tagged, folds=2, ensemble=True, out=tmp_path / "cv", **{**SMALL, "epochs": 2}
    )
    assert list(whole.scores) == ["macro_roc_auc", "mean_average_precision"]
    assert len(whole.predictions) == 40
    assert whole.report.baseline is not None
    report = whole.model.report
    assert report.thresholds.chosen_on == "clips, out of fold"
    assert report.thresholds.clips == 40
    assert whole.model.description.thresholds == report.thresholds.by_tag
    assert whole.model.report.split.evaluated == "test"
    assert list(whole.model.keras.output) == ["tags"]


@pytest.mark.slow
def test_chosen_tags_without_validation_clips_and_balanced(tagged, tmp_path):
    settings = {**SMALL, "epochs": 2, "validation": 0.0, "early_stopping": 0, "class_weights": "balanced"}
    model = km.train("lstm-beat-mel-tags", tagged, out=tmp_path / "run", tags=("rock", "live"), **settings)
    assert model.report.tags == ("rock", "live")
    assert model.report.thresholds.chosen_on == "training clips"


def test_what_is_refused_before_training(tagged, tmp_path):
    def refusal(**options: object) -> str:
        with pytest.raises(UserError) as error:
            Run("lstm-beat-mel-tags", tagged, out=tmp_path / "run", **options).train()
        return str(error.value)

    name = tagged.name
    assert refusal(tags=("rock", "polka")) == (
        f"tags polka: in {name} no clip has it; leave it out, or add clips"
    )
    assert refusal(tags=("rock",)) == "tags rock: one tag is too few; give two or more"
    with pytest.raises(UserError, match=r"^tags: the genre task has none; choose a tags recipe"):
        Run("lstm-beat-mel", tagged, tags=("rock",))
    assert main(["small-cnn", "--data", str(tagged), "--out", str(tmp_path / "genre")]) == 2
