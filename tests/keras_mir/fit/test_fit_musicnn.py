"""A head on a pretrained network: trained, exported and asked, from spectrograms to sound."""

import numpy as np
import pytest

import keras_mir as km
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.session import ServedModel
from pipelines.errors import UserError
from tests.keras_mir.conftest import GENRES, TARGETS, write_course_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_course_data(tmp_path_factory.mktemp("full"), per_genre=6, synced=False)


@pytest.mark.slow
def test_a_head_is_trained_and_its_export_takes_sound_and_vectors(musicnn, data, tmp_path):
    model = km.train("musicnn", data, out=tmp_path / "run", epochs=2, batch_size=4)
    assert model.report.n == 6  # the test clips
    tuned = km.train("musicnn-tuned", data, out=tmp_path / "tuned", epochs=1, batch_size=4, baseline=False)
    assert model.report.baseline is not None
    assert tuned.report.baseline is None
    start = NETWORKS["musicnn-mtt"].weights()["dense/kernel"]
    learnt = tuned.keras.get_layer("dense").kernel.numpy()
    assert 0 < np.abs(learnt - start.reshape(learnt.shape)).max() < 0.01, "it starts there, and learns"
    version = model.export(tmp_path / "models")  # which compares all signatures
    with ServedModel(version) as served:
        answer = served.predict({"features": np.zeros((1, 2, 1506)), "lengths": [2]})
    assert answer["probabilities"].shape == (1, len(GENRES))
    card = (version / "assets.extra" / "model_card.md").read_text()
    assert "Licence of its weights: ISC, Music Technology Group, Universitat Pompeu Fabra." in card
    again = model.evaluate(data)
    assert again.accuracy == model.report.accuracy


@pytest.mark.slow
def test_affect_is_exported_with_its_regression(musicnn, data, tmp_path):
    model = km.train("musicnn-affect", data, out=tmp_path / "run", epochs=1, batch_size=4, baseline=False)
    assert "kernel_ridge" in {layer.name for layer in model.keras.layers}
    inputs = {"features": np.full((1, 2, 1506), 0.1, np.float32), "lengths": np.array([2], np.int32)}
    with ServedModel(model.export(tmp_path / "models")) as served:
        answer = served.predict(inputs)
    for target in TARGETS:
        np.testing.assert_allclose(answer[target], model.keras(inputs)[target][:, 0], atol=1e-5)


def test_without_the_wheel_nothing_is_begun(data, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_mir.models.pretrained.networks._WHEEL", "nothing_of_that_name")
    with pytest.raises(UserError, match="its weights come with another package; get them with pip install"):
        km.train("musicnn", data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
