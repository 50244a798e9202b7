"""Whether other versions of the libraries give the same: `python -m benchmarks.versions PYTHON...`.

Each interpreter has the package's requirements installed, in whatever versions. It extracts the features
of a song by librosa, and asks an exported model about its file; the table says how far that is from what
this interpreter gives.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from pipelines.synthetic.render import render_clip

ROOT = Path(__file__).parents[1]
_VERSIONS = ("python", "tensorflow", "keras", "librosa", "numba", "numpy")


def main() -> int:
    """Extract and ask in every interpreter, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versions", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="other interpreters")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="an exported model")
    parser.add_argument("--song", type=Path, metavar="FILE", help="default: a synthetic clip of 30 s")
    parser.add_argument("--answer", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer: dict[str, Any] = {**_answer(arguments.song, arguments.model)}
        np.savez(arguments.answer, **answer)
        return 0
    columns = ("mel, dB", "chroma", "beats", "answer", "its beats")
    table = Table(
        *_VERSIONS, *columns, title="largest differences from the first row, and beats that are the same"
    )
    with tempfile.TemporaryDirectory() as folder:
        song = arguments.song or _synthetic(Path(folder))
        answers = [
            _ask(python, song, arguments.model, Path(folder))
            for python in (sys.executable, *arguments.pythons)
        ]
    for answer in answers:
        versions = json.loads(str(answer["versions"]))
        table.add_row(*(versions.get(name, "") for name in _VERSIONS), *_differences(answers[0], answer))
    Console(width=130).print(table)
    return 0


def _synthetic(folder: Path) -> Path:
    song = folder / "song.wav"
    soundfile.write(song, render_clip("Rock", 0, 30.0).audio, 22050)
    return song


def _ask(python: str, song: Path, model: Path, folder: Path) -> dict[str, np.ndarray]:
    answer = folder / "answer.npz"
    places = ["--song", song.resolve(), "--model", model.resolve(), "--answer", answer]
    subprocess.run([python, "-m", "benchmarks.versions", *map(str, places)], check=True, cwd=ROOT)
    with np.load(answer) as file:
        return dict(file)


def _answer(song: Path, model: Path) -> dict[str, np.ndarray]:
    from keras_mir.predict.predictor import Predictor
    from pipelines.extraction.features import features

    samples, rate = soundfile.read(song)
    made = features(samples.T, rate)
    with Predictor(model) as predictor:
        prediction = predictor.predict_file(song)
    scores = {**prediction.probabilities, **prediction.affect}
    return {
        "mel": made.fused[made.spec.bands("mel")],
        "chroma": made.fused[made.spec.bands("chroma")],
        "beats": made.beats,
        "scores": np.array([scores[name] for name in sorted(scores)]),
        "beat_times": np.array(prediction.beat_times),
        "versions": np.array(json.dumps(describe())),
    }


def _differences(first: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    """In the order of the table's columns."""
    largest = {name: f"{np.abs(other[name] - first[name]).max():.0e}" for name in ("mel", "chroma", "scores")}
    same = {
        name: f"{len(np.intersect1d(first[name].round(3), other[name].round(3)))} of {len(first[name])}"
        for name in ("beats", "beat_times")
    }
    return [largest["mel"], largest["chroma"], same["beats"], largest["scores"], same["beat_times"]]


if __name__ == "__main__":
    sys.exit(main())
