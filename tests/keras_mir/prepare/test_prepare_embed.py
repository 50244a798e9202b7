"""`prepare --embed`: vectors of a pretrained network beside the spectrograms, made of the sound, once."""

import json

import numpy as np
import pytest
import soundfile

from keras_mir.models.pretrained.front_end import AUDIO, ClipVectors, embedding_spec
from keras_mir.prepare.__main__ import main
from pipelines.spec import FeatureSpec
from pipelines.synthetic.render import render_clip


@pytest.fixture
def arguments(tmp_path):
    folder = tmp_path / "audio"
    folder.mkdir()
    lines = ["file,genre"]
    for number in range(4):
        genre = ("Rock", "Folk")[number % 2]
        soundfile.write(
            folder / f"{number}.wav", render_clip(genre, number, 3.5).audio, 22050, subtype="FLOAT"
        )
        lines.append(f"{number}.wav,{genre}")
    (folder / "labels.csv").write_text("\n".join(lines))
    given = [str(folder), "--labels", str(folder / "labels.csv"), "--out", str(tmp_path / "data")]
    return [*given, "--test-fraction", ".5", "--jobs", "1"]


@pytest.mark.slow
def test_vectors_are_made_and_not_made_again(musicnn, arguments, tmp_path, capsys):
    assert main(arguments) == 0  # without; it is asked for later
    assert main([*arguments, "--embed", "musicnn-mtt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "4 embedded by musicnn-mtt, 0 already there" in lines
    assert lines[-1] == f"next: python -m keras_mir.fit musicnn --data {tmp_path / 'data'}"
    folder = tmp_path / "data" / "embeddings" / "musicnn-mtt"
    spec = embedding_spec("musicnn-mtt", AUDIO, FeatureSpec())
    assert json.loads((folder / "spec.json").read_text()) == spec.to_dict()
    audio, rate = soundfile.read(tmp_path / "audio" / "2.wav", dtype="float32")
    made = np.load(folder / "2.npy")
    np.testing.assert_allclose(made.T, ClipVectors(spec)(audio, rate), atol=1e-4)
    (folder / "3.npy").unlink()
    before = (folder / "2.npy").stat().st_mtime_ns
    assert main([*arguments, "--embed", "musicnn-mtt"]) == 0
    assert "1 embedded by musicnn-mtt, 3 already there" in capsys.readouterr().out
    assert (folder / "2.npy").stat().st_mtime_ns == before


def test_without_the_wheel_nothing_is_extracted(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("keras_mir.models.pretrained.networks._WHEEL", "nothing_of_that_name")
    assert main([*arguments, "--embed", "musicnn-mtt"]) == 2
    assert "its weights come with another package" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
