"""Many songs to one table: what outlives a process that is killed, and what is refused before any work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_mir.embed.__main__ import main
from keras_mir.embed.table import Row, read_table, table_of, write_table
from keras_mir.models.embedding import Maker
from pipelines.files import beside, locked

REPOSITORY = Path(__file__).parents[3]
MAKER = Maker("toy/1", "f" * 64, {"feature": "mel"})

# The command, with a model whose vectors are a song's number; killed before the song it is told.
TOY = f"""
import os, sys
from pathlib import Path
import numpy as np
from keras_mir.embed import songs
from keras_mir.embed.__main__ import main
from keras_mir.embed.table import Row, key
from keras_mir.models.embedding import Maker

class Workers(songs.Workers):
    def start(self, most, request):
        return [{MAKER!r}]

    def map(self, requests):
        for each in requests:
            song = each.song
            if song.name == sys.argv[1]:
                os.kill(os.getpid(), 9)
            number, status = int(song.stem), song.stat()
            vector = np.array([number, 1], np.float32)
            yield each, Row(key(song), 1.0, None, vector, status.st_size, status.st_mtime_ns, song.stem)

songs.choose_local = lambda *_: None
songs.Workers = Workers
songs._SECONDS_BETWEEN_PARTS = 0
raise SystemExit(main(["music", "--model", "toy", "--out", "vectors.parquet"]))
"""


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "music").mkdir()
    for number in range(6):
        (tmp_path / "music" / f"{number}.wav").write_bytes(bytes(number + 1))

    def run(killed_before: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", TOY, killed_before],
            cwd=tmp_path,
            env={"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    return run


def test_what_was_killed_goes_on_to_the_same_table(toy, tmp_path):
    out, parts = tmp_path / "vectors.parquet", beside(tmp_path / "vectors.parquet", "parts")
    assert toy() == (0, "6 embedded\n")
    whole = out.read_bytes()
    out.unlink()
    assert toy("2.wav")[0] == -9
    assert (out.exists(), len(list(parts.glob("[!.]*")))) == (False, 2)
    next(parts.glob("[!.]*2.parquet")).write_bytes(b"cut off")
    assert toy("4.wav")[0] == -9
    assert toy("5.wav")[0] == -9
    assert toy() == (0, "1 embedded, 5 already there\n")
    assert out.read_bytes() == whole
    assert {path.name for path in tmp_path.iterdir()} == {"music", "vectors.parquet"}


def test_columns_that_a_user_has_added_stay(toy, tmp_path):
    import pyarrow as pa

    toy()
    out = tmp_path / "vectors.parquet"
    songs = read_table(out).songs
    write_table(songs.append_column("genre", pa.array(["Jazz"] * 6)), out)
    (tmp_path / "music" / "9.wav").write_bytes(bytes(10))
    assert toy() == (0, "1 embedded, 6 already there\n")
    assert read_table(out).frame["genre"].fillna("").tolist() == ["Jazz"] * 6 + [""]


def write(path, rows=1, maker=MAKER, change=lambda songs: songs):
    made = [
        Row(f"/m/{row}.ogg", 1.0, None, np.ones(2, np.float32), 1, 1, str(row)) for row in range(max(rows, 1))
    ]
    write_table(change(table_of(made, maker).slice(0, rows)), path)


def damaged(path):
    write(path, rows=500)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)


def joined(path):
    other = Maker("toy/2", "e" * 64, {})
    made = table_of([Row("/m/x.ogg", 1.0, None, np.ones(2, np.float32), 1, 1, "x")], other)
    import pyarrow as pa

    write(path, change=lambda songs: pa.concat_tables([songs, made.replace_schema_metadata(None)]))


REMEDY = "make it again with python -m keras_mir.embed"
TABLES = [
    (damaged, "damaged, or not Parquet (", f"); {REMEDY}"),
    (lambda path: path.write_bytes(b""), "damaged, or not Parquet (", f"); {REMEDY}"),
    (lambda path: write(path, 0), "without a single song; ", REMEDY),
    (
        joined,
        "has vectors of two models, toy/2:eeeeeeeeeeee and toy/1:ffffffffffff; ",
        "give a table of each",
    ),
    (
        lambda path: write(path, change=lambda songs: songs.replace_schema_metadata(None)),
        "does not say which model its vectors are of; ",
        REMEDY,
    ),
    (
        lambda path: write(path, change=lambda songs: songs.drop_columns(["tempo"])),
        "without the column 'tempo'; ",
        REMEDY,
    ),
]


@pytest.mark.parametrize(("make", "start", "end"), TABLES)
def test_a_table_that_cannot_be_gone_on_with_is_refused(make, start, end, tmp_path, capsys):
    out = tmp_path / "vectors.parquet"
    make(out)
    (tmp_path / "song.ogg").touch()
    assert main([str(tmp_path / "song.ogg"), "--model", "toy", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {out}: {start}")
    assert line.endswith(end)


def test_what_can_be_refused_is_refused_before_any_work(tmp_path, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    song = tmp_path / "song.ogg"
    song.touch()
    out = tmp_path / "vectors.parquet"

    def refusal(place, to=out):
        assert main([str(place), "--model", "none", "--models", str(tmp_path), "--out", str(to)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line.removeprefix("error: ")

    assert refusal(tmp_path / "empty") == f"{tmp_path}/empty: no audio file in it; give another folder"
    assert refusal(tmp_path / "no") == (
        f"{tmp_path}/no: no such file or folder; give audio files, or folders of them"
    )
    assert refusal(song, tmp_path / "empty") == (
        f"--out {tmp_path}/empty: a folder, not a file; choose another name"
    )
    assert refusal(song).startswith(f"{tmp_path}/none: no exported model; ")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert refusal(song) == "tables of vectors need pyarrow; pip install 'keras-mir[parquet]'"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "song.ogg"]


def test_a_place_that_cannot_be_written_is_called_as_the_user_does(toy, tmp_path):
    beside(tmp_path / "vectors.parquet", "parts").write_text("where its passing files would be")
    assert toy() == (2, "error: vectors.parquet: file exists; choose another folder\n")


def test_one_process_works_on_a_table(toy, tmp_path):
    parts = beside(tmp_path / "vectors.parquet", "parts")
    with locked(parts):
        status, err = toy()
    assert status == 2
    assert err.startswith(f"error: {parts.name}: process ")
    assert err.endswith(" is at work in it; wait for its end, or stop it\n")


def test_songs_of_a_model_that_was_stopped_are_not_taken_for_those_of_another(toy, tmp_path):
    toy("3.wav")
    parts = beside(tmp_path / "vectors.parquet", "parts")
    shutil.rmtree(parts)
    parts.mkdir()
    write(parts / "000001.parquet", maker=Maker("toy/2", "e" * 64, {}))
    assert toy() == (0, "6 embedded\n")
