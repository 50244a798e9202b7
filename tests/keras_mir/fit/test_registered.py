"""A data set and an augmentation from outside the package: a line registers each, and `fit` takes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_mir.fit import __main__ as fit
from pipelines.datasets import audio, load
from pipelines.datasets.base import Examples, LoadOptions
from pipelines.datasets.labels import AudioOptions, LabelledAudio, LabelTable
from pipelines.errors import ArgumentError
from pipelines.input import augment

SMALL = ("--units", "4", "--layers", "1", "--epochs", "1", "--batch-size", "8", "--no-export")


def run(tmp_path: Path, data: Path, *more: str) -> int:
    return fit.main(["lstm-beat-mel", "--data", str(data), "--out", str(tmp_path / "run"), *SMALL, *more])


class Toy:
    """A folder with `toy.json`, genres by id, and a `.npy` file each."""

    def recognises(self, root: Path, labels: Path | None) -> bool:
        return (root / "toy.json").is_file()

    def load(self, root: Path, task: str, options: LoadOptions) -> Examples:
        genres = json.loads((root / "toy.json").read_text())
        table = pd.DataFrame({"id": list(genres), "genre": list(genres.values())})
        table["path"] = [str(root / f"{identity}.npy") for identity in genres]
        table["split"] = table["beats"] = ""
        return Examples(table, name="toy", synced=True)


@pytest.mark.slow
def test_a_data_set(tmp_path, make_fused, save_features, monkeypatch):
    genres = {f"clip{number}": ("Rock", "Folk")[number % 2] for number in range(16)}
    for number, identity in enumerate(genres):
        save_features(tmp_path / "data" / f"{identity}.npy", make_fused(8, number).astype(np.float32))
    (tmp_path / "data" / "toy.json").write_text(json.dumps(genres))
    monkeypatch.setattr(load, "DATA_SETS", [Toy(), *load.DATA_SETS])
    assert run(tmp_path, tmp_path / "data") == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["dataset"]["name"] == "toy"
    assert sum(report["split"]["sizes"].values()) == 16


class ToyAudio:
    """A folder of clips named by their genre."""

    def __init__(self) -> None:
        self.REFUSES = {"targets": "it has genres alone"}

    def recognises(self, audio_dir: Path, table: Path | None) -> bool:
        return (audio_dir / "toy").is_file()

    def load(self, audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
        files = sorted(audio_dir.glob("*.wav"))
        labels = pd.DataFrame({"id": [file.stem for file in files], "file": [file.name for file in files]})
        labels["genre"] = labels["id"].str.rstrip("0123456789")
        return LabelledAudio(audio_dir, LabelTable(labels, (), audio_dir), lacking="no genre")


def test_a_data_set_of_audio(tmp_path, monkeypatch):
    for name in ("toy", "rock1.wav", "folk1.wav"):
        (tmp_path / name).touch()
    monkeypatch.setattr(audio, "AUDIO_DATA_SETS", {"toy": ToyAudio(), **audio.AUDIO_DATA_SETS})
    labels = audio.load_labelled_audio(tmp_path, None).labels.table
    assert labels["genre"].tolist() == ["folk", "rock"]
    with pytest.raises(ArgumentError, match="targets: it has genres alone; leave it out"):
        audio.load_labelled_audio(tmp_path, None, targets=["joy"])


@dataclass(frozen=True)
class Gain:
    """Every clip louder or quieter, by up to so many dB."""

    decibels: float

    def __call__(self, element: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        seed = tf.random.experimental.stateless_fold_in(element["seed"], 100)
        change = tf.random.stateless_uniform([], seed, -self.decibels, self.decibels)
        return {**element, "features": element["features"] + change}


@pytest.mark.slow
def test_an_augmentation(tmp_path, course_data, monkeypatch, capsys):
    made = []

    def make(settings: augment.AugmentSettings, clips: augment.Clips) -> Gain | None:
        if settings.strength("gain"):
            made.append(Gain(settings.strength("gain")))
        return made[-1] if made else None

    assert run(tmp_path, course_data, "--augment", "gain=3") == 2
    error = "error: --augment gain=3: no augmentation of that name is registered\n"
    assert capsys.readouterr().err == error
    assert not (tmp_path / "run").exists() or not any((tmp_path / "run").iterdir())
    monkeypatch.setitem(augment.ON_CLIPS, "gain", make)
    assert run(tmp_path, course_data, "--augment", "gain=3") == 0
    assert Gain(3.0) in made
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["recipe"]["augment"]["augment"] == ["gain=3"]
