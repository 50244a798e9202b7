"""`/v1/similar`: which songs are named, and which may be listened to."""

from __future__ import annotations

import base64
import http.client
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from keras_mir.embed.table import Row, table_of, write_table
from keras_mir.models.embedding import Maker
from keras_mir.serve.__main__ import main
from keras_mir.serve.similar import SimilarSongs
from keras_mir.similar.similar import Similar
from pipelines.errors import UserError

# What is compared is a direction from their mean, 0: the first three come in the order of their angles.
SONGS = {
    "music/a.wav": ([1, 0], 60.0),
    "music/disc/b.ogg": ([0, 1], None),
    "music/link.wav": ([-1, 0], 90.0),
    "music/notes.txt": ([1, 1], 70.0),
    "private/c.wav": ([-1, -1], 80.0),
    "music/gone.wav": ([0, -1], 100.0),
}
PLAYED = b"what a sounds like"


@pytest.fixture
def vectors(tmp_path):
    """A table of songs, most of which are there: in a folder of music, beside it, and behind a link."""
    rows = []
    for name, (vector, tempo) in SONGS.items():
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.append(Row(str(path), 60.0, tempo, np.array(vector, np.float32), 1, 1, name))
        path.write_bytes(PLAYED)
    (tmp_path / "home/music/gone.wav").unlink()
    (tmp_path / "home/music/link.wav").unlink()
    (tmp_path / "home/music/link.wav").symlink_to(tmp_path / "home/private/c.wav")
    write_table(table_of(rows, Maker("toy/1", "f" * 64, {})), tmp_path / "vectors.parquet")
    return tmp_path / "vectors.parquet"


@pytest.fixture
def client(serving, vectors, tmp_path, monkeypatch):
    """A server of the table, whose model makes `[3, 1]` of b"loud" and nothing of other sound."""

    def answer_wav(files):
        errors = ["" if file == b"loud" else "silent: there is nothing to analyse" for file in files]
        return {"error": np.array(errors), "embedding": np.array([[3.0, 1.0]]), "windows": np.array([2])}

    monkeypatch.setattr(Similar, "embedder", SimpleNamespace(answer_wav=answer_wav))
    music = [tmp_path / "home/music"]
    with serving(tmp_path, similar=SimilarSongs(vectors, tmp_path, music), request_bytes=300_000) as client:
        yield client


def audio(content):
    return {"audio": {"b64": base64.b64encode(content).decode()}}


def test_the_nearest_songs_of_a_sound(client):
    nearest = [
        ("music/a.wav", 3, 60.0, "/v1/similar/songs/0"),
        ("music/notes.txt", 4 / 2**0.5, 70.0, None),
        ("music/disc/b.ogg", 1, None, "/v1/similar/songs/1"),
        ("music/gone.wav", -1, 100.0, None),
        ("private/c.wav", -4 / 2**0.5, 80.0, None),
        ("music/link.wav", -3, 90.0, None),
    ]
    songs = [
        {
            "path": path,
            "similarity": round(product / 10**0.5, 4),
            "duration": 60.0,
            "tempo": tempo,
            "audio": sound,
        }
        for path, product, tempo, sound in nearest
    ]
    status, answer = client.ask("POST", "/v1/similar", audio(b"loud"))
    assert (status, answer) == (200, {"embedding": [3.0, 1.0], "windows": 2, "songs": songs})
    assert client.ask("POST", "/v1/similar", {"embedding": [6, 2]}) == (200, {"songs": songs})
    assert client.ask("GET", "/v1/similar") == (200, {"model": "toy/1", "songs": 6})


def test_a_server_without_a_table_has_no_songs(serving, tmp_path):
    with serving(tmp_path) as client:
        assert client.ask("GET", "/v1/similar") == (200, {"songs": 0})
        assert client.ask("POST", "/v1/similar", audio(b"loud")) == (
            404,
            {"error": "no table of vectors; start the server as python -m keras_mir.serve --similar VECTORS"},
        )
        assert client.ask("GET", "/v1/similar/songs/0")[0] == 404


def get(client, path, **headers):
    connection = http.client.HTTPConnection(client.server.rest_address, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_a_song_in_the_folder_of_music_can_be_listened_to_from_anywhere_in_it(client):
    status, headers, body = get(client, "/v1/similar/songs/0")
    assert (status, body) == (200, PLAYED)
    assert headers["content-type"].startswith("audio/")
    status, headers, body = get(client, "/v1/similar/songs/0", Range="bytes=5-")
    assert (status, body) == (206, PLAYED[5:])
    # For no other site's page, and no page itself, whatever is in it.
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("row", [2, 3, 4, 5, 6, 10**30, "-1", "a", "../../vectors.parquet", "%2e%2e"])
def test_nothing_else_is_given_out(client, row):
    status, headers, body = get(client, f"/v1/similar/songs/{row}")
    assert (status, headers["content-type"]) == (404, "application/json")
    assert PLAYED not in body


def test_a_link_that_leads_to_itself_is_no_song(vectors, tmp_path, client):
    gone = tmp_path / "home/music/gone.wav"
    gone.symlink_to(gone)
    assert get(client, "/v1/similar/songs/2")[0] == 404


def test_without_a_folder_of_music_nothing_is(vectors, tmp_path, client):
    songs = SimilarSongs(vectors, tmp_path)
    assert [songs.sound_file(row) for row in range(7)] == [None] * 7


NEITHER = "the request must have either 'audio' or 'embedding', and nothing else"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (audio(b"quiet"), "silent: there is nothing to analyse"),
        ({}, NEITHER),
        ({**audio(b"loud"), "top": 3}, NEITHER),
        ([], "the request is not a JSON object"),
        ({"audio": [audio(b"loud")["audio"]]}, "'audio' must be one WAV file, {\"b64\": ...}"),
        ({"audio": 3}, "'audio' has 3, which is neither a string nor {\"b64\": ...}"),
        ({"embedding": [1]}, "'embedding' must be a list of 2 numbers"),
        ({"embedding": [[1, 2]]}, "'embedding' must be a list of 2 numbers"),
        ({"embedding": [1, float("nan")]}, "'embedding' has numbers that are NaN or infinite"),
        ({"embedding": [1, 1e39]}, "'embedding' has a number that float32 cannot hold"),
        ({"embedding": ["1", "2"]}, "'embedding' has \"1\", which is not of type float32"),
    ],
)
def test_what_is_no_request_is_one_line(client, body, error):
    assert client.ask("POST", "/v1/similar", body) == (400, {"error": error})


def test_a_request_is_as_large_as_any(client):
    assert client.ask("POST", "/v1/similar", audio(bytes(300_000)))[0] == 413


def test_vectors_of_another_model_are_refused_by_name(vectors, tmp_path, monkeypatch):
    other = SimpleNamespace(maker=Maker("toy/1", "0" * 64, {}))
    monkeypatch.setattr("keras_mir.similar.similar.load_embedder", lambda *_: other)
    with pytest.raises(UserError) as error:
        SimilarSongs(vectors, tmp_path)
    assert str(error.value) == (
        f"{vectors}: its vectors are of toy/1 (ffffffff), and the song's would be of toy/1 (00000000); "
        "embed the library again with that, or take the table's model"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--music", "M"], "--music M: is for the songs of a table; name it with --similar"),
        (["--similar", "V"], "V: no such file; give a table that python -m keras_mir.embed has written"),
        (
            ["--similar", "V", "--music", "M"],
            "--music M: no such folder; give that of the table's songs",
        ),
    ],
)
def test_a_mistake_is_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(options) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
