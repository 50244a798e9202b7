"""Run a model over labelled clips, and report on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_mir.command_line.progress import Shown, progress
from keras_mir.data.find import find_examples
from keras_mir.data.load import (
    TEST,
    chosen_targets,
    describe_bad,
    make_source,
    mapped,
    split_examples,
    with_tags,
)
from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.evaluate.predictions_table import write_predictions
from keras_mir.models.answers import predict_export, predict_source
from keras_mir.models.report import (
    Circumstances,
    Dataset,
    Report,
    Split,
    make_report,
    thresholds_of,
    write_report,
)
from keras_mir.models.run_folder import RunFolder
from keras_mir.models.trained_model import Description, TrainedModel
from pipelines.datasets.base import ID, SPLIT, Examples
from pipelines.datasets.classes import ClassMap
from pipelines.errors import ArgumentError, UserError
from pipelines.input.cache import cache_examples
from pipelines.places import check_utf8
from pipelines.settings import check_seed
from pipelines.source import Source


def evaluate(
    model: TrainedModel,
    data: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    synced: bool = False,
    split: str = "test",
    task: str = "",
    skip_bad: bool = False,
    cache_dir: str | Path | None = None,
    jobs: int = 0,
    seed: int = 0,
    out: str | Path | None = None,
    console: Console | None = None,
) -> Report:
    """Run a model over labelled clips and report on it.

    An exported model is run through the loader that TF Serving uses.

    Args:
        model: The model.
        data: Folder of the data set; None for the built-in synthetic corpus.
        labels: Label table of a folder of files.
        synced: Whether such a folder's features are beat-synchronous already.
        split: `test`, `validation`, `train` (as they were for training) or `all`.
        task: Heads to evaluate, of a model with several, such as `genre` or `genre+tags`, where the data
            have no labels for the others (`split` is then `all`, or the data's own `test`); empty for all.
        skip_bad: Leave out files that cannot be read.
        cache_dir: Where processed features are kept; by default in `out`, or in `runs/.cache`.
        jobs: Processes that extract features; 0 for one per core.
        seed: Seed of the bootstrap that makes the confidence intervals.
        out: Folder for the report, pictures and `predictions.csv`; None writes none.
        console: Where progress is shown.

    Raises:
        UserError: If the data are missing, or do not fit the model.
    """
    console = console or Console(quiet=True)
    if out is not None and (Path(out) / "report.json").exists():
        raise ArgumentError("out", out, "there is a report in it; choose another folder")
    check_seed(seed)
    described = model.description.of(task)
    network = model.keras  # refused, if it is damaged, before data are touched
    cache = Path(cache_dir or (Path(out) / "cache" if out else "runs/.cache")).resolve()
    check_utf8("data", Path(data or ""))
    check_utf8("cache_dir", cache)
    examples = find_examples(
        str(data or ""), str(labels or ""), synced, described.recipe, cache, jobs, Shown(console)
    )
    found = examples.spec.to_dict()
    for name, value in described.feature_spec.to_dict().items():
        if found[name] != value:
            raise UserError(
                f"{model.folder}: trained on features of {name} {value}, but {examples.name} has "
                f"{found[name]}; prepare the data again with the model's"
            )
    ids, source, left_out = _source(described, examples, split, skip_bad, cache, console)
    exported = model.exported
    outputs = predict_export(exported, source) if exported else predict_source(network, source)
    evaluation = compare_with_labels(
        source.labels,
        outputs,
        described.classes,
        described.targets,
        seed,
        thresholds_of(model.report) if described.tags else None,
        source.labelled,
    )
    circumstances = Circumstances(
        seed=seed,
        split=Split(evaluated=split, sizes={split: len(source)}, left_out=left_out),
        dataset=Dataset(examples.name, examples.synthetic, examples.licence),
        recipe=described.recipe.to_dict(),
        training=None,
        model=str(model.folder),
    )
    report = make_report(evaluation.scores, circumstances)
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        evaluation.save_figures(Path(out))
        write_predictions(ids, evaluation, RunFolder(Path(out)).predictions)
        write_report(report, Path(out))
    return report


def _source(
    described: Description, examples: Examples, split: str, skip_bad: bool, cache: Path, console: Console
) -> tuple[list[str], Source, tuple[str, ...]]:
    """The ids of the chosen split, what batches of it are made from, and the paths left out."""
    recipe = described.recipe
    known = None if described.class_map is None else ClassMap(described.class_mapping, described.class_map)
    examples, _ = mapped(examples, recipe.task, known)
    chosen_targets(examples, replace(recipe.task, targets=described.targets))
    if described.tags:
        examples = with_tags(examples, described.tags)
    if split != "all":
        own_test = split == TEST and (examples.table[SPLIT] == TEST).any()
        if recipe.task.task != described.report.task and not own_test:
            problem = (
                "clips with labels of some heads are divided otherwise than those that were trained on; "
                "choose all, for clips that the model has not seen"
            )
            raise ArgumentError("split", split, problem)
        parts = split_examples(examples, recipe.split)
        if split not in parts:
            raise ArgumentError("split", split, f"{examples.name} has none; choose {', '.join(parts)} or all")
        examples = parts[split]
    with progress("processing features", console) as report:
        cached = cache_examples(examples, recipe.input, cache / "processed", report)
    if cached.bad and not skip_bad:
        raise UserError(describe_bad(cached.bad))
    rows = np.flatnonzero(cached.lengths > 0)
    examples = examples.take(rows)
    labels = described.classes, described.targets, described.tags
    source = make_source(examples, cached.take(rows), recipe, *labels)
    source = replace(source, frames=described.frames)
    return list(examples.table[ID]), source, tuple(bad.path for bad in cached.bad)
