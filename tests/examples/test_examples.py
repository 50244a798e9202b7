"""The scripts in examples/, on a few generated clips."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docs, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GENRES = ("Classical", "Metal")


def run(name: str, *words: object, cwd: Path) -> str:
    """What an example prints."""
    program = ["bash"] if name.endswith(".sh") else [sys.executable]
    packages = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": packages, "PATH": path, "NO_COLOR": "1"}
    command = [*program, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def classes(tmp_path_factory) -> Path:
    """A folder a class, with five clips in each."""
    import soundfile

    from pipelines.synthetic.render import render_clip

    if importlib.util.find_spec("musicnn") is None:
        pytest.skip("the pretrained network's weights are not installed")
    folder = tmp_path_factory.mktemp("examples") / "CLASSES"
    for genre in GENRES:
        (folder / genre).mkdir(parents=True)
        for number in range(5):
            soundfile.write(folder / genre / f"{number}.flac", render_clip(genre, number, 4.0).audio, 22050)
    return folder


def test_every_example_is_tested_and_at_most_a_page():
    scripts = [path for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")]
    source = Path(__file__).read_text(encoding="utf-8")
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for script in scripts:
        assert f'"{script.name}"' in source
        assert f"`{script.name}`" in listed
        assert len(script.read_text(encoding="utf-8").splitlines()) <= 60, script


def test_songs_to_csv(classes, tmp_path):
    said = run("songs_to_csv.py", classes, tmp_path / "answers.csv", cwd=tmp_path)
    assert said == f"10 songs in {tmp_path / 'answers.csv'}, 0 without an answer\n"
    with (tmp_path / "answers.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert all(row["likeliest"].count(", ") == 2 and 0 <= float(row["tag_guitar"]) <= 1 for row in rows)


def test_playlist_from_song(classes, tmp_path):
    song = classes / "Metal/0.flac"
    lines = run("playlist_from_song.sh", classes, song, cwd=tmp_path).splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[2] == str(song)
    assert len(lines) == 1 + 2 * 10


def test_new_class(classes, tmp_path):
    said = run("new_class.py", classes, "--songs", classes / "Metal", cwd=tmp_path)
    assert "accuracy" in said
    assert (tmp_path / "saved_models/musicnn/1/saved_model.pb").is_file()
    assert said.count(".flac") >= 5


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """The address of a server that has a small model of genres, `small-cnn`."""
    import numpy as np

    from keras_mir.fit.run import train
    from keras_mir.serve.local_server import local_server

    random, lines = np.random.default_rng(0), ["id,genre"]
    (tmp_path / "data").mkdir()
    for number in range(16):
        fused = np.concatenate([random.uniform(-80, 0, (128, 90)), random.uniform(0, 1, (12, 90))])
        np.save(tmp_path / f"data/{number}.npy", fused.astype(np.float32))
        lines.append(f"{number},{GENRES[number % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    model = train(
        "small-cnn", tmp_path / "data", labels=tmp_path / "labels.csv", epochs=1, out=tmp_path / "run"
    )
    model.export(tmp_path / "saved_models")
    with local_server(tmp_path / "saved_models", port=0, grpc_port=0) as served:
        thread = threading.Thread(target=served.run)
        thread.start()
        yield served.rest_address
        served.stop()
        thread.join()


def test_ask_server(server, tmp_path):
    import soundfile

    from pipelines.synthetic.render import render_clip

    soundfile.write(tmp_path / "song.wav", render_clip("Jazz", 7, 4.0).audio, 22050)
    said = run("ask_server.py", "song.wav", "--server", server, cwd=tmp_path)
    genre = said.removeprefix("song.wav: ").strip()
    answer = json.loads(run("ask_server.sh", "song.wav", "small-cnn", server, cwd=tmp_path))
    assert answer["outputs"]["genre"] == [genre]


def test_fma_small(tmp_path):
    """On a miniature of FMA, whose tables have the columns that are read."""
    import soundfile

    from pipelines.synthetic.render import render_clip

    folder = tmp_path / "fma"
    (folder / "fma_metadata").mkdir(parents=True)
    header = [
        ("artist", "id"),
        ("set", "split"),
        ("set", "subset"),
        ("track", "genre_top"),
        ("track", "genres"),
        ("track", "title"),
    ]
    with (folder / "fma_metadata/tracks.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["", *level] for level in zip(*header, strict=True)])
        writer.writerow(["track_id", *[""] * len(header)])
        for number in range(16):
            genre = ("Rock", "Hip-Hop")[number % 2]
            split = "test" if number >= 12 else "training"
            writer.writerow([number + 1, number, split, "small", genre, "[]", "A title"])
            path = folder / f"fma_small/000/{number + 1:06d}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, render_clip(genre, number, 4.0).audio, 22050)
    run("fma_small.sh", folder, cwd=tmp_path)
    assert json.loads((folder / "REPORT/report.json").read_text())["n"] == 4
