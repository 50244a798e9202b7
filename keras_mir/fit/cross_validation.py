"""Cross-validation: one run per fold, and what their models say of the clips they have not seen."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from keras_mir.command_line.lines import say
from keras_mir.command_line.progress import busy
from keras_mir.data.load import TEST, fold_table, load_data, mapped, with_chosen_tags
from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.evaluate.metrics import (
    accuracy_difference,
    repeated_affect_scores,
    repeated_genre_scores,
    spearman_difference,
)
from keras_mir.evaluate.predictions_table import FOLD, REPEAT, Predictions, tables_of, write_out_of_fold
from keras_mir.evaluate.suspicious_labels import suspicious_labels as find_suspicious_labels
from keras_mir.evaluate.tag_metrics import choose_thresholds, repeated_tag_scores, roc_auc_difference
from keras_mir.fit.run import Run, export_run
from keras_mir.models.answers import predict_source
from keras_mir.models.cross_validation import (
    CrossValidation,
    CrossValidationReport,
    FoldScores,
    summarised,
)
from keras_mir.models.ensemble import mean_model
from keras_mir.models.json_file import write_json
from keras_mir.models.report import (
    OUT_OF_FOLD,
    Baseline,
    Bootstrap,
    Circumstances,
    Interval,
    Report,
    Split,
    make_report,
    number,
    read_report,
    score_name,
)
from keras_mir.models.run_folder import RunFolder, RunOptions
from keras_mir.models.trained_model import TrainedModel, load_trained
from keras_mir.recipes.named import DEFAULT, as_recipe
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import GENRE, ID, TAGS, Task
from pipelines.errors import ArgumentError
from pipelines.files import locked, write_atomically
from pipelines.wording import counted

FOLDS = 5  # where nothing else is asked for


def cross_validate(
    recipe: Recipe | str = DEFAULT,
    data: str | Path | None = None,
    folds: int | None = None,
    repeats: int = 1,
    **options: Any,
) -> CrossValidation:
    """Train one model per fold, and evaluate each on the clips that it has not seen.

    Args:
        recipe: What to train and how: the name of a recipe, or one of your own.
        data: Folder of the data set; None for the built-in synthetic corpus.
        folds: How many; by default what the recipe says, or 5.
        repeats: How often to divide the clips anew, with another seed.
        options: What else `CrossValidationRun` takes; any other name is a setting of the recipe.

    Returns:
        Scores over the folds, out-of-fold predictions, and the model of all folds if there is one.

    Raises:
        UserError: For anything that a user can mend.
    """
    return CrossValidationRun(recipe, data, folds=folds, repeats=repeats, **options).train()


@dataclass(frozen=True)
class CrossValidationOptions(RunOptions):
    """What was asked of a cross-validation besides its recipe, as `run.json` keeps it.

    Attributes:
        repeats: How often to divide the clips anew.
        ensemble: Make one model of those of all folds.
        suspicious_labels: List the labels most likely wrong.
    """

    repeats: int = 1
    ensemble: bool = False
    suspicious_labels: bool = False


class CrossValidationRun:
    """A cross-validation and the folder it is kept in; the run of each fold has a folder below it.

    All clips are in one fold or another, but for those of the data set's own test split. Each fold's run
    trains on the clips of the others, of which the recipe's share chooses the epoch. Repeat r, counted
    from 0, divides the clips with `split_seed + r` and trains with `seed + r`.

    Args are those of `cross_validate`; its options are those of `Run`, of which `out` is the folder that all
    is kept in, and:
        ensemble: Make one model of those of all folds, their mean; with `export`, it is exported.
        suspicious_labels: List the labels most likely wrong, by cleanlab and out-of-fold predictions.

    Raises:
        UserError: As `Run`.
    """

    def __init__(
        self,
        recipe: Recipe | str = DEFAULT,
        data: str | Path | None = None,
        *,
        folds: int | None = None,
        repeats: int = 1,
        ensemble: bool = False,
        suspicious_labels: bool = False,
        out: str | Path | None = None,
        console: Console | None = None,
        **options: Any,
    ) -> None:
        recipe = as_recipe(recipe)
        self._data_service = options.get("data_service", "")
        if folds is None:
            folds = recipe.split.folds or FOLDS
        # Never trained: it checks what was asked for, and says what the folds' runs have in common.
        whole = Run(recipe, data, folds=folds, out=out, console=console, **options)
        self.recipe, self.folder, self.console = whole.recipe, whole.folder, whole.console
        self.options = CrossValidationOptions(
            **asdict(whole.options), repeats=repeats, ensemble=ensemble, suspicious_labels=suspicious_labels
        )
        if not self.recipe.split.folds:
            raise ArgumentError("folds", 0, "give 2 or more")
        if repeats < 1:
            raise ArgumentError("repeats", repeats, "give 1 or more")
        if self.recipe.split.fold:
            raise ArgumentError("fold", self.recipe.split.fold, "a cross-validation trains on all folds")
        if batches := self.recipe.train.overfit_batches:
            raise ArgumentError("overfit_batches", batches, "an overfit check has no folds; leave one away")
        if ensemble and self.recipe.input.frames == "longest":
            problem = "its models must read the same number of frames; give frames a number"
            raise ArgumentError("ensemble", None, problem)
        if suspicious_labels and "genre" not in self.recipe.task.tasks:
            raise ArgumentError(
                "suspicious_labels", None, "goes with genre recipes, whose labels are classes"
            )
        if suspicious_labels and importlib.util.find_spec("cleanlab") is None:
            problem = "needs cleanlab; pip install 'keras-mir[labels]'"
            raise ArgumentError("suspicious_labels", None, problem)
        self._find_examples = whole.find_examples

    @classmethod
    def continued(
        cls, folder: str | Path, data_service: str = "", console: Console | None = None
    ) -> CrossValidationRun:
        """A cross-validation that was stopped, as it was started; args and errors as `Run.continued`."""
        there = RunFolder(Path(folder))
        options = asdict(there.read_options_of(CrossValidationOptions))
        return cls(there.read_recipe(), **options, out=folder, data_service=data_service, console=console)

    def train(self) -> CrossValidation:
        """Train and evaluate one model per fold."""
        self.prepare(self.options)
        with locked(self.folder.path):
            return self._train()

    def resume(self) -> CrossValidation:
        """Go on with the first fold that is not finished.

        Raises:
            UserError: If the cross-validation is finished, or its data have changed.
        """
        if self._is_finished():
            problem = f"the run is finished; its report is {self.folder.cross_validation}"
            raise ArgumentError("resume", self.folder.path, problem)
        with locked(self.folder.path):
            self.check_same_folds()
            return self._train()

    def prepare(self, options: CrossValidationOptions) -> None:
        """Divide the clips, and make the folder with what was asked for.

        Raises:
            UserError: If there is a run in the folder already, or a fold cannot be trained on.
        """
        self.folder.check_free()
        table = self._fold_table()
        self.folder.create(self.recipe, options, self.folder.folds, table.to_csv(index=False).encode())

    def check_same_folds(self) -> None:
        """Refuse to go on with other data.

        Raises:
            ArgumentError: If the folds are not those it was started with.
        """
        self.folder.check_same(self.folder.folds, self._fold_table().to_csv(index=False).encode())

    def _is_finished(self) -> bool:
        if not self.folder.cross_validation.exists():
            return False
        if self.options.suspicious_labels and not self.folder.suspicious_labels.exists():
            return False
        if not self.options.ensemble:
            return True
        if not self.folder.report.exists():
            return False
        exported = Path(read_report(self.folder.path).model).name != self.folder.model.name
        return exported or not self.options.export

    def _fold_table(self) -> pd.DataFrame:
        """`id`, `fold` and `repeat`; whatever fold cannot be trained on is refused here."""
        examples, _ = mapped(self._find_examples(), self.recipe.task)
        examples = with_chosen_tags(examples, self.recipe)
        tables = [
            fold_table(examples, self._recipe_of(repeat).split).assign(repeat=repeat)
            for repeat in self._repeats
        ]
        clips = len(tables[0])
        left_out = len(examples) - clips
        folds = f"{self.recipe.split.folds} folds of {counted(clips, 'labelled clip')}"
        own = f"; {counted(left_out, 'test clip')} of the data set's own in none" if left_out else ""
        kind = "synthetic music" if examples.synthetic else examples.name
        say(self.console, f"data: {kind}: {folds}{own}")
        return pd.concat(tables, ignore_index=True)

    @property
    def _repeats(self) -> range:
        return range(1, self.options.repeats + 1)

    def _recipe_of(self, repeat: int, fold: int = 0) -> Recipe:
        settings = {"fold": fold, "split_seed": self.recipe.split.split_seed + repeat - 1}
        return self.recipe.with_settings(settings)

    def _folds(self) -> Iterator[tuple[int, int, RunFolder]]:
        """Repeat, fold and folder of every run."""
        for repeat in self._repeats:
            folder = self.folder.path / f"repeat-{repeat}" if repeat > 1 else self.folder.path
            for fold in range(1, self.recipe.split.folds + 1):
                yield repeat, fold, RunFolder(folder / f"fold-{fold:02}")

    def _train(self) -> CrossValidation:
        reports = {}
        try:
            for repeat, fold, folder in self._folds():
                with busy(self._name(repeat, fold), self.console):
                    reports[repeat, fold] = self._trained(repeat, fold, folder)
                say(self.console, f"{self._name(repeat, fold)}: {_in_words(reports[repeat, fold])}")
        except KeyboardInterrupt:
            say(self.console, f"continue with: python -m keras_mir.fit --resume {self.folder.path}")
            raise
        return self._finished(reports)

    def _trained(self, repeat: int, fold: int, folder: RunFolder) -> Report:
        """The report of a fold's run, which is trained, or trained on, if it is not finished."""
        if folder.report.exists():
            return read_report(folder.path)
        silent = Console(quiet=True)
        if folder.options.exists():
            return Run.continued(folder.path, self._data_service, silent).resume().report
        shared = {each.name: getattr(self.options, each.name) for each in fields(RunOptions)}
        own = {"out": folder.path, "export": False, "seed": self.options.seed + repeat - 1}
        run = Run(
            self._recipe_of(repeat, fold), **shared | own, data_service=self._data_service, console=silent
        )
        return run.train().report

    def _finished(self, reports: Mapping[tuple[int, int], Report]) -> CrossValidation:
        runs = {(repeat, fold): folder for repeat, fold, folder in self._folds()}
        heads = self._out_of_fold(self.folder.predictions, {at: run.predictions for at, run in runs.items()})
        pooled = {
            name: score
            for predictions in heads.values()
            for name, score in _pooled(predictions, self.options.seed).items()
        }
        by_fold = tuple(
            _fold_scores(repeat, fold, report.split.sizes[TEST], report)
            for (repeat, fold), report in reports.items()
        )
        first = reports[1, 1]
        report = CrossValidationReport(
            task=self.recipe.task.task,
            folds=self.recipe.split.folds,
            repeats=self.options.repeats,
            clips=sum(each.clips for each in by_fold if each.repeat == 1),
            group_by=first.split.group_by,
            seed=self.options.seed,
            dataset=first.dataset,
            recipe=self.recipe.to_dict(),
            by_fold=by_fold,
            scores=summarised(by_fold, pooled),
            seconds=round(sum(each.seconds for each in by_fold), 1),
            **self._baselines(runs, first, heads),
        )
        write_json(self.folder.cross_validation, report)
        means = {task: predictions.mean_over_repeats() for task, predictions in heads.items()}
        if self.options.suspicious_labels:
            self._write_suspicious_labels(means["genre"])
        model = self._ensemble(means) if self.options.ensemble else None
        tables = {task: predictions.table.reset_index() for task, predictions in heads.items()}
        table, *others = tables.values()
        if others:
            keys = [ID, FOLD, REPEAT]
            table = pd.concat({task: each.set_index(keys) for task, each in tables.items()}, axis=1)
        return CrossValidation(self.folder.path, report, table, model)

    def _out_of_fold(self, whole: Path, tables: Mapping[tuple[int, int], Path]) -> dict[Task, Predictions]:
        """The out-of-fold predictions of each head, which are written; see `tables_of`."""
        tasks = self.recipe.task.tasks
        return {
            task: write_out_of_fold({at: tables_of(tasks, table)[task] for at, table in tables.items()}, path)
            for task, path in tables_of(tasks, whole).items()
            if all(tables_of(tasks, table)[task].exists() for table in tables.values())
        }

    def _baselines(
        self, runs: Mapping[tuple[int, int], RunFolder], first: Report, network: Mapping[Task, Predictions]
    ) -> dict[str, Any]:
        """What the baselines of all folds get together, without one that had nothing to learn in some."""
        found = {}
        tables = {at: folder.baseline for at, folder in runs.items()}
        names = {task: report.baseline for task, report in first.reports.items()}
        for task, predictions in self._out_of_fold(self.folder.baseline, tables).items():
            if (baseline := names[task]) is not None:
                score = next(iter(_pooled(predictions, self.options.seed).values()))
                lead = _lead(network[task], predictions, self.options.seed)
                found[task] = Baseline(baseline.name, score, lead)
        if len(network) > 1:
            return {"baselines": found}
        return {"baseline": next(iter(found.values()), None)}

    def _write_suspicious_labels(self, predictions: Predictions) -> None:
        ids = list(predictions.table.index)
        labels, outputs = predictions.labels_and_outputs(ids)
        table = find_suspicious_labels(ids, labels[GENRE], outputs[GENRE], predictions.classes)
        write_atomically(self.folder.suspicious_labels, table.to_csv(index=False).encode())

    def _ensemble(self, heads: Mapping[Task, Predictions]) -> TrainedModel:
        """The mean of the folds' models, with a report on the test clips that none of them has seen.

        Where the data set has no such clips, the report is on out-of-fold predictions.
        """
        if self.folder.report.exists():
            model = load_trained(self.folder.path)
            return export_run(model, self.options.export_dir) if self.options.export else model
        members = [load_trained(folder.path) for *_, folder in self._folds()]
        network = mean_model([member.keras for member in members])
        description = members[0].description
        cache = Path(self.options.cache_dir) / "processed"
        data = load_data(self._find_examples(), self.recipe, cache, skip_bad=self.options.skip_bad)
        unseen = data.sources.get(TEST)
        known, outputs = dict[str, np.ndarray](), dict[str, np.ndarray]()
        for predictions in heads.values():
            labels, answers = predictions.labels_and_outputs(predictions.table.index)
            known |= labels
            outputs |= answers
        thresholds = None
        if data.tags:
            thresholds = choose_thresholds(known[TAGS], outputs[TAGS], data.tags, "clips, out of fold")
        evaluation = compare_with_labels(
            known if unseen is None else unseen.labels,
            outputs if unseen is None else predict_source(network, unseen),
            data.classes,
            data.targets,
            self.options.seed,
            thresholds,
            None if unseen is None else unseen.labelled,
        )
        evaluation.save_figures(self.folder.path)
        circumstances = Circumstances(
            seed=self.options.seed,
            split=Split(
                evaluated=OUT_OF_FOLD if unseen is None else TEST,
                left_out=tuple(bad.path for bad in data.bad),
                **asdict(data.split),
            ),
            dataset=members[0].report.dataset,
            recipe=self.recipe.to_dict(),
            training=None,
            model=str(self.folder.model),
        )
        report = make_report(evaluation.scores, circumstances)
        chosen = thresholds.by_tag if thresholds else {}
        own = replace(description, recipe=self.recipe, report=report, members=len(members), thresholds=chosen)
        model = TrainedModel(self.options.name, own, self.folder.path, network)
        model.save()
        return export_run(model, self.options.export_dir) if self.options.export else model

    def _name(self, repeat: int, fold: int) -> str:
        repeats = self.options.repeats
        again = f"repeat {repeat} of {repeats}, " if repeats > 1 else ""
        return f"{again}fold {fold} of {self.recipe.split.folds}"


def _fold_scores(repeat: int, fold: int, clips: int, report: Report) -> FoldScores:
    training = report.training
    assert training is not None, "a run's report"
    return FoldScores(
        repeat=repeat,
        fold=fold,
        clips=clips,
        scores={name: interval.value for name, interval in report.main_scores.items()},
        epochs=training.epochs,
        best_epoch=training.best_epoch,
        seconds=training.seconds,
    )


def _pooled(predictions: Predictions, seed: int) -> dict[str, Interval]:
    """Main scores of out-of-fold predictions, with intervals over clips."""
    labels, predicted = predictions.of_every_repeat()
    if predictions.classes:
        return repeated_genre_scores(labels[GENRE], predicted[GENRE], predictions.classes, Bootstrap(seed))
    if predictions.tags:
        return repeated_tag_scores(labels[TAGS], predicted[TAGS], predictions.tags, Bootstrap(seed))
    return repeated_affect_scores(labels, predicted, Bootstrap(seed))


def _lead(network: Predictions, other: Predictions, seed: int) -> Interval:
    """The main score of out-of-fold predictions less that of others for the same clips."""
    (labels, predicted), (_, others) = network.of_every_repeat(), other.of_every_repeat()
    if network.classes:
        return accuracy_difference(labels[GENRE], predicted[GENRE], others[GENRE], Bootstrap(seed))
    if network.tags:
        return roc_auc_difference(labels[TAGS], predicted[TAGS], others[TAGS], Bootstrap(seed))
    return spearman_difference(labels, predicted, others, Bootstrap(seed))


def _in_words(report: Report) -> str:
    training = report.training
    assert training is not None, "a run's report"
    scores = ", ".join(
        f"{score_name(name)} {number(interval.value)}" for name, interval in report.main_scores.items()
    )
    return f"{scores}; {counted(training.epochs, 'epoch')}, {training.seconds:.0f} s"
