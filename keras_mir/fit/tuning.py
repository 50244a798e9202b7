"""A search over a recipe's settings by Optuna: every trial is a cross-validation."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import tomli_w
from rich.console import Console

from keras_mir.command_line.lines import say
from keras_mir.command_line.progress import busy
from keras_mir.evaluate.metrics import DivergedError
from keras_mir.fit.cross_validation import CrossValidationOptions, CrossValidationRun
from keras_mir.models.cross_validation import CrossValidationReport, read_cross_validation
from keras_mir.models.report import number, score_name
from keras_mir.models.report_table import Printer
from keras_mir.models.run_folder import RunFolder, RunOptions
from keras_mir.recipes.named import DEFAULT, RECIPES, as_recipe
from keras_mir.recipes.recipe import Recipe, all_settings
from keras_mir.recipes.search_space import Choice, Range, chosen_settings, search_space
from pipelines.errors import ArgumentError, UserError
from pipelines.files import locked, write_atomically

if TYPE_CHECKING:
    import optuna

FOLDS = 3  # where nothing else is asked for


@dataclass(frozen=True)
class TuningOptions(CrossValidationOptions):
    """What was asked of a search besides its recipe, as `run.json` keeps it.

    Attributes:
        trials: How many settings to try.
        fixed: Settings that are not varied.
    """

    trials: int = 0
    fixed: tuple[str, ...] = ()


class Tuning:
    """A search for the best settings, and the folder it is kept in; a trial is a folder below it.

    Optuna's tree-structured Parzen estimator proposes settings of `recipes.search_space`; a trial's value
    is the mean main score over the folds. All trials have the same folds.

    Args:
        recipe: Where to start: the name of a recipe, or one of your own.
        data: Folder of the data set; None for the built-in synthetic corpus.
        trials: How many settings to try.
        folds: By default what the recipe says, or 3.
        console: Where to say how far it is; by default standard output.
        options: What else `CrossValidationRun` takes. Settings of the recipe are not varied.

    Raises:
        UserError: If one of them will not do, or Optuna is not installed. The methods raise it for
            anything else that a user can mend.
    """

    def __init__(
        self,
        recipe: Recipe | str = DEFAULT,
        data: str | Path | None = None,
        *,
        trials: int,
        folds: int | None = None,
        fixed: tuple[str, ...] = (),
        console: Console | None = None,
        **options: Any,
    ) -> None:
        if trials < 1:
            raise ArgumentError("tune", trials, "give 1 or more")
        if importlib.util.find_spec("optuna") is None:
            raise ArgumentError("tune", trials, "needs Optuna; pip install 'keras-mir[tune]'")
        for name in ("ensemble", "suspicious_labels"):
            if options.get(name):
                raise ArgumentError(name, None, "a search has none; ask for it with its best recipe")
        recipe = as_recipe(recipe)
        self._data_service = options.get("data_service", "")
        if folds is None:
            folds = recipe.split.folds or FOLDS
        self._whole = CrossValidationRun(recipe, data, folds=folds, console=console, **options)
        self.recipe, self.folder, self.console = self._whole.recipe, self._whole.folder, self._whole.console
        named = tuple(name for name in options if name in all_settings())
        self.options = TuningOptions(**asdict(self._whole.options), trials=trials, fixed=fixed or named)
        self._space = search_space(self.recipe, self.options.fixed)
        if not self._space:
            raise ArgumentError("tune", trials, "all settings that it varies are given; leave some away")

    @classmethod
    def continued(cls, folder: str | Path, data_service: str = "", console: Console | None = None) -> Tuning:
        """A search that was stopped, as it was started; args and errors as `Run.continued`."""
        there = RunFolder(Path(folder))
        options = asdict(there.read_options_of(TuningOptions))
        return cls(there.read_recipe(), **options, out=folder, data_service=data_service, console=console)

    def run(self) -> pd.DataFrame:
        """Try all settings; the trials as `trials.csv` has them, the best first."""
        self._whole.prepare(self.options)
        with locked(self.folder.path):
            return self._search()

    def resume(self) -> pd.DataFrame:
        """Go on with the trial that is not finished.

        Raises:
            UserError: If the search is finished, or its data have changed.
        """
        with locked(self.folder.path):
            return self._resume()

    def _resume(self) -> pd.DataFrame:
        if _finished(self._study()) >= self.options.trials:
            problem = f"the search is finished; its best recipe is {self.folder.best}"
            raise ArgumentError("resume", self.folder.path, problem)
        self._whole.check_same_folds()
        return self._search()

    @property
    def score(self) -> str:
        """What a trial's value is, in words, once one has come to it."""
        files = (RunFolder(trial).cross_validation for trial in self.folder.path.glob("trial-*"))
        return _score_name(read_cross_validation(next(file for file in files if file.exists()).parent))

    def _study(self) -> optuna.Study:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(self.folder.study)))
        try:
            return optuna.create_study(
                storage=storage, study_name=self.recipe.name, direction="maximize", load_if_exists=True
            )
        except (ValueError, KeyError, TypeError):  # its lines are JSON objects of Optuna's
            raise UserError(f"{self.folder.study}: damaged; start a new search") from None

    def _search(self) -> pd.DataFrame:
        study = self._study()
        try:
            while _finished(study) < self.options.trials:
                self._try_next(study)
        except KeyboardInterrupt:
            say(self.console, f"continue with: python -m keras_mir.fit --resume {self.folder.path}")
            raise
        table = self._write_trials(study)
        if table["score"].isna().all():
            raise UserError(
                f"{self.folder.path}: no trial came to a score; start a new one at other settings"
            )
        return table

    def _try_next(self, study: optuna.Study) -> None:
        from optuna.trial import TrialState

        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if running:
            index, values = running[0].number, running[0].params
        else:
            # Seeded by the trial, so that a search that was stopped goes on as it would have.
            study.sampler = _sampler(self.options.seed + len(study.trials))
            trial = study.ask({name: _distribution(each) for name, each in self._space.items()})
            index, values = trial.number, trial.params
        label = f"trial {index + 1} of {self.options.trials}"
        with busy(label, self.console):
            report = self._cross_validated(index, chosen_settings(values))
        score = report.main_score if report else None
        study.tell(index, score, state=TrialState.COMPLETE if score is not None else TrialState.FAIL)
        self._write_trials(study)
        for folder in (*self._folder_of(index).glob("fold-*"), *self._folder_of(index).glob("repeat-*")):
            shutil.rmtree(folder, ignore_errors=True)  # models of no further use
        settings = ", ".join(f"{key} {value}" for key, value in chosen_settings(values).items())
        came_to = f"{_score_name(report)} {number(score)}" if report else "the training diverged"
        say(self.console, f"{label}: {came_to}; {settings}")

    def _cross_validated(self, index: int, settings: Mapping[str, Any]) -> CrossValidationReport | None:
        """What a trial gives; None if its training diverges."""
        folder = RunFolder(self._folder_of(index))
        if folder.cross_validation.exists():
            return read_cross_validation(folder.path)
        silent = Console(quiet=True)
        try:
            if folder.options.exists():
                job = CrossValidationRun.continued(folder.path, self._data_service, silent)
                return job.resume().report
            shared = {each.name: getattr(self.options, each.name) for each in fields(RunOptions)}
            # A baseline would be the same in all trials: nothing that it learns from is varied.
            own = {"out": folder.path, "export": False, "baseline": False, "repeats": self.options.repeats}
            recipe = self.recipe.with_settings(settings)
            job = CrossValidationRun(recipe, **shared | own, data_service=self._data_service, console=silent)
            return job.train().report
        except DivergedError:
            return None

    def _folder_of(self, index: int) -> Path:
        return self.folder.path / f"trial-{index + 1:03}"

    def _write_trials(self, study: optuna.Study) -> pd.DataFrame:
        """Write `trials.csv` and `best.toml`; the trials, the best first."""
        from optuna.trial import TrialState

        rows = []
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL)):
            row: dict[str, Any] = dict.fromkeys(("trial", "score", "deviation", "seconds"))
            row |= {"trial": trial.number + 1, "score": trial.value}
            folder = RunFolder(self._folder_of(trial.number))
            if trial.value is not None:
                report = read_cross_validation(folder.path)
                row |= {"deviation": next(iter(report.scores.values())).deviation, "seconds": report.seconds}
            rows.append(row | {name: _text(v) for name, v in chosen_settings(trial.params).items()})
        table = pd.DataFrame(rows).sort_values("score", ascending=False, na_position="last", kind="stable")
        write_atomically(self.folder.trials, table.to_csv(index=False).encode())
        if not table["score"].isna().all():
            write_atomically(self.folder.best, self._best(chosen_settings(study.best_params)).encode())
        return table

    def _best(self, settings: Mapping[str, Any]) -> str:
        """The recipe with the best settings as TOML: a base, and what differs from it."""
        base = RECIPES.get(self.recipe.name, RECIPES[DEFAULT])
        best = self.recipe.with_settings(settings)
        best = replace(best, split=replace(best.split, folds=0))  # to be trained once
        texts = {"base": base.name, "name": f"{self.recipe.name}-searched"}
        return tomli_w.dumps(texts | best.changes_from(base))


def print_best_trials(trials: pd.DataFrame, score: str, console: Console, most: int = 5) -> None:
    """Print the best trials of a search, a column each.

    Args:
        trials: The best first: `trial`, `score`, `deviation`, `seconds` and a column a setting.
        score: What the score is, in words.
        console: As for `print_report`.
        most: How many.
    """
    best = trials.dropna(subset="score").head(most).to_dict("records")
    settings = [str(name) for name in trials if name not in ("trial", "score", "deviation", "seconds")]
    rows = [
        (score, *(number(each["score"]) for each in best)),
        ("standard deviation", *(number(each["deviation"]) for each in best)),
        *((name, *(_short(each[name]) for each in best)) for name in settings),
    ]
    Printer(console).table(("", *(f"trial {each['trial']}" for each in best)), rows, bold=0)


def _score_name(report: CrossValidationReport) -> str:
    return score_name(next(iter(report.scores)))


def _finished(study: optuna.Study) -> int:
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def _sampler(seed: int) -> optuna.samplers.TPESampler:
    import optuna

    return optuna.samplers.TPESampler(seed=seed)


def _distribution(values: Range) -> optuna.distributions.BaseDistribution:
    from optuna import distributions

    if isinstance(values, Choice):
        return distributions.CategoricalDistribution(values.values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return distributions.IntDistribution(values.low, values.high, log=values.log)
    return distributions.FloatDistribution(values.low, values.high, log=values.log, step=values.step)


def _text(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
