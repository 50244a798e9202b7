"""Which pictures a step has, and which of the report's they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from matplotlib.figure import Figure

from keras_mir.evaluate import figures
from keras_mir.models.run_folder import RunFolder
from keras_mir.reproduce import digits_step, pictures
from keras_mir.reproduce.clips import two_clips
from keras_mir.reproduce.dataset import DataSet, class_counts
from keras_mir.reproduce.request import ReportFolder, ReproduceRequest
from keras_mir.reproduce.results import Experiment, Picture, Run
from keras_mir.reproduce.scores import accuracies, finished, mean_correlations

_OURS = "our variant, not the report's settings"

# Pictures of trainings by step and variant, of runs with the report's settings.
_CURVES = {
    ("5b", "mel"): "Fig 8a",
    ("5b", "beat-mel"): "Fig 8b",
    ("5b", "beat-chroma"): "Fig 8c",
    ("5b", "beat-fused"): "Fig 8d",
    ("5c", "mel"): "Fig 9a",
    ("5c", "beat-mel"): "Fig 9b",
    ("5c", "beat-chroma"): "Fig 9c",
    ("5c", "beat-fused"): "Fig 9d",
    ("7b", "cnn"): "Fig 14",
    ("9", "transfer"): "Fig 17",
}
_SCATTERS = {("8", "lstm"): "Fig 15", ("8", "cnn"): "Fig 16"}


class Exhibits:
    """Draws the pictures of every step into the folder of a reproduction.

    Args:
        dataset: What it is run on.
        request: What was asked for.
        folder: Where pictures go.
    """

    def __init__(self, dataset: DataSet, request: ReproduceRequest, folder: ReportFolder) -> None:
        self._dataset = dataset
        self._command = request.command()
        self._folder = folder

    def draw(self, experiment: Experiment, earlier: Mapping[str, Experiment]) -> tuple[Picture, ...]:
        """The pictures of a step.

        Args:
            experiment: The step with its runs.
            earlier: The steps before it, by id.

        Raises:
            UserError: If the data set has nothing to show.
        """
        step = experiment.id
        if step in ("1", "2", "3"):
            return tuple(self._clip_pictures(step))
        if step == "4":
            return tuple(self._histograms())
        if step == "6":
            runs = earlier["5c"].runs
            return (*self._run_pictures("6", runs, "confusion_matrix.png", {}), *self._accuracies(runs))
        done = [run for run in experiment.runs if run.status == "done"]
        if step == "5a":
            return tuple(self._overfit_curve(run) for run in experiment.runs if run.history)
        if step == "7a":
            return tuple(digits_step.draw(done, self._folder, self._save))
        filters = self._filters(done) if step == "7b" else []
        drawn = (*self._learning_curves(step, done), *filters, *self._results(step, done))
        if step == "10" and "8" in earlier:
            return (*drawn, *self._correlations([*earlier["8"].runs, *done]))
        return drawn

    @cached_property
    def _clips(self) -> list[pictures.ClipFeatures]:
        return two_clips(self._dataset)

    def _save(self, name: str, figure: Figure, caption: str, counterpart: str, command: str = "") -> Picture:
        path = figures.save(figure, self._folder.figures / f"{name}.png")
        return Picture(self._relative(path), caption, counterpart, command or self._command)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._folder.path).as_posix()

    def _clip_pictures(self, step: str) -> list[Picture]:
        part: Literal["mel", "chroma"] = "chroma" if step == "3" else "mel"
        bands = "Chromagrams" if step == "3" else "Mel spectrograms"
        show = partial(pictures.clip_pair, self._clips, self._dataset.either.spec, part=part)
        names = " and ".join(f"{clip.genre} ({clip.id})" for clip in self._clips)
        drawn = []
        if step != "2":
            caption = f"{bands} of {names}; beats are marked above"
            drawn.append(
                self._save(f"{step}-full", show(synced=False), caption, "Fig 3" if step == "3" else "Fig 1")
            )
        if step != "1":
            caption = f"{bands} of {names}, one column a beat: the median between beats"
            drawn.append(
                self._save(f"{step}-beats", show(synced=True), caption, "Fig 4" if step == "3" else "Fig 2")
            )
        return drawn

    def _histograms(self) -> list[Picture]:
        assert self._dataset.genre is not None
        before = class_counts(self._dataset.genre)
        after = class_counts(self._dataset.genre, self._dataset.class_map.classes or None)
        drawn = []
        for when, counts, counterpart in (("before", before, "Fig 5"), ("after", after, "Fig 6")):
            classes = sorted(_all(counts))
            parts = {part: {name: counted[name] for name in classes} for part, counted in counts.items()}
            caption = f"Clips by class {when} the class mapping ({self._dataset.class_map.name})"
            figure = pictures.class_histograms(parts, caption)
            drawn.append(self._save(f"4-{when}", figure, caption, counterpart))
        return drawn

    def _overfit_curve(self, run: Run) -> Picture:
        figure = pictures.overfit_curve(run.history["loss"])
        count = run.facts["batches"]
        caption = f"Training loss on {count} {'batch' if count == 1 else 'batches'} seen over and over"
        return self._save("5a-overfit", figure, caption, "Fig 7", run.command)

    def _learning_curves(self, step: str, runs: Sequence[Run]) -> list[Picture]:
        drawn = []
        for alike in _grouped(runs):
            first = alike[0]
            histories = [run.history for run in alike]
            title = f"{first.recipe}{f', {first.target}' if first.target else ''}"
            if step == "9":
                figure = pictures.transfer_curves(histories, "spearman", title)
            else:
                figure = pictures.curves_over_seeds(
                    histories,
                    "spearman" if first.report and first.report["task"] == "affect" else "accuracy",
                    stops=[_stop(run) for run in alike],
                    bests=[_best(run) for run in alike],
                    title=title,
                )
            caption = f"Learning curves of {title}{_of_seeds(alike)}"
            drawn.append(
                self._captioned(f"{step}-curves-{_slug(first)}", figure, caption, _CURVES, step, first)
            )
        return drawn

    def _captioned(
        self,
        name: str,
        figure: Figure,
        caption: str,
        counterparts: Mapping[tuple[str, str], str],
        step: str,
        run: Run,
    ) -> Picture:
        counterpart = counterparts.get((step, run.variant), "") if run.settings == "report" else ""
        return self._save(name, figure, _marked(caption, run), counterpart, run.command)

    def _filters(self, runs: Sequence[Run]) -> list[Picture]:
        drawn = []
        for first in (alike[0] for alike in _grouped(runs)):
            model = keras.models.load_model(RunFolder(self._folder.path / first.folder).model, compile=False)
            figure = pictures.first_layer_filters(np.asarray(model.get_layer("conv_1").kernel))
            caption = f"First-layer filters of {first.recipe}, seed {first.seed}"
            drawn.append(self._captioned(f"7b-filters-{first.recipe}", figure, caption, {}, "7b", first))
        return drawn

    def _accuracies(self, runs: Sequence[Run]) -> list[Picture]:
        scores = {group[0].recipe: list(accuracies(group).values()) for group in _grouped(finished(runs))}
        chances = [run.report["chance"]["majority_share"] for run in runs if run.report]
        return self._scores("6-accuracy", scores, "accuracy", chances[0] if chances else None)

    def _correlations(self, runs: Sequence[Run]) -> list[Picture]:
        """Of one model a target and of one model for all, so that they can be compared."""
        recipes: dict[str, list[Run]] = {}
        for run in finished(runs):
            recipes.setdefault(run.recipe, []).append(run)
        targets = self._dataset.targets
        scores = {name: list(mean_correlations(group, targets).values()) for name, group in recipes.items()}
        return self._scores("10-spearman", scores, "mean Spearman correlation", None)

    def _scores(
        self, name: str, scores: Mapping[str, list[float]], metric: str, baseline: float | None
    ) -> list[Picture]:
        if not scores:
            return []
        what = metric[0].upper() + metric[1:]
        caption = f"{what} on held-out clips; recipes named report- have the report's settings"
        figure = pictures.scores_by_recipe(scores, metric, baseline, "")
        return [self._save(name, figure, caption, "")]

    def _results(self, step: str, runs: Sequence[Run]) -> list[Picture]:
        """The confusion matrices or scatters of the runs."""
        genre = [run for run in runs if run.report and run.report["task"] == "genre"]
        affect = [run for run in runs if run.report and run.report["task"] == "affect"]
        shown = [] if step == "5c" else self._run_pictures(step, genre, "confusion_matrix.png", {})
        return [*shown, *self._run_pictures(step, affect, "scatter.png", _SCATTERS)]

    def _run_pictures(
        self, step: str, runs: Sequence[Run], file: str, counterparts: Mapping[tuple[str, str], str]
    ) -> list[Picture]:
        """A picture that each training made itself, of the first seed."""
        drawn = []
        what = "Confusion matrix" if file.startswith("confusion") else "True and predicted values"
        for first in (alike[0] for alike in _grouped([run for run in runs if run.status == "done"])):
            path = self._folder.path / first.folder / file
            about = f"{first.recipe}{f', {first.target}' if first.target else ''}"
            caption = _marked(f"{what} of {about}, seed {first.seed}", first)
            counterpart = counterparts.get((step, first.variant), "") if first.settings == "report" else ""
            drawn.append(Picture(self._relative(path), caption, counterpart, first.command))
        return drawn


def _grouped(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that differ in their seed only."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.recipe, run.target), []).append(run)
    return list(groups.values())


def _slug(run: Run) -> str:
    return f"{run.recipe}-{run.target}" if run.target else run.recipe


def _marked(caption: str, run: Run) -> str:
    return caption if run.settings == "report" else f"{caption} ({_OURS})"


def _of_seeds(runs: Sequence[Run]) -> str:
    return f", seed {runs[0].seed}" if len(runs) == 1 else f", {len(runs)} seeds"


def _stop(run: Run) -> int | None:
    """Index of the epoch after which early stopping ended the training."""
    training = run.report["training"] if run.report else {}
    return training["epochs"] - 1 if training.get("stopped_early") else None


def _best(run: Run) -> int | None:
    return run.report["training"]["best_epoch"] - 1 if run.report else None


def _all(counts: Mapping[str, Counter[str]]) -> set[str]:
    return set().union(*counts.values())
