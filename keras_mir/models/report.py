"""The report of an evaluation: a JSON file with stable keys.

Scores that carry a confidence interval are written `{"value", "low", "high"}`, written
*interval* below; a score that is undefined has null in all three, never NaN. Epochs count from 1.

Every report has:

=================  ====================================================================
`format`         1; a reader refuses any other
`task`           `"genre"` or `"affect"`
`n`              number of clips evaluated
`chance`         what guessing gives: for genre `majority_share` and
                   `majority_class` of the evaluated clips, for affect `spearman` 0
`bootstrap`      of the intervals: `seed`, `resamples`, `confidence`
`dataset`        `name`, `synthetic` (true if generated, not recorded), `licence`
`split`          `evaluated`: the split that `n` counts; `sizes` of all of them, and
                   how they were made
`seed`           of the training
`recipe`         `name` and settings
`training`       `epochs` run, `stopped_early`: whether early stopping ended it after
                   them, `best_epoch` whose weights the model has, `seconds`; null
                   where a finished model was evaluated
`model`          path of the model
`versions`       of `python`, `keras_mir`, `tensorflow`, `keras`, `numpy`,
                   `librosa`; null for one that is not installed
=================  ====================================================================

A genre report also has:

====================  =================================================================
`class_names`       in the order of the class index
`accuracy`          interval
`macro_f1`          interval; over all of `class_names`
`weighted_f1`       interval
`per_class`         by name: `precision`, `recall`, `f1`, `support`
`averages`          the same for `macro`, `micro`, `weighted`
`confusion_matrix`  list of rows; true classes are rows, predicted ones columns
====================  =================================================================

An affect report also has:

=================  ====================================================================
`targets`        names, in the order of the model
`spearman`       interval by target
`spearman_mean`  interval
`rmse`, `r2`   interval by target
`undefined`      why a score is undefined, by `<score>.<target>` or `spearman_mean`
=================  ====================================================================
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_mir import __version__
from keras_mir.evaluate.metrics import ClassificationMetrics, RegressionMetrics
from pipelines.errors import UserError
from pipelines.files import write_atomically

FORMAT = 1
FILE_NAME = "report.json"

# TensorFlow is one module with several distributions.
_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly"),
    "keras": ("keras", "keras-nightly"),
    "numpy": ("numpy",),
    "librosa": ("librosa",),
}


@dataclass(frozen=True)
class TrainingSummary:
    """How a training went.

    Attributes:
        epochs: Epochs run.
        best_epoch: The epoch whose weights the model has, counted from 1.
        stopped_early: Whether early stopping ended it.
        seconds: Time it took.
    """

    epochs: int
    best_epoch: int
    stopped_early: bool
    seconds: float


@dataclass(frozen=True)
class ReportContext:
    """What a report says besides scores: where data and model came from.

    Attributes:
        seed: Of the training.
        split: `evaluated`, the name of the split that was evaluated, the `sizes` of all, and
            how they were made.
        dataset: `name`, `synthetic` (whether its music was generated) and `licence`.
        recipe: `name` and settings.
        training: How the training went; None where a finished model was evaluated.
        model: Where the model is.
    """

    seed: int
    split: Mapping[str, Any]
    dataset: Mapping[str, Any]
    recipe: Mapping[str, Any]
    training: TrainingSummary | None
    model: str


def build_report(
    *,
    task: Literal["genre", "affect"],
    metrics: ClassificationMetrics | RegressionMetrics,
    context: ReportContext,
) -> dict[str, Any]:
    """Lay out a report as the module describes it.

    Returns:
        Only what JSON has: it survives `write_report` and `read_report` unchanged.

    Raises:
        ValueError: If the metrics are not those of the task.
    """
    if isinstance(metrics, ClassificationMetrics) != (task == "genre"):
        raise ValueError(f"task {task!r} with {type(metrics).__name__}")
    if isinstance(metrics, ClassificationMetrics):
        name, share = metrics.majority
        chance: dict[str, Any] = {"majority_share": share, "majority_class": name}
    else:
        chance = {"spearman": 0.0}
    # The attributes of metrics and context are named as the report's keys.
    report = {**vars(metrics), **vars(context), "chance": chance, "versions": versions()}
    return dict(plain({"format": FORMAT, "task": task, **report}))


def write_report(report: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.json` so that it is there whole or not at all.

    Args:
        report: From `build_report`.
        folder: Made if it is not there.

    Returns:
        The file.
    """
    path = folder / FILE_NAME
    text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def read_report(path: Path) -> dict[str, Any]:
    """Read a report.

    Args:
        path: The file, or the folder it is in.

    Raises:
        UserError: If there is none, or it is damaged or of another format.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no report there; make one with python -m keras_mir.evaluate") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a report ({error}); evaluate the model again") from None
    found = report.get("format") if isinstance(report, dict) else None
    if found != FORMAT:
        raise UserError(f"{file}: report format {found!r}, expected {FORMAT}; evaluate the model again")
    return dict(report)


def versions() -> dict[str, str | None]:
    """Versions of what results depend on, read without importing it; None if not installed."""
    return {
        "python": platform.python_version(),
        "keras_mir": __version__,
        **{name: _installed(candidates) for name, candidates in _DISTRIBUTIONS.items()},
    }


def _installed(distributions: tuple[str, ...]) -> str | None:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def plain(value: Any) -> Any:
    """The value as JSON can hold it; a number that is not finite becomes None."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
