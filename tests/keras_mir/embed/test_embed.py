"""`model.embed`, and `python -m keras_mir.embed`: what it writes, skips and refuses."""

from __future__ import annotations

import json
import os
import shutil

import keras
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile

import keras_mir as km
from keras_mir.embed.__main__ import main
from keras_mir.embed.table import read_table
from keras_mir.models.embedding import embedding_of, maker_of
from pipelines.checksums import sha256
from pipelines.errors import UserError


@pytest.fixture(scope="module")
def model(run_folder):
    return km.load(run_folder)


@pytest.fixture(scope="module")
def features_of():
    front_end = km.layers.FrontEnd("mel", "beat")

    def features_of(path):
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
        made = front_end(samples.mean(axis=1)[None])
        return {"features": made["features"], "lengths": made["lengths"]}, float(made["tempo"][0])

    return features_of


@pytest.mark.slow
def test_a_vector_is_what_the_model_makes_of_a_song_before_it_decides(model, songs, features_of):
    made = model.embed(songs / "b.wav")
    features, tempo = features_of(songs / "b.wav")
    np.testing.assert_allclose(made.vector, embedding_of(model.keras)(features)["embedding"][0], atol=1e-4)
    assert (made.path, made.duration, made.vector.shape) == (songs / "b.wav", 9.0, (16,))
    assert made.tempo == pytest.approx(tempo)
    assert made.maker.model == str(model.folder)
    samples, rate = soundfile.read(songs / "b.wav", dtype="float32")
    of_samples = model.embed(samples.T, rate)
    np.testing.assert_allclose(of_samples.vector, made.vector, atol=1e-5)
    assert of_samples.path is None
    assert [one.path.name for one in model.embed(songs)] == ["a.flac", "b.wav", "c.ogg"]


@pytest.mark.slow
def test_a_long_song_has_the_mean_of_its_windows(model, songs, tmp_path, features_of):
    samples, rate = soundfile.read(songs / "b.wav", dtype="float32")
    long = np.tile(samples.mean(axis=1), 7)[: 60 * rate]
    parts = []
    for number in range(2):
        file = tmp_path / f"{number}.wav"
        soundfile.write(file, long[number * 30 * rate : (number + 1) * 30 * rate], rate, subtype="FLOAT")
        parts.append(embedding_of(model.keras)(features_of(file)[0])["embedding"][0])
    np.testing.assert_allclose(model.embed(long, rate).vector, np.mean(parts, axis=0), atol=1e-4)


@pytest.mark.slow
def test_a_fingerprint_is_of_weights_and_features(model):
    audio_model = model.embedding_model()
    maker = maker_of("here", audio_model)
    assert maker.fingerprint == maker_of("elsewhere", model.embedding_model()).fingerprint
    kernel = audio_model.model.trainable_weights[0]
    before = keras.ops.copy(kernel)
    kernel.assign(before + 1e-3)
    assert maker_of("here", audio_model).fingerprint != maker.fingerprint
    kernel.assign(before)
    assert maker_of("here", audio_model).fingerprint == maker.fingerprint


@pytest.fixture
def music(songs, tmp_path):
    """The songs, and between them one that is none and one that is gone."""
    shutil.copytree(songs, tmp_path / "music")
    (tmp_path / "music" / "aa.mp3").write_text("no music")
    (tmp_path / "music" / "gone.mp3").symlink_to("nowhere.mp3")
    (tmp_path / "music" / "cover.txt").write_text("a cover")
    return tmp_path / "music"


@pytest.mark.slow
def test_a_table_that_goes_on(music, run_folder, model, tmp_path, capsys):
    out = tmp_path / "vectors.parquet"
    bad = (
        f"error: {music}/aa.mp3: cannot be decoded; it is damaged, not audio, or of a kind this machine "
        "has no decoder for (ffmpeg adds m4a, wma and others)"
    )
    gone = f"error: {music}/gone.mp3: no such file or directory; check the file"
    note = f"note: skipped, hidden or not audio: {music}/cover.txt"

    def embed(*places):
        status = main([*map(str, places), "--model", str(run_folder), "--out", str(out), "--jobs", "1"])
        printed = capsys.readouterr()
        assert printed.out == ""
        return status, [line for line in printed.err.splitlines() if not line.startswith("embedding: ")]

    assert embed(music) == (1, [note, bad, gone, "3 embedded, 2 failed"])
    assert {path.name for path in tmp_path.iterdir()} == {"music", "vectors.parquet"}
    table = pd.read_parquet(out)
    columns = ["path", "duration", "tempo", "model", "vector", "bytes", "modified", "sha256"]
    assert table.columns.tolist() == columns
    files = [music / name for name in ("a.flac", "b.wav", "deep/c.ogg")]
    assert table["path"].tolist() == list(map(str, files))
    assert table["duration"].tolist() == [6.0, 9.0, 4.0]
    assert table["sha256"].tolist() == list(map(sha256, files))
    assert table["modified"].tolist() == [file.stat().st_mtime_ns for file in files]
    made = [model.embed(file) for file in files]
    np.testing.assert_allclose(np.stack(table["vector"]), [one.vector for one in made], atol=1e-5)
    assert table["tempo"].tolist() == [round(one.tempo, 2) for one in made]
    said = json.loads(pq.read_schema(out).metadata[b"keras_mir"])
    assert said.pop("features")["sync"] == "beat"
    assert said == {
        "format": 1,
        "model": str(run_folder),
        "fingerprint": made[0].maker.fingerprint,
        "note": "",
    }

    (music / "aa.mp3").unlink()
    (music / "gone.mp3").unlink()
    content = out.read_bytes()
    assert embed(music) == (0, [note, "3 already there"])
    assert out.read_bytes() == content

    # Moved, copied, touched and removed: no process starts, for what is in the files is known.
    (music / "a.flac").rename(music / "z.flac")
    shutil.copyfile(music / "b.wav", tmp_path / "copy.wav")
    os.utime(music / "b.wav")
    shutil.rmtree(music / "deep")
    assert embed(music, tmp_path / "copy.wav") == (0, [note, "3 already there"])
    again = pd.read_parquet(out)
    assert again["path"].tolist() == [f"{tmp_path}/copy.wav", f"{music}/b.wav", f"{music}/z.flac"]
    assert again["sha256"].tolist() == [table["sha256"][row] for row in (1, 1, 0)]
    assert [vector.tolist() for vector in again["vector"]] == [
        table["vector"][row].tolist() for row in (1, 1, 0)
    ]
    assert embed(music / "z.flac") == (0, ["1 already there"])
    assert read_table(out).frame["path"].tolist() == again["path"].tolist()  # the others are from elsewhere

    with pytest.raises(UserError, match=r"its vectors are of .*small .*, and these would be of "):
        _embed_by_another(music, run_folder, out)


@pytest.mark.slow
def test_several_processes_make_the_same_table(music, run_folder, tmp_path, capsys):
    tables = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.parquet"
        assert main([str(music), "--model", str(run_folder), "--out", str(out), "--jobs", jobs]) == 1
        assert capsys.readouterr().err.endswith("3 embedded, 2 failed\n")
        tables.append(pd.read_parquet(out))
    for table in tables:
        table["vector"] = table["vector"].map(tuple)
    pd.testing.assert_frame_equal(*tables)


def _embed_by_another(music, run_folder, out):
    from keras_mir.embed.songs import embed_songs

    other = run_folder.with_name("other")
    shutil.copytree(run_folder, other)
    loaded = keras.models.load_model(other / "model.keras")
    loaded.trainable_weights[0].assign(loaded.trainable_weights[0] + 1)
    loaded.save(other / "model.keras")
    (other / "model.sha256").unlink()  # or it would be refused as a damaged one
    embed_songs([music], model=str(other), out=out)
