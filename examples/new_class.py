"""A classifier of your own from ten examples per class: `python examples/new_class.py CLASSES --songs MUSIC`.

CLASSES has a folder a class, with some ten audio files in each. A head is trained on a pretrained network's
vectors, once for each of five folds, so that every example is answered by models not trained on it: that
is the score. The mean of the five answers for new songs.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import keras_mir as km


def write_table(classes: Path) -> Path:
    """A line an example, with the name of its folder as its class; all are trained on, in turn."""
    table = classes / "labels.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "file", "genre", "split"])
        for path in sorted(path for path in classes.glob("*/*") if path.is_file()):
            name = path.parent.name
            writer.writerow([f"{name}-{path.stem}", path.relative_to(classes), name, "train"])
    return table


def main() -> int:
    """Train, say how well examples are told apart that were not trained on, and answer for new songs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("classes", type=Path, help="folder with a folder of examples a class")
    parser.add_argument("--songs", type=Path, help="folder of songs to classify")
    parser.add_argument("--data", type=Path, default=Path("DATA"), help="folder for features (%(default)s)")
    arguments = parser.parse_args()

    prepare = [sys.executable, "-m", "keras_mir.prepare", arguments.classes, "--out", arguments.data]
    prepare += ["--labels", write_table(arguments.classes), "--embed", "musicnn-mtt"]
    subprocess.run(prepare, check=True)
    validated = km.cross_validate("musicnn", data=arguments.data, folds=5, ensemble=True)
    print(validated)
    model = validated.model
    assert model is not None  # the ensemble that was asked for
    print(f"exported to {model.export()}")
    if arguments.songs:
        print(*model.predict(arguments.songs), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
