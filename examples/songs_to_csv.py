"""A folder of songs to a CSV table for a spreadsheet: `python examples/songs_to_csv.py MUSIC answers.csv`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import keras_mir as km
from keras_mir.predict.prediction import Failure


def main() -> int:
    """One row per song, with its likeliest tags; songs without an answer are named, and the others go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("songs", type=Path, help="folder of audio files, at any depth")
    parser.add_argument("table", type=Path, help="CSV file to write")
    parser.add_argument(
        "--model", default="musicnn-mtt", help="a network, run or exported model (%(default)s)"
    )
    arguments = parser.parse_args()

    rows, failed = [], 0
    with km.Predictor(arguments.model) as predictor:
        for answer in predictor.predict_folder(arguments.songs):
            if isinstance(answer, Failure):
                failed += 1
                print(answer.reason, file=sys.stderr)
            else:
                likeliest = ", ".join(name for name, _ in answer.ranked[:3])
                rows.append(answer.frame().assign(likeliest=likeliest))
    if rows:
        # With a byte order mark, by which spreadsheets know that it is UTF-8.
        pd.concat(rows).to_csv(arguments.table, index=False, encoding="utf-8-sig")
    print(f"{len(rows)} songs in {arguments.table}, {failed} without an answer")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
