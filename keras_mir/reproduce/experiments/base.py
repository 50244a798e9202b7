"""What an experiment is: its trainings, figures, tables and questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from keras_mir.recipes.named import named_recipe
from keras_mir.recipes.recipe import Recipe
from keras_mir.reproduce import pictures, scores
from keras_mir.reproduce.comparisons import Question
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.request import Request
from keras_mir.reproduce.results import Outcome, Picture, Run, Settings, Table
from keras_mir.reproduce.trainings import RecipeTraining, Training, expected_seconds
from keras_mir.reproduce.wording import command_line
from pipelines.datasets.base import Task
from pipelines.figures import save

Runs = Sequence[Run]
Outcomes = Sequence[Outcome]
Earlier = Mapping[str, Outcome]  # by id

# A trial: enough to see everything run, too little for its numbers to mean anything.
QUICK_EPOCHS, QUICK_OVERFIT_EPOCHS = 2, 60
QUICK_CLIPS, QUICK_FRAMES = 48, 96  # clips at most, in each part of the split
# Of the synthetic corpus likewise, and six seconds of each: the paper's settings are slow on two cores.
BUILT_IN_CLIPS, BUILT_IN_FRAMES = 96, 258


@dataclass(frozen=True)
class Setup:
    """What experiments are run on: the request, and the data set."""

    request: Request
    dataset: DataSet

    def save(self, name: str, figure: Figure, caption: str, counterpart: str, command: str = "") -> Picture:
        """Write a picture of the page; see `Picture`."""
        save(figure, self.request.folder / "figures" / f"{name}.png")
        return Picture(f"figures/{name}.png", caption, counterpart, command or self.request.command())


@dataclass(frozen=True)
class Variant:
    """A training that an experiment takes, for every seed.

    Attributes:
        name: What both settings of it have in common: the input of an LSTM (`mel`, `beat-mel` ...),
            or the model of an affect regression (`lstm`, `cnn`, `transfer` ...).
        paper: Recipe with the paper's settings; empty where it has none.
        ours: Our variant; empty where there is none.
        label: What tables call it; empty to leave it out of the overview.
        curves: The paper's figure of its learning curves, such as `Fig 9b`.
        results: The paper's figure of its results.
        table: Number and title of its scores by class; none where it has no such table.
        per_target: Whether each target has a model of its own.
        once: Whether one seed is enough.
        backbone: The variant whose training, of the same seed and settings, it builds on.
        remark: What has to be said beside the paper's number in the overview.
    """

    name: str
    paper: str
    ours: str = ""
    label: str = ""
    curves: str = ""
    results: str = ""
    table: tuple[str, str] | None = None
    per_target: bool = False
    once: bool = False
    backbone: Variant | None = None
    remark: str = ""


@dataclass(frozen=True)
class Experiment:
    """A numbered experiment of the paper; subclasses say what is special about theirs.

    Attributes:
        id: As the paper numbers it.
        title: What is done.
        labels: Tasks whose labels it needs; it learns the first.
        variants: Trainings it takes.
        needs: Experiments whose trainings it builds on. One without trainings of its own shows theirs:
            their tables stand with it, and it is done when they are.
        questions: What it asks of its runs and of others, in each of the settings.
        paper_targets: What the paper's number for it is the mean correlation of; none for genre.
    """

    id: str
    title: str
    labels: tuple[Task, ...] = ("genre",)
    variants: tuple[Variant, ...] = ()
    needs: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    paper_targets: tuple[str, ...] = ()

    def trainings(self, setup: Setup) -> Sequence[Training]:
        """Its variants, in both settings, for every target and seed."""
        return [
            _training(setup, variant, settings, target, seed)
            for settings in setup.request.settings_used
            for variant in self.variants
            if getattr(variant, settings)
            for target in self.targets(variant, setup.dataset)
            for seed in range(1 if variant.once else setup.request.seeds)
        ]

    def targets(self, variant: Variant, dataset: DataSet) -> tuple[str, ...]:
        """The one target of each training of a variant; `""` for genre and for all at once."""
        return dataset.targets if variant.per_target else ("",)

    def notes(self, dataset: DataSet) -> Iterable[str]:
        """Sentences a reader needs, such as what had to be left out."""
        return ()

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterable[Picture]:
        """Draw its figures: by default learning curves, and what each training drew of its results."""
        yield from self.learning_curves(setup, runs)
        yield from self.result_pictures(runs)

    def finish(self, setup: Setup, trainings: Sequence[Training], runs: Runs) -> Iterable[str]:
        """What else it makes of its runs, such as a file: a sentence on each, for the page."""
        return ()

    def tables(self, outcomes: Outcomes, settings: Settings, why_not: str) -> Iterable[Table]:
        """Its tables in one of the settings; `why_not` is why the data set is not the paper's."""
        return ()

    def learning_curves(self, setup: Setup, runs: Runs) -> Iterator[Picture]:
        """A figure for all seeds of a kind of training."""
        for group in scores.alike(scores.finished(runs)):
            first = group[0]
            figure = pictures.curves_over_seeds(
                [run.history for run in group],
                "accuracy" if scores.is_genre(first) else "spearman",
                stopped=[scores.training(run).stopped_early for run in group],
                best=scores.training(first).best_epoch,
                title=first.kind,
            )
            seeds = f"seed {first.seed}" if len(group) == 1 else f"{len(group)} seeds"
            yield self.save(setup, first, "curves", figure, f"Learning curves of {first.kind}, {seeds}")

    def result_pictures(self, runs: Iterable[Run]) -> Iterator[Picture]:
        """A picture that each kind of training made itself, of the first seed."""
        for first, *_ in scores.alike(scores.finished(runs)):
            genre = scores.is_genre(first)
            what = "Confusion matrix" if genre else "True and predicted values"
            caption = _marked(f"{what} of {first.kind}, seed {first.seed}", first)
            file = f"{first.folder}/{'confusion_matrix' if genre else 'scatter'}.png"
            yield Picture(file, caption, self.counterpart(first, "results"), first.command)

    def score_picture(
        self, setup: Setup, scored: Mapping[str, list[float]], metric: str, baseline: float | None = None
    ) -> Iterator[Picture]:
        """Scores by recipe, a dot a seed."""
        if scored:
            what = f"{metric[0].upper()}{metric[1:]} on held-out clips"
            figure = pictures.scores_by_recipe(scored, metric, baseline)
            caption = f"{what}; recipes named paper- have the paper's settings"
            yield setup.save(f"{self.id}-scores", figure, caption, "")

    def save(self, setup: Setup, run: Run, what: str, figure: Figure, caption: str) -> Picture:
        """Write a picture of a kind of training."""
        name = f"{self.id}-{what}-{run.kind.replace(', ', '-')}"
        return setup.save(name, figure, _marked(caption, run), self.counterpart(run, what), run.command)

    def counterpart(self, run: Run, what: str) -> str:
        """The paper's figure that a run's stands for; `what` is the attribute of `Variant` that has it."""
        found = (getattr(variant, what, "") for variant in self.variants if variant.name == run.variant)
        return next(found, "") if run.settings == "paper" else ""


def run_name(recipe: str, seed: int, target: str = "") -> str:
    """Name of a training, and of its folder."""
    return "-".join(filter(None, [recipe, target, f"seed{seed}"]))


def _marked(caption: str, run: Run) -> str:
    return caption if run.settings == "paper" else f"{caption} (our variant, not the paper's settings)"


def _training(setup: Setup, variant: Variant, settings: Settings, target: str, seed: int) -> RecipeTraining:
    request, dataset = setup.request, setup.dataset
    recipe = named_recipe(getattr(variant, settings))
    genre = recipe.task.task == "genre"
    backbone = run_name(getattr(variant.backbone, settings), seed) if variant.backbone else ""
    epochs = QUICK_OVERFIT_EPOCHS if recipe.train.overfit_batches else QUICK_EPOCHS
    wanted = {
        "split": dataset.split if recipe.split.split != dataset.split else "",
        "classes": dataset.classes if genre and dataset.classes != "auto" else "",
        "targets": () if genre else (target,) if target else dataset.targets,
        "backbone": str(request.folder / "runs" / backbone) if backbone else "",
        "frames": _frames(recipe, setup),
        "epochs": epochs if request.quick else 0,
        "limit": request.limit or (QUICK_CLIPS if request.quick else 0 if request.data else BUILT_IN_CLIPS),
    }
    changes = {name: value for name, value in wanted.items() if value}
    changed = recipe.with_settings(changes)
    name = run_name(recipe.name, seed, target if variant.per_target else "")
    data = {"data": request.data, "labels": request.labels, **changes}
    rest = {"skip_bad": request.skip_bad, "seed": seed, "cache_dir": request.cache, "no_export": True}
    command = command_line("fit", recipe.name, **data, **rest)
    run = Run(name, recipe.name, settings, variant.name, target, seed, command, f"runs/{name}")
    examples = dataset.genre if genre else dataset.affect
    clips = int(0.6 * len(examples)) if examples else 0
    seconds = expected_seconds(changed, clips, dataset.frames)
    return RecipeTraining(run, request, changed.train.epochs, seconds, changed)


def _frames(recipe: Recipe, setup: Setup) -> int:
    """Where full spectrograms are cut: as requested, or all to one length; 0 for as the recipe has it."""
    if recipe.input.sync == "beat":
        return 0
    request = setup.request
    default = QUICK_FRAMES if request.quick else 0 if request.data else BUILT_IN_FRAMES
    frames = request.frames or min(default, setup.dataset.frames)
    if not frames and isinstance(recipe.input.frames, int):
        frames = setup.dataset.frames  # a backbone and what is built on it must agree
    return 0 if frames == recipe.input.frames else frames
