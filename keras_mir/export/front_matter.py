"""What model hubs read at the head of a model card: YAML between two lines of dashes.

Keys and values are those of the Hugging Face Hub (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from keras_mir.models.report import Report
from keras_mir.models.trained_model import Description
from pipelines.datasets.base import Task
from pipelines.wording import listed

_TASKS: dict[Task, str] = {
    "genre": "music genre recognition",
    "affect": "music affect regression",
    "tags": "music tagging",
}
# By score, what hubs call the metric.
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "spearman": "spearmanr",
    "spearman_mean": "spearmanr",
    "macro_roc_auc": "roc_auc",
    "mean_average_precision": "average_precision",
}
# The hub's names of licences that data of music come under.
_LICENCES = {
    *("apache-2.0", "cc", "cc0-1.0", "isc", "mit", "odbl", "pddl"),
    *(f"cc-by{terms}-{of}" for terms in ("", "-sa", "-nc", "-nc-sa", "-nc-nd") for of in ("3.0", "4.0")),
}
_PIPELINE = "audio-classification"  # the nearest that hubs have for numbers, too


def front_matter(name: str, description: Description) -> str:
    """The head of a model card.

    The licence is that of the data, as far as it is known: what has been made of them is bound by it.

    Args:
        name: Name of the model.
        description: What it says of itself.
    """
    tasks = [_TASKS[task] for task in description.recipe.task.tasks]
    values: dict[str, Any] = {
        "library_name": "keras-mir",
        "pipeline_tag": _PIPELINE,
        **_licence(description.report.dataset.licence),
        "tags": ["keras", "music", *(task.replace(" ", "-") for task in tasks)],
    }
    if (result := _result(listed(tasks), description.report))["metrics"]:
        values["model-index"] = [{"name": name, "results": [result]}]
    return "\n".join(["---", *_yaml(values), "---", ""])


def _licence(stated: str) -> dict[str, str]:
    plain = re.sub(r"[\s_]+", "-", stated.strip().lower())
    if not plain:
        return {"license": "unknown"}
    plain = {"cc0": "cc0-1.0"}.get(plain, plain)
    return {"license": plain} if plain in _LICENCES else {"license": "other", "license_name": plain}


def _result(task: str, report: Report) -> dict[str, Any]:
    metrics = [
        {"type": _METRICS[score.partition(".")[0]], "value": value.value, "name": score}
        for score, value in report.main_scores.items()
        if value.value is not None
    ]
    dataset = {"type": report.dataset.name, "name": report.dataset.name, "split": report.split.evaluated}
    return {"task": {"type": _PIPELINE, "name": task}, "dataset": dataset, "metrics": metrics}


def _yaml(value: Any) -> Iterator[str]:
    """Lines of a mapping or a list; text is written as JSON writes it, which YAML reads."""
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        start = "-" if key is None else f"{key}:"
        if not isinstance(item, dict | list):
            yield f"{start} {_scalar(item)}"
            continue
        lines = list(_yaml(item))
        if key is None:
            yield f"- {lines.pop(0)}"
        else:
            yield start
        yield from (f"  {line}" for line in lines)


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    # YAML allows no control characters, nor JSON's pairs of escapes.
    plain = "".join(character if character.isprintable() else " " for character in value)
    # Where the card is shown by what knows no head, names are not to become HTML or links.
    return re.sub(
        r"[<>&\[\]()*`|~#$!]", lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(plain, ensure_ascii=False)
    )
