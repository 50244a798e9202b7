"""A genre head that is solved: scikit-learn's discriminant, calibrated, where clips are few."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_mir as km
from keras_mir.export.model_card import model_card
from keras_mir.fit.discriminant import linear_discriminant, solve_genre_head
from keras_mir.models.build import build_model
from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.recipes.named import named_recipe
from pipelines.errors import UserError
from pipelines.input.cache import Cached
from pipelines.settings import InputSettings
from pipelines.source import Source
from pipelines.spec import VectorSpec

CLASSES = ("Blues", "Jazz", "Metal")
SIZE, SHRINKAGE = 40, 0.2
SPEC = VectorSpec("vectors", SIZE)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn(rng, counts, size=SIZE, apart=0.25):
    """Vectors of classes whose means differ a little, in an order of their own, and their labels."""
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    means = np.random.default_rng(7).normal(size=(len(counts), size)) * apart
    noise = np.random.default_rng(8).normal(size=(size, size)) / np.sqrt(size)
    return rng.normal(size=(len(labels), size)) @ noise + means[labels], labels


def scikit_learns(inputs, labels, shares):
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE, priors=shares)
    return make_pipeline(StandardScaler(), PCA(svd_solver="full"), discriminant).fit(inputs, labels)


@pytest.fixture
def source(tmp_path, rng):
    """Clips of one vector each; makes them."""

    def make(counts, unlabelled=0):
        values, labels = drawn(rng, counts)
        for row, vector in enumerate(values):
            vector.astype("<f4").tofile(tmp_path / f"{row}.f32")
        paths = tuple(str(tmp_path / f"{row}.f32") for row in range(len(values)))
        cached = Cached(paths, np.ones(len(values), np.int32), SIZE, ())
        known = {"genre": np.arange(len(values)) >= unlabelled} if unlabelled else {}
        settings = InputSettings("vectors")
        return Source(cached, {"genre": labels}, None, settings, None, SPEC, known=known), values

    return make


def build(**changes):
    keras.utils.set_random_seed(0)
    settings = ModelSettings(**{"kind": "vectors", "normalise": "none", "statistics": ("mean",)} | changes)
    return build_model(
        settings, bands=SIZE, time=None, classes=CLASSES, targets=(), spec=SPEC, feature="vectors"
    )


@pytest.fixture
def model():
    return build()


def answers(model, values):
    inputs = {"features": values[:, np.newaxis].astype(np.float32), "lengths": np.ones(len(values), np.int32)}
    return model.predict(inputs, verbose=0)["genre"]


@pytest.mark.parametrize(("counts", "size"), [((6, 9, 5), 50), ((12, 7), 300), ((2, 2, 2, 2), 20)])
def test_it_is_scikit_learns(rng, counts, size):
    inputs, labels = drawn(rng, counts, size)
    asked, _ = drawn(rng, (5,) * len(counts), size)
    shares = np.asarray(counts) / sum(counts)
    kernel, bias = linear_discriminant(inputs, labels, shares, SHRINKAGE)
    expected = scikit_learns(inputs, labels, shares).predict_proba(asked)
    np.testing.assert_allclose(softmax(asked @ kernel + bias, axis=1), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("balanced", [False, True])
def test_a_model_answers_as_scikit_learn_does(model, source, rng, balanced):
    training, values = source((16, 8, 5))
    asked, _ = drawn(rng, (9, 9, 9))
    head = solve_genre_head(model, training, SHRINKAGE, balanced=balanced)
    assert (head.kept, head.clips) == ("", 29)
    counts = np.array([16, 8, 5])
    shares = np.full(3, 1 / 3) if balanced else counts / counts.sum()
    expected = scikit_learns(values, training.labels["genre"], shares).predict_proba(asked)
    np.testing.assert_allclose(answers(model, asked), expected, rtol=1e-2, atol=1e-5)


def test_its_temperature_makes_probabilities_mean_what_they_say(model, source, rng):
    training, _ = source((13, 13, 13))
    asked, labels = drawn(rng, (300, 300, 300))
    head = solve_genre_head(model, training, SHRINKAGE)
    assert head.temperature > 1.2, "so few clips make it surer than it is right"
    rows = np.arange(len(labels))
    before = -np.log(answers(model, asked))[rows, labels].mean()
    model.get_layer("genre").temperature.assign(head.temperature)
    after = -np.log(answers(model, asked))[rows, labels].mean()
    assert after < before - 0.1
    assert after < np.log(3), "and better than knowing nothing"


def test_the_temperature_is_of_groups_that_were_left_out(model, source):
    """Each clip is there thrice: one of the three left out alone is known by the two others."""
    training, _ = source((13, 13, 13))
    kept = np.tile(np.arange(0, 39, 3), 3)
    thrice = replace(
        training, cached=training.cached.take(kept), labels={"genre": training.labels["genre"][kept]}
    )
    alone, together = (
        solve_genre_head(model, thrice, SHRINKAGE, groups=groups)
        for groups in (None, pd.Series([f"song{row}" for row in kept]))
    )
    assert (alone.kept, together.kept) == ("", "")
    assert together.temperature > 1.5 * alone.temperature


def test_only_clips_with_a_genre_count(model, source, rng):
    training, values = source((12, 12, 12), unlabelled=10)
    asked, _ = drawn(rng, (9, 9, 9))
    assert solve_genre_head(model, training, SHRINKAGE).clips == 26
    found = answers(model, asked).argmax(axis=1)
    labels = training.labels["genre"][10:]
    shares = np.bincount(labels) / len(labels)
    np.testing.assert_array_equal(found, scikit_learns(values[10:], labels, shares).predict(asked))


@pytest.mark.parametrize(
    ("counts", "groups", "why"),
    [
        ((14, 13, 13), None, "40 clips with a genre are no fewer than its 40 inputs"),
        ((20, 10, 1), None, "a class has a single clip"),
        (
            (12, 12, 12),
            lambda labels: labels,
            "clips of a class cannot be left out in 5 folds that divide no group",
        ),
    ],
    ids=["many clips", "a class of one clip", "a class of one group"],
)
def test_the_trained_head_stays(model, source, counts, groups, why):
    before = model.get_layer("logits").get_weights()
    training, _ = source(counts)
    given = groups and pd.Series(groups(training.labels["genre"]).astype(str))
    assert solve_genre_head(model, training, SHRINKAGE, groups=given).kept == why
    for old, new in zip(before, model.get_layer("logits").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("settings", [{"hidden": 60}, {"statistics": ("mean", "attention")}], ids=str)
def test_what_has_learnt_from_the_clips_cannot_leave_them_out(source, settings):
    training, _ = source((9, 9, 9))
    assert solve_genre_head(build(**settings), training, SHRINKAGE).kept.startswith(
        "layers before it have learnt"
    )


def test_clips_that_are_all_alike_leave_finite_weights(rng):
    inputs = np.repeat(rng.normal(size=(2, 30)), 4, axis=0)
    kernel, bias = linear_discriminant(inputs, np.repeat([0, 1], 4), np.full(2, 0.5), SHRINKAGE)
    assert np.isfinite([*kernel.ravel(), *bias]).all()
    assert ((inputs @ kernel + bias).argmax(axis=1) == np.repeat([0, 1], 4)).all()


@pytest.fixture
def folder(tmp_path, rng):
    """A data set of vectors."""
    values, labels = drawn(rng, (16, 16, 16), size=64)
    ids = [f"song{row}" for row in range(len(values))]
    (tmp_path / "vectors").mkdir()
    for name, vector in zip(ids, values, strict=True):
        np.save(tmp_path / "vectors" / f"{name}.npy", vector.astype(np.float32)[np.newaxis])
    rows = [f"{name},{CLASSES[label]}" for name, label in zip(ids, labels, strict=True)]
    (tmp_path / "vectors" / "labels.csv").write_text("\n".join(["id,genre", *rows]))
    return tmp_path / "vectors"


def sentences(text):
    return " ".join(text.split())


def test_a_run_says_whose_head_its_model_has(folder, tmp_path, capsys):
    model = km.train("vectors", folder, out=tmp_path / "run", epochs=2, baseline=False)
    line = "genre head: a linear discriminant of 39 training clips instead of the trained one"
    assert line in sentences(capsys.readouterr().out)
    assert model.report.training.discriminant
    done = model.report.calibration
    assert (done.clips, done.fitted_by) == (39, "left-out training clip")
    assert float(model.keras.get_layer("genre").temperature) == pytest.approx(done.temperature)
    card = model_card("songs", model.description, {})
    assert "Then a linear discriminant of the training clips took the place of the genre head." in card
    assert "fitted on 39 left-out training clips." in sentences(card)
    again = km.load(tmp_path / "run").keras.get_layer("logits").get_weights()
    for saved, ours in zip(again, model.keras.get_layer("logits").get_weights(), strict=True):
        np.testing.assert_array_equal(saved, ours)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"discriminant": 0.0}, ""),
        (
            {"hidden": 4},
            "genre head: the trained one, for layers before it have learnt from the same clips",
        ),
    ],
    ids=["not asked for", "not possible"],
)
def test_a_run_says_why_the_trained_head_stays(folder, tmp_path, capsys, settings, line):
    model = km.train("vectors", folder, out=tmp_path / "run", epochs=1, baseline=False, **settings)
    said = sentences(capsys.readouterr().out)
    assert line in said
    assert ("genre head" in said) == bool(line)
    assert not model.report.training.discriminant
    assert model.report.calibration is None


@pytest.mark.parametrize("shrinkage", [-0.1, 1.0, float("nan")])
def test_what_is_no_shrinkage_is_refused(shrinkage):
    with pytest.raises(UserError, match=r"^discriminant '?-?[\w.]+'?: give "):
        named_recipe("musicnn").with_settings({"discriminant": shrinkage})
