"""What is said while trainings go on."""

import re
from dataclasses import dataclass, replace

from rich.console import Console

from keras_mir.recipes.named import named_recipe
from keras_mir.reproduce.request import Request
from keras_mir.reproduce.results import Run
from keras_mir.reproduce.trainings import Training, do_all, expected_seconds


def seconds(name, **settings):
    return expected_seconds(named_recipe(name).with_settings(settings), clips=160, frames=1293)


def test_costly_recipes_are_expected_to_take_longer():
    assert seconds("paper-5c-mel") > 5 * seconds("paper-5c-beat-mel") > 5 * seconds("paper-5b-beat-mel") / 2
    # Validation clips are heard whole, however short the stretches are that it learns from.
    assert seconds("paper-7b-cnn", frames=64) < seconds("paper-7b-cnn") / 5
    assert seconds("cnn", limit=32) < seconds("cnn") / 2


@dataclass(frozen=True)
class Quick(Training):
    """A training without an epoch; one of seed 0 is done, one of seed 2 fails."""

    def _train(self, console):
        console.print("goes to the log")
        print("epoch 1/2")
        if self.run.seed == 2:
            raise ValueError("NaN")
        self.folder.mkdir(parents=True)

    def _result(self):
        done = self.run.seed == 0 or self.folder.is_dir()
        return replace(self.run, status="done") if done else None


def test_every_training_that_is_not_done_yet_has_one_line(tmp_path, capsys):
    request = Request(str(tmp_path))
    runs = [Run(f"run-seed{seed}", "r", "ours", "v", "", seed, "fit r", f"runs/{seed}") for seed in range(4)]
    do_all([("5c", Quick(run, request, 2, 10.0)) for run in runs], Console(width=200))
    first, failed, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\[1/3\] run-seed1: done(, about .* left)?", first)
    log = tmp_path / "logs" / "run-seed2.txt"
    assert re.fullmatch(
        rf"\[2/3\] run-seed2: FAILED: ValueError: NaN \(details: {log}\)(, about .* left)?", failed
    )
    assert last == "[3/3] run-seed3: done"
    assert log.read_text().startswith("goes to the log\nepoch 1/2\nTraceback")


def test_a_terminal_shows_what_is_trained_and_is_left_clean(tmp_path):
    console = Console(force_terminal=True, width=120, record=True)
    run = Run("run-seed1", "r", "ours", "v", "", 1, "fit r", "runs/1")
    do_all([("5c", Quick(run, Request(str(tmp_path)), 2, 10.0))], console)
    assert "[1/1] run-seed1: done" in console.export_text()
