"""Experiment 7a: a small CNN on handwritten digits, which has no recipe and no report."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from keras_mir.recipes.named import DIGITS
from keras_mir.reproduce import digits_cnn, pictures
from keras_mir.reproduce.digits_cnn import EPOCHS, PICTURED
from keras_mir.reproduce.experiments.base import Earlier, Experiment, Runs, Setup, run_name
from keras_mir.reproduce.results import Picture, Run
from keras_mir.reproduce.trainings import Training

_SECONDS = 30.0  # a training takes, at a guess


class DigitsTraining(Training):
    """A training of the digits CNN."""

    def _train(self, console: Console) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        digits = digits_cnn.load_digits(Path(self.asked.mnist) if self.asked.mnist else None)
        digits_cnn.train_digits(digits, self.run.seed, self.folder)

    def _result(self) -> Run | None:
        if not digits_cnn.digits_finished(self.folder):
            return None
        result = digits_cnn.read_digits_result(self.folder)
        facts = {"accuracy": result.accuracy, "test images": result.n_test, "data": result.dataset}
        return replace(self.run, status="done", history=result.history, seconds=result.seconds, facts=facts)


class DigitsCNN(Experiment):
    """What each layer makes of a digit."""

    def trainings(self, setup: Setup) -> Sequence[Training]:
        asked = setup.asked
        words = ["python", "-m", "keras_mir.reproduce", "--only", self.id, "--seeds", str(asked.seeds)]
        words += ["--mnist", asked.mnist] if asked.mnist else []
        command = shlex.join([*words, "--out", "DIGITS"])
        runs = []
        for seed in self.seeds(asked):
            name = run_name(DIGITS, seed)
            runs.append(Run(name, DIGITS, "paper", "digits", "", seed, command, f"runs/{name}"))
        return [DigitsTraining(run, asked, EPOCHS, _SECONDS) for run in runs]

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        """What the first finished training's layers make of a digit, and learning curves."""
        done = [run for run in runs if run.status == "done"]
        for first in done[:1]:
            folder = setup.asked.folder / first.folder
            result = digits_cnn.read_digits_result(folder)
            *hidden, probabilities = digits_cnn.activations(folder, result.image)
            layers = pictures.digit_layers(result.image, hidden, probabilities, PICTURED)
            caption = f'What each layer of the digits CNN makes of a "{PICTURED}" of {result.dataset}'
            yield setup.save(f"{self.id}-layers", layers, caption, "Fig 10", first.command)
            epochs = [len(run.history["loss"]) for run in done]
            curves = pictures.curves_over_seeds(
                [run.history for run in done],
                "accuracy",
                stops=[count - 1 if count < EPOCHS else None for count in epochs],
                bests=[result.best_epoch] if len(done) == 1 else [None] * len(done),
                title=result.dataset,
            )
            caption = f"Learning curves of the digits CNN on {result.dataset}"
            yield setup.save(f"{self.id}-curves", curves, caption, "", first.command)


DIGITS_CNN = DigitsCNN("7a", "A small CNN on handwritten digits, and what its layers do")
