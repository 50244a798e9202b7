"""The baseline learns what means and deviations tell, of the clips the network had, and is scored like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keras_mir.data.load import Data, SplitInfo
from keras_mir.evaluate import baseline
from keras_mir.evaluate.baseline import feature_statistics, fit_baselines
from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.models.report import Interval
from pipelines.input.cache import Cached
from pipelines.settings import InputSettings
from pipelines.source import Source
from pipelines.spec import FeatureSpec

CLASSES = ("Blues", "Jazz", "Metal")
SIZES = {"train": 24, "validation": 12, "test": 12}


@pytest.fixture
def make_data(tmp_path):
    """Clips whose bands' mean follows their class, and whose deviation follows `power`."""

    def make(classes=CLASSES, targets=(), sizes=SIZES):
        rng = np.random.default_rng(0)
        sources = {}
        for split, count in sizes.items():
            genre = (np.arange(count) % len(CLASSES)).astype(np.int32)
            power = rng.uniform(0.2, 1.0, count).astype(np.float32)
            paths, lengths = [], rng.integers(30, 40, count).astype(np.int32)
            for row in range(count):
                values = 20.0 * genre[row] + 10.0 * power[row] * rng.normal(size=(lengths[row], 8))
                paths.append(str(tmp_path / f"{split}{row}.f32"))
                values.astype("<f4").tofile(paths[-1])
            labels = {"genre": genre} if classes else dict.fromkeys(targets, power)
            cached = Cached(tuple(paths), lengths, 8, ())
            sources[split] = Source(cached, labels, None, InputSettings(), None, FeatureSpec())
        split = SplitInfo("stratified", "held out", "none", 0, 0, dict(sizes))
        return Data({}, sources, tuple(classes), tuple(targets), "", split, ())

    return make


def network(data, right):
    """Answers of a network for the evaluated clips: right ones, or always the same class."""
    labels = data.sources[data.evaluated_on].labels
    if data.targets:
        return compare_with_labels(labels, labels, (), data.targets, 0)
    index = labels["genre"] if right else np.zeros_like(labels["genre"])
    return compare_with_labels(labels, {"genre": np.eye(3)[index]}, data.classes, (), 0)


def beside(data, right=True, seed=0):
    """The baseline beside such a network; None if there is none."""
    found = next(iter(fit_baselines(data, seed).values()), None)
    return found and found.beside(network(data, right))


def test_statistics_are_mean_and_deviation_of_every_band(tmp_path):
    values = np.random.default_rng(0).normal(size=(9, 4)).astype("<f4")
    values.tofile(tmp_path / "clip.f32")
    cached = Cached((str(tmp_path / "clip.f32"),), np.array([9]), 4, ())
    expected = np.concatenate([values.mean(axis=0), values.std(axis=0)])
    np.testing.assert_allclose(feature_statistics(cached), [expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("many", "name"), [(5000, "an SVM on feature statistics"), (10, "a linear SVM on feature statistics")]
)
def test_it_tells_genres_apart_by_their_level(make_data, monkeypatch, many, name):
    monkeypatch.setattr(baseline, "MANY", many)
    data = make_data()
    found = beside(data, right=False)
    assert found.name == name
    assert found.score == Interval(1.0, 1.0, 1.0)
    assert found.difference.value == pytest.approx(1 / 3 - 1)
    assert found.difference.high < 0
    assert beside(data).difference == Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize("many", [5000, 10])
def test_it_rates_all_targets(make_data, monkeypatch, many):
    monkeypatch.setattr(baseline, "MANY", many)
    data = make_data(classes=(), targets=("power", "loudness"))
    found = beside(data)
    assert found.score.value > 0.9
    assert found.difference.value == pytest.approx(1 - found.score.value)


def test_clips_that_are_evaluated_are_not_trained_on(make_data):
    data = make_data(sizes={"train": 24, "validation": 12})  # as the course splits
    true = data.sources["validation"].labels["genre"]
    wrong = replace(data.sources["validation"], labels={"genre": (true + 1) % 3})
    data = replace(data, sources={**data.sources, "validation": wrong})
    assert beside(data).score.value == 0.0


@pytest.mark.parametrize("train", [1, 2, 3])
def test_a_handful_of_clips_will_do(make_data, train):
    data = make_data(sizes={"train": train, "validation": 6})
    found = beside(data)
    assert (found is None) == (train == 1)  # which is of one class
    data = make_data(classes=(), targets=("power",), sizes={"train": train, "validation": 6})
    assert beside(data) is not None


def test_same_seed_same_numbers(make_data):
    data = make_data(sizes={"train": 12, "validation": 6, "test": 6})
    assert len({beside(data, right=False, seed=3) for _ in range(2)}) == 1


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        (3, "an SVM for each tag on feature statistics"),
        (20, "a linear SVM for each tag on feature statistics"),
    ],
)
def test_it_gives_each_tag_its_own_machine(make_data, monkeypatch, tags, name):
    monkeypatch.setattr(baseline, "MANY", 40)  # of 36 clips; of 20 tags, 20 clips are many
    data = make_data()
    names = tuple(f"tag {number}" for number in range(tags))
    sources = {
        split: replace(source, labels={"tags": np.eye(3, tags, dtype=np.float32)[source.labels["genre"]]})
        for split, source in data.sources.items()
    }
    found = fit_baselines(replace(data, sources=sources, classes=(), tags=names), seed=0)["tags"]
    assert found.name == name
    scores = found.evaluation.scores
    assert float(scores.roc_auc["tag 0"]) == float(scores.roc_auc["tag 2"]) == 1.0
    # Clips of the middle level are apart from the others, and no line tells them.
    assert (float(scores.roc_auc["tag 1"]) == 1.0) == (tags == 3)
    assert len(scores.undefined) == tags - 3
    assert found.beside(found.evaluation).difference == Interval(0.0, 0.0, 0.0)
