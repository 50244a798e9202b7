"""The numbers that the paper published, measured on its own data set, from `paper.json`."""

from __future__ import annotations

import json
from importlib import resources

import pandas as pd

_PAPER = json.loads(resources.files(__package__).joinpath("paper.json").read_text(encoding="utf-8"))

SCORES = ("precision", "recall", "F1")
CLIPS: dict[str, int] = _PAPER["clips"]  # test clips by class
TARGETS: tuple[str, ...] = tuple(_PAPER["targets"])
OVERVIEW: dict[str, float] = _PAPER["overview"]  # accuracy or mean Spearman, by recipe


def published(table: str) -> pd.DataFrame:
    """A numbered table as it was printed: scores of classes and averages, or correlations of models."""
    columns = SCORES if table in "12345" else (*TARGETS, "mean")
    return pd.DataFrame.from_dict(_PAPER["tables"][table], orient="index", columns=columns, dtype=float)
