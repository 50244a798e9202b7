"""What a student would write with scikit-learn for a head on vectors, by cross-validation, as a script."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def main() -> None:
    """Cross-validate an SVM whose parameters are chosen within the training clips, on all cores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--folds", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    vectors = np.load(arguments.data)
    genres = pd.read_csv(arguments.labels)["genre"]
    grid = {"svc__C": [1.0, 10.0, 100.0]}
    chosen = GridSearchCV(make_pipeline(StandardScaler(), SVC()), grid, cv=5)
    folds = StratifiedKFold(arguments.folds, shuffle=True, random_state=0)
    predicted = cross_val_predict(chosen, vectors, genres, cv=folds, n_jobs=-1)
    arguments.out.mkdir(parents=True)
    (arguments.out / "report.json").write_text(json.dumps({"accuracy": accuracy_score(genres, predicted)}))


if __name__ == "__main__":
    main()
