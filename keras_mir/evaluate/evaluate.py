"""A model's answers held against the labels of clips: scores, pictures, and a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_mir.command_line.progress import progress
from keras_mir.data.find import find_examples
from keras_mir.data.load import chosen_targets, describe_bad, make_source, mapped, split_examples
from keras_mir.evaluate import figures
from keras_mir.evaluate.metrics import (
    accuracy_difference,
    affect_scores,
    genre_scores,
    predicted_classes,
    reliability,
    spearman_difference,
)
from keras_mir.evaluate.predictions import predict_export, predict_source
from keras_mir.models.report import (
    AffectScores,
    Bootstrap,
    Circumstances,
    Dataset,
    GenreScores,
    Interval,
    Report,
    Split,
    make_report,
    write_report,
)
from keras_mir.models.trained_model import TrainedModel
from pipelines.datasets.base import GENRE, Examples
from pipelines.errors import ArgumentError, UserError
from pipelines.input.cache import cache_examples
from pipelines.source import Source


@dataclass(frozen=True)
class Evaluation:
    """How well a model answers.

    Attributes:
        scores: Of the genre task, or of the affect task.
        true: Labels by output name, `(n,)`.
        predicted: Class indices or values by output name, `(n,)`.
        probabilities: Of the classes, `(n, n_classes)`; None for the affect task.
    """

    scores: GenreScores | AffectScores
    true: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]
    probabilities: np.ndarray | None = None

    def difference(self, other: Evaluation) -> Interval:
        """The main score less that of other answers for the same clips, by a paired bootstrap."""
        bootstrap = self.scores.bootstrap
        if isinstance(self.scores, GenreScores):
            true, predicted = self.true[GENRE], self.predicted[GENRE]
            return accuracy_difference(true, predicted, other.predicted[GENRE], bootstrap)
        return spearman_difference(self.true, self.predicted, other.predicted, bootstrap)

    def save_figures(self, folder: Path) -> None:
        """Write `confusion_matrix.png` and `reliability.png`, or `scatter.png`."""
        if isinstance(self.scores, GenreScores):
            figure = figures.confusion_matrix(self.scores.confusion_matrix, self.scores.class_names)
            figures.save(figure, folder / "confusion_matrix.png")
            found = reliability(self.true[GENRE], np.asarray(self.probabilities))
            figures.save(figures.reliability(found), folder / "reliability.png")
        else:
            figures.save(figures.scatters(self.true, self.predicted), folder / "scatter.png")


def compare_with_labels(
    labels: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    classes: Sequence[str],
    targets: Sequence[str],
    seed: int,
) -> Evaluation:
    """Compare a model's outputs with the labels.

    Args:
        labels: Class indices `(n,)` as `"genre"`, or values `(n,)` by target.
        outputs: Probabilities `(n, n_classes)` as `"genre"`, or values `(n, 1)` or
            `(n,)` by target.
        classes: Class names in index order; empty for affect.
        targets: Affect targets; empty for genre.
        seed: Of the confidence intervals.

    Raises:
        UserError: If an output is not finite.
    """
    if classes:
        index, probabilities = np.asarray(labels[GENRE]), outputs[GENRE]
        predicted = predicted_classes(probabilities)
        scores = dataclasses.replace(
            genre_scores(index, predicted, classes, Bootstrap(seed)),
            expected_calibration_error=reliability(index, probabilities).error,
        )
        return Evaluation(scores, {GENRE: index}, {GENRE: predicted}, probabilities)
    true = {name: np.asarray(labels[name]) for name in targets}
    values = {name: np.reshape(outputs[name], -1) for name in targets}
    return Evaluation(affect_scores(true, values, Bootstrap(seed)), true, values)


def evaluate(
    model: TrainedModel,
    data: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    synced: bool = False,
    split: str = "test",
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
        skip_bad: Leave out files that cannot be read.
        cache_dir: Where processed features are kept; by default in `out`, or in `runs/.cache`.
        jobs: Processes that extract features; 0 for one a core.
        seed: Of the confidence intervals.
        out: Folder for the report and pictures; None writes none.
        console: Where progress is shown.

    Raises:
        UserError: If the data are missing, or do not fit the model.
    """
    console = console or Console(quiet=True)
    if out is not None and (Path(out) / "report.json").exists():
        raise ArgumentError("out", out, "there is a report in it; choose another folder")
    cache = Path(cache_dir or (Path(out) / "cache" if out else "runs/.cache")).resolve()
    examples = find_examples(str(data or ""), str(labels or ""), synced, model.recipe, cache, jobs, console)
    found = examples.spec.to_dict()
    for name, value in model.description.feature_spec.to_dict().items():
        if found[name] != value:
            raise UserError(
                f"{model.folder}: trained on features of {name} {value}, but {examples.name} has "
                f"{found[name]}; prepare the data again with the model's"
            )
    source, left_out = _source(model, examples, split, skip_bad, cache, console)
    exported = model.exported
    outputs = predict_export(exported, source) if exported else predict_source(model.keras, source)
    evaluation = compare_with_labels(source.labels, outputs, model.classes, model.description.targets, seed)
    circumstances = Circumstances(
        seed=seed,
        split=Split(evaluated=split, sizes={split: len(source)}, left_out=left_out),
        dataset=Dataset(examples.name, examples.synthetic, examples.licence),
        recipe=model.recipe.to_dict(),
        training=None,
        model=str(model.folder),
    )
    report = make_report(evaluation.scores, circumstances)
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        evaluation.save_figures(Path(out))
        write_report(report, Path(out))
    return report


def _source(
    model: TrainedModel, examples: Examples, split: str, skip_bad: bool, cache: Path, console: Console
) -> tuple[Source, tuple[str, ...]]:
    """What batches of the chosen split are made from, and the paths left out."""
    recipe = model.recipe
    examples, _ = mapped(examples, recipe.task)
    chosen_targets(examples, dataclasses.replace(recipe.task, targets=model.description.targets))
    if split != "all":
        parts = split_examples(examples, recipe.split)
        if split not in parts:
            raise ArgumentError("split", split, f"{examples.name} has none; choose {', '.join(parts)} or all")
        examples = parts[split]
    with progress("processing features", console) as report:
        cached = cache_examples(examples, recipe.input, cache / "processed", report)
    if cached.bad and not skip_bad:
        raise UserError(describe_bad(cached.bad))
    rows = np.flatnonzero(cached.lengths > 0)
    source = make_source(
        examples.take(rows), cached.take(rows), recipe, model.classes, model.description.targets
    )
    return dataclasses.replace(source, frames=model.description.frames), tuple(bad.path for bad in cached.bad)
