"""Judge an exported model, as it would be served."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from keras_mir.command_line.progress import progress
from keras_mir.data.find import find_examples
from keras_mir.data.load import chosen_targets, describe_bad, make_source, mapped, split_examples
from keras_mir.evaluate.judge import judge
from keras_mir.evaluate.predictions import predict_export
from keras_mir.evaluate.table import print_report
from keras_mir.export.savedmodel import latest_version, read_description
from keras_mir.models.report import ReportContext, write_report
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import Examples
from pipelines.errors import UserError
from pipelines.input.build import cache_examples
from pipelines.source import Source
from pipelines.spec import FeatureSpec


@dataclass(frozen=True)
class EvaluateRequest:
    """What a user asks of `evaluate`; see its `--help`."""

    model: Path
    data: str
    labels: str
    synced: bool
    split: str
    skip_bad: bool
    cache_dir: Path | None
    jobs: int
    seed: int
    out: Path | None


def evaluate_export(request: EvaluateRequest, console: Console) -> int:
    """Run an exported model over labelled examples and report on it.

    Returns:
        The exit status.

    Raises:
        UserError: If the model or the data are missing, or do not fit each other.
    """
    version = latest_version(request.model)
    description = read_description(version)
    recipe = Recipe.from_dict(description["recipe"], source=str(version))
    out = request.out or Path("runs") / f"evaluate-{version.parent.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    cache = request.cache_dir or (out / "cache" if request.out else Path("runs/.cache"))
    if (out / "report.json").exists():
        raise UserError(f"--out {out}: there is a report in it; choose another folder")
    examples = find_examples(
        request.data, request.labels, request.synced, recipe, cache.resolve(), request.jobs, console
    )
    _check_spec(FeatureSpec.from_dict(description["feature_spec"]), examples, version)
    examples, left_out, source = _source(request, recipe, description, examples, cache, console)
    outputs = predict_export(version, source)
    judgement = judge(source.labels, outputs, description["classes"], description["targets"], request.seed)
    context = ReportContext(
        seed=request.seed,
        split={"evaluated": request.split, "sizes": {request.split: len(source)}, "left_out": left_out},
        dataset={"name": examples.name, "synthetic": examples.synthetic, "licence": examples.licence},
        recipe=description["recipe"],
        training=None,
        model=str(version),
    )
    report = judgement.report(context)
    out.mkdir(parents=True, exist_ok=True)
    judgement.save_figures(out)
    path = write_report(report, out)
    print_report(report, console)
    console.print(f"report  {path}", highlight=False, soft_wrap=True)
    return 0


def _source(
    request: EvaluateRequest,
    recipe: Recipe,
    description: dict[str, Any],
    examples: Examples,
    cache: Path,
    console: Console,
) -> tuple[Examples, list[str], Source]:
    """The chosen split's examples, the paths left out, and what batches are made from."""
    examples, _ = mapped(examples, recipe.task)
    targets = tuple(description["targets"])
    chosen_targets(examples, dataclasses.replace(recipe.task, targets=targets))
    if request.split != "all":
        parts = split_examples(examples, recipe.split)
        if request.split not in parts:
            raise UserError(
                f"--split {request.split}: {examples.name} has none; choose {', '.join(parts)} or all"
            )
        examples = parts[request.split]
    with progress("processing features", console) as report:
        cached = cache_examples(examples, recipe.input, (cache / "processed").resolve(), report)
    if cached.bad and not request.skip_bad:
        raise UserError(describe_bad(cached.bad))
    rows = np.flatnonzero(cached.lengths > 0)
    examples = examples.take(rows)
    source = make_source(examples, cached.take(rows), recipe, description["classes"], targets)
    source = dataclasses.replace(source, frames=description["frames"])
    return examples, [bad.path for bad in cached.bad], source


def _check_spec(trained: FeatureSpec, examples: Examples, version: Path) -> None:
    for name, value in trained.to_dict().items():
        found = examples.spec.to_dict()[name]
        if found != value:
            raise UserError(
                f"{version}: trained on features of {name} {value}, but {examples.name} has {found}; "
                f"prepare the data again with the model's"
            )
