"""`km.similar`, and `python -m keras_mir.similar`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import importlib
import io
import json

import numpy as np
import pytest

import keras_mir as km
from keras_mir.embed.embed import Embedding
from keras_mir.embed.table import Row, read_table, table_of, write_table
from keras_mir.models.embedding import Maker
from keras_mir.similar.__main__ import main
from pipelines.checksums import sha256
from pipelines.errors import ArgumentError, UserError
from tests.keras_mir.similar.conftest import MAKER


@pytest.fixture
def similar(circle, capsys):
    """Runs the command on `circle`: exit status, output, errors."""

    def run(*arguments):
        status = main(["--in", str(circle), *map(str, arguments)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def cosines(vectors, query):
    """Of the angles between vectors once their mean is taken off."""
    centred = vectors - vectors.mean(axis=0)
    query = query - vectors.mean(axis=0)
    return centred @ query / np.linalg.norm(centred, axis=1) / np.linalg.norm(query)


def test_the_nearest_come_first_with_their_cosines(circle, tmp_path):
    vectors = read_table(circle).vectors
    expected = cosines(vectors, vectors[0])
    found = km.similar(tmp_path / "music" / "a.ogg", circle)
    order = np.argsort(-expected[1:]) + 1
    assert found.columns.tolist() == ["similarity", "path", "duration", "tempo"]
    assert found["path"].tolist() == [f"{tmp_path}/music/{'abcd'[row]}.ogg" for row in order]
    np.testing.assert_allclose(found["similarity"], expected[order], atol=1e-6)
    assert km.similar("music/a.ogg", str(circle), top=1).equals(found[:1])
    assert km.similar("music/a.ogg", circle, where="tempo > 300")["duration"].tolist() == [63.0]


def test_it_is_called_whoever_imported_the_package_first(circle):
    assert importlib.import_module("keras_mir.similar") is km.similar
    assert len(km.similar("music/a.ogg", circle)) == 3


def test_what_is_printed(similar, tmp_path):
    status, out, err = similar("music/a.ogg", "--top", 2)
    assert (status, err) == (0, "")
    lines = [
        [cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")] for line in out.splitlines()
    ]
    assert lines[0] == [f"{tmp_path}/music"]
    assert [lines[2], *lines[4:6]] == [
        ["song", "similarity", "length", "BPM"],
        ["b.ogg", "0.776", "1:01", "90"],
        ["d.ogg", "-0.242", "1:03", "330"],
    ]
    a, b = (f"{tmp_path}/music/{name}.ogg" for name in "ab")
    _, out, _ = similar("music/c.ogg", "--top", 1, "--json", "--where", "path like '%b.ogg'")
    assert json.loads(out) == {"similarity": -0.4509, "path": b, "duration": 61.0, "tempo": 90.0}
    assert similar("music/c.ogg", "--top", 1, "--csv", "--where", "tempo is null or tempo = 60") == (
        0,
        f"similarity,path,duration,tempo\n-0.9126,{a},60.0,60.0\n",
        "",
    )


def test_a_playlist_goes_on_from_a_song(similar, tmp_path):
    folder = f"{tmp_path}/music"
    # From a to b, its nearest; from there to c, which is nearer to b than d is.
    expected = "#EXTM3U\n" + "".join(
        f"#EXTINF:{seconds},{name}\n{{0}}{name}.ogg\n" for seconds, name in ((60, "a"), (61, "b"), (62, "c"))
    )
    assert similar("music/a.ogg", "--playlist", 2) == (0, expected.format(f"{folder}/"), "")
    out = tmp_path / "lists" / "a.m3u8"
    assert similar("music/a.ogg", "--playlist", 2, "--out", out) == (0, "", f"playlist  {out}\n")
    assert out.read_text() == expected.format("../music/")


def test_a_playlist_is_utf_8_in_any_locale(write_vectors, tmp_path, monkeypatch):
    table = write_vectors(np.eye(3), ["東.ogg", "é.ogg", "a.ogg"])
    with io.TextIOWrapper(io.BytesIO(), "cp1252", "backslashreplace") as piped:
        monkeypatch.setattr("sys.stdout", piped)
        assert main([str(tmp_path / "music" / "a.ogg"), "--in", str(table), "--playlist", "2"]) == 0
        text = piped.buffer.getvalue().decode()
    assert [f"{tmp_path}/music/{name}.ogg" in text.splitlines() for name in "a東é"] == [True] * 3


REFUSED = [
    (["music/x.ogg"], "music/x.ogg: no such file, and not in {}; check the name"),
    (["music"], "music: a folder; give a song, and not in {}; check the name"),
    ([], "SONG: name one; or give map alone, for a map of the library"),
    (["music/a.ogg", "--out", "x.m3u8"], "--out x.m3u8: only a playlist is written there; give playlist"),
    (["--playlist", "3", "--map", "x.html"], "--playlist 3: goes on from a song; name one"),
    (["music/a.ogg", "--map", "music"], "--map music: a folder, not a file; choose another name"),
    (
        ["music/a.ogg", "--where", "tempoo > 3"],
        "--where tempoo > 3: cannot be read (no such column: tempoo); give a condition on path, duration, "
        "tempo, model, bytes, modified, sha256",
    ),
    (
        ["music/a.ogg", "--where", "tempo > 999"],
        "--where tempo > 999: holds for no song; give a wider condition",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_a_mistake_is_one_line(similar, circle, tmp_path, arguments, message):
    (tmp_path / "music").mkdir()
    assert similar(*arguments) == (2, "", f"error: {message.format(circle)}\n")


def test_vectors_beyond_measure_and_a_song_twice_are_refused(write_vectors):
    with pytest.raises(UserError, match="has vectors with values that are no numbers, or too large; make it"):
        read_table(write_vectors(np.array([[1.0, 0.0], [3e38, 0.0]])))
    path = write_vectors(np.eye(2), ["a.ogg", "b.ogg"])
    read_table(path)
    with pytest.raises(UserError, match=r"has the song \S*a\.ogg twice; leave one of them out$"):
        read_table(write_vectors(np.eye(2), ["a.ogg", "a.ogg"]))


def test_no_songs_are_too_few(similar, capsys, circle):
    with pytest.raises(SystemExit) as end:
        similar("music/a.ogg", "--top", 0)
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith("error: argument --top: 0: give a number from 1 to 999\n")
    with pytest.raises(ArgumentError, match=r"^top 0: give 1 or more$"):
        km.similar("music/a.ogg", circle, top=0)


class TestAnotherSong:
    """One that is not in the table is embedded by the table's model, or refused."""

    @pytest.fixture
    def embedder(self, monkeypatch):
        class Embedder:
            maker = MAKER
            vector = np.array([0, 1], np.float32)

            def embed_file(self, path):
                return Embedding(path, 1.0, None, self.vector, self.maker)

        asked = []

        def load_embedder(*where):
            asked.append(tuple(map(str, where)))
            return Embedder()

        monkeypatch.setattr("keras_mir.similar.similar.load_embedder", load_embedder)
        return Embedder, asked

    def test_its_vector_is_made_by_the_tables_model(self, embedder, circle, tmp_path):
        (tmp_path / "new.ogg").touch()
        found = km.similar("new.ogg", circle, models="exported")
        vectors = read_table(circle).vectors
        np.testing.assert_allclose(
            found["similarity"], sorted(cosines(vectors, embedder[0].vector), reverse=True), atol=1e-6
        )
        assert embedder[1] == [("toy/1", "exported")]
        assert km.similar(embedder[0]().embed_file(None), circle).equals(found)

    def test_so_is_that_of_a_file_that_has_changed(self, embedder, write_vectors, tmp_path):
        song = tmp_path / "song.ogg"
        song.write_bytes(b"before")
        status, other = song.stat(), np.array([1, 0], np.float32)
        rows = [
            Row(str(song), 1.0, None, other, status.st_size, status.st_mtime_ns, sha256(song)),
            Row("/m/b.ogg", 1.0, None, -other, 1, 1, "b"),
            Row("/m/c.ogg", 1.0, None, other[::-1], 1, 1, "c"),
        ]
        write_table(table_of(rows, MAKER), tmp_path / "v.parquet")
        assert len(km.similar(song, tmp_path / "v.parquet")) == 2
        assert not embedder[1]
        song.write_bytes(b"after!")
        assert km.similar(song, tmp_path / "v.parquet")["path"].tolist() == ["/m/c.ogg", "/m/b.ogg"]
        assert len(embedder[1]) == 1

    def test_another_model_is_refused_by_name(self, embedder, circle, tmp_path):
        (tmp_path / "new.ogg").touch()
        embedder[0].maker = Maker("toy/1", "0" * 64, {})
        refusal = (
            f"{circle}: its vectors are of toy/1 (ffffffff), and the song's would be of toy/1 (00000000); "
            "embed the library again with that, or take the table's model"
        )
        for song in ("new.ogg", embedder[0]().embed_file(None)):
            with pytest.raises(UserError) as error:
                km.similar(song, circle)
            assert str(error.value) == refusal


def test_a_model_that_is_gone_is_named(circle, tmp_path):
    (tmp_path / "new.ogg").touch()
    with pytest.raises(
        UserError,
        match=r"^\S+\.parquet: its model toy/1 \(ffffffff\), which other songs want, cannot be had: ",
    ):
        km.similar("new.ogg", circle, models=tmp_path)
