"""A pretrained network by its name: asked, exported and asked again, without any training."""

import json

import librosa
import numpy as np
import pytest
import soundfile

from keras_mir.export.__main__ import main as export
from keras_mir.models.pretrained.musicnn import BANDS, PATCH
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.session import ServedModel
from keras_mir.models.tagger import Tagger
from keras_mir.models.trained_model import load
from keras_mir.predict.__main__ import main as predict
from pipelines.synthetic.render import render_clip
from tests.keras_mir.models.pretrained.test_rebuilt import published


@pytest.fixture
def song(tmp_path):
    audio = render_clip("Jazz", 0, 6.2).audio
    soundfile.write(tmp_path / "song.wav", audio, 22050, subtype="FLOAT")
    return tmp_path / "song.wav"


def published_tags(song):
    """What the network's authors' code says of a file: the mean over patches that follow one another."""
    audio, _ = librosa.load(song, sr=16000)
    mel = librosa.feature.melspectrogram(y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    frames = np.log10(10000 * mel + 1).T.astype(np.float32)
    patches = frames[: len(frames) // PATCH * PATCH].reshape(-1, PATCH, BANDS)
    return published(NETWORKS["musicnn-mtt"].weights(), patches).mean(axis=0)


def test_the_name_predicts_the_published_networks_tags(musicnn, song, tmp_path, capsys):
    assert predict([str(song), "--model", "musicnn-mtt", "--json", "--models", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "musicnn-mtt"
    assert list(answer["tags"]) == list(NETWORKS["musicnn-mtt"].tags)
    assert "genre" not in answer
    assert "affect" not in answer
    np.testing.assert_allclose(list(answer["tags"].values()), published_tags(song), atol=0.02)
    assert predict([str(song), "--model", "musicnn-mtt", "--models", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("%") == 10, "the ten likeliest"


@pytest.mark.slow
def test_it_is_exported_as_every_other_model(musicnn, song, tmp_path, capsys):
    assert export(["musicnn-mtt", "--format", "savedmodel", "--out", str(tmp_path / "models")]) == 0
    version = tmp_path / "models" / "musicnn-mtt" / "1"
    with ServedModel(version) as served:
        answer = served.predict({"audio": [song.read_bytes()]}, "audio")
        vectors = served.predict({"features": np.zeros((2, 3, 1506)), "lengths": [3, 1]})
    assert answer["error"].tolist() == [""]
    assert tuple(answer["tags"][0]) == NETWORKS["musicnn-mtt"].tags
    np.testing.assert_allclose(answer["tag_probabilities"][0], published_tags(song), atol=0.02)
    assert answer["window_tag_probabilities"].shape == (1, int(answer["windows"][0]), 50)
    np.testing.assert_allclose(vectors["tag_probabilities"][0], vectors["tag_probabilities"][1], rtol=1e-5)
    assert isinstance(load(version), Tagger)
    card = (version / "assets.extra" / "model_card.md").read_text()
    assert "MagnaTagATune" in card
    assert "Licence of its weights: ISC" in card
    description = json.loads((version / "assets.extra" / "keras_mir.json").read_text())
    assert description["name"] == "musicnn-mtt"
    assert "digests" not in description
    capsys.readouterr()
    assert predict([str(song), "--model", str(version), "--csv"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split(",")[2:4] == ["tag_guitar", "tag_classical"]
    assert len(row.split(",")) == len(header.split(","))


def test_a_model_of_that_name_goes_before_the_network(musicnn, tmp_path):
    assert isinstance(load("musicnn-mtt", tmp_path), Tagger)
    (tmp_path / "musicnn-mtt").mkdir()
    with pytest.raises(Exception, match="no exported model"):
        load("musicnn-mtt", tmp_path)


def test_without_the_wheel_one_line_says_how_to_get_it(song, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("keras_mir.models.pretrained.networks._WHEEL", "nothing_of_that_name")
    assert predict([str(song), "--model", "musicnn-mtt", "--models", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "error: musicnn-mtt: its weights come with another package; "
        "get them with pip install --no-deps musicnn==0.1.0\n"
    )
