"""Whether sound and prepared features have the same answer: `python -m benchmarks.parity`.

Models are trained briefly on prepared features and exported. Each is then asked about every test clip
twice, in a session: by the features that `prepare` extracted with librosa, and by the audio file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import Inputs

RECIPES = {  # and for how many epochs
    "lstm-beat-mel": 15,
    "lstm-beat-chroma": 15,
    "lstm-beat-fused": 15,
    "lstm-mel": 1,
    "cnn": 1,
    "cnn-beat-mel": 8,
    "multitask-cnn-beat-mel": 8,
}


def main() -> int:
    """Train, ask and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.parity", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--audio", type=Path, metavar="DIR", help="real music with a labels.csv, instead of synthetic"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/benchmarks"), metavar="DIR", help="for inputs"
    )
    parser.add_argument("--only", default=",".join(RECIPES), metavar="RECIPES", help="by commas")
    arguments = parser.parse_args()
    inputs = Inputs(arguments.folder.resolve(), arguments.audio.resolve() if arguments.audio else None)
    table = Table("recipe", "clips", "largest difference", "median", "same genre", "same beats")
    for recipe in arguments.only.split(","):
        table.add_row(recipe, *_compare(inputs, recipe))
        Console(width=120).print(table)
    return 0


def _model(inputs: Inputs, recipe: str) -> Path:
    """An exported model of a recipe: its folder `NAME/VERSION`."""
    root = inputs.folder / "parity"
    version = root / recipe / "1"
    if not version.is_dir():
        command = [
            "keras_mir.fit",
            recipe,
            "--data",
            str(inputs.features()),
            "--epochs",
            str(RECIPES[recipe]),
        ]
        places = ["--export-dir", str(root), "--out", str(inputs.folder / f"parity-run-{recipe}")]
        caches = ["--cache-dir", str(inputs.folder / "cache")]
        subprocess.run([sys.executable, "-m", *command, *places, *caches], check=True, stdout=2)
    return version


def _compare(inputs: Inputs, recipe: str) -> tuple[str, ...]:
    """Clips, largest and median difference, and on how many clips genre and beats are the same."""
    from keras_mir.data.load import TEST, load_data
    from keras_mir.models.answers import predict_export
    from keras_mir.predict.predictor import Predictor
    from keras_mir.recipes.named import named_recipe
    from pipelines.datasets.base import ID
    from pipelines.datasets.load import load_examples

    version, settings, features = _model(inputs, recipe), named_recipe(recipe), inputs.features()
    synced = settings.input.sync == "beat"
    examples = load_examples(features, settings.task.tasks[0], prefer_synced=synced)
    data = load_data(examples, settings, inputs.folder / "cache")
    by_features = predict_export(version, data.sources[TEST])
    rows = pd.read_csv(features / "examples.csv", dtype={"id": str}, index_col="id")
    spec = data.examples[TEST].spectrogram_spec
    differences, same_genre, same_beats = [], 0, 0
    with Predictor(version) as predictor:
        for row, name in enumerate(data.examples[TEST].table[ID]):
            prediction = predictor.predict_file(inputs.music() / rows.loc[name, "file"])
            if data.classes:
                expected = by_features["genre"][row]
                given = np.array([prediction.probabilities[genre] for genre in data.classes])
                same_genre += int(given.argmax() == expected.argmax())
            else:
                expected = np.array([by_features[target][row].item() for target in data.targets])
                given = np.array([prediction.affect[target] for target in data.targets])
            differences.append(np.abs(given - expected).max())
            frames = np.load(features / "beats" / f"{name}.beats.npy")
            seconds = frames / spec.frame_rate
            beats = np.array(prediction.beat_times)
            same_beats += int(len(beats) == len(seconds) and np.allclose(beats, seconds, atol=1e-3))
    count = len(differences)
    return (
        str(count),
        f"{max(differences):.1e}",
        f"{np.median(differences):.1e}",
        f"{same_genre} of {count}" if data.classes else "",
        f"{same_beats} of {count}" if synced else "",
    )


if __name__ == "__main__":
    sys.exit(main())
