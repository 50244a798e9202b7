"""How far a reproduction is: a bar with the time left on a terminal, a line for every training done."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from keras_mir.recipes.recipe import Recipe
from keras_mir.reproduce import scores
from keras_mir.reproduce.results import Run
from keras_mir.reproduce.trainings import Training
from keras_mir.reproduce.wording import duration

# Seconds of 32 examples on two cores, by which trainings are weighed against each other.
_LSTM_BATCH = 6e-8  # for each frame, layer, and pair of units
_CNN_BATCH = 3e-3  # for each frame, at the paper's filters
_START = 10.0  # seconds before the first batch and after the last
_STOPS_AFTER = 0.5  # of the epochs, as a guess, where training may stop early
_PACE_SECONDS = 3600.0  # what is left goes by the pace of the last hour


def do_all(trainings: Sequence[tuple[str, Training]], console: Console) -> None:
    """Do the trainings, each with the id of its experiment, that are not done yet."""
    waiting = [(experiment, training) for experiment, training in trainings if not training.finished]
    with Progress(
        *(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        speed_estimate_period=_PACE_SECONDS,
        redirect_stdout=False,  # what trainings print goes to their logs
    ) as bar:
        task = bar.add_task("", total=sum(training.seconds for _, training in waiting))
        before = 0.0  # seconds expected of those that are done
        for number, (experiment, training) in enumerate(waiting, start=1):
            what = f"{number} of {len(waiting)}: experiment {experiment}, {training.run.name}"

            def show(done: int, what: str = what, one: Training = training, before: float = before) -> None:
                epoch = f"epoch {min(done + 1, one.epochs)} of {one.epochs} at most"
                part = min(done / one.epochs, 1.0) * one.seconds
                bar.update(task, completed=before + part, description=f"{what}, {epoch}")

            show(0)
            run = training.do(show)
            before += training.seconds
            bar.update(task, completed=before)
            left = bar.tasks[task].time_remaining
            rest = f", about {duration(left)} left" if left else ""
            line = f"[{number}/{len(waiting)}] {training.run.name}: {_outcome(run)}{rest}"
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def expected_seconds(recipe: Recipe, clips: int, frames: int) -> float:
    """A guess at how long a training takes, on so many clips with spectrograms of so many frames."""
    train, model = recipe.train, recipe.model
    clips = min(clips, recipe.split.limit or clips)
    length = frames // 20 if recipe.input.sync == "beat" else frames  # about two beats a second
    if isinstance(recipe.input.frames, int):
        length = min(length, recipe.input.frames)
    batch = _LSTM_BATCH * model.layers * model.units**2 if model.kind == "lstm" else _CNN_BATCH
    epochs = train.epochs * (_STOPS_AFTER if train.early_stopping else 1.0)
    seen = min(clips, train.overfit_batches * train.batch_size) if train.overfit_batches else clips
    share = 0.3 if recipe.task.transfer else 1.0  # frozen layers have no backward pass
    return _START + share * epochs * batch * length * seen / 32 * 1.3


def _outcome(run: Run) -> str:
    if run.status == "failed":
        return f"FAILED: {run.reason}"
    return f"{scores.in_words(run, False)} after {scores.epochs(run)[0]} epochs" if run.report else "done"
