"""A new experiment is an object in a list: one from outside the package has all that the paper's have."""

import json
import re
from dataclasses import dataclass

import keras
import pandas as pd
import pytest

from keras_mir.reproduce import __main__ as command
from keras_mir.reproduce import experiments, scores
from keras_mir.reproduce.comparisons import Question, Side
from keras_mir.reproduce.experiments.base import Experiment, Variant
from keras_mir.reproduce.results import Table
from pipelines.figures import new_figure


@pytest.fixture(autouse=True)
def _float32_policy():
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@dataclass(frozen=True)
class Toy(Experiment):
    """Chroma against mel, with a figure, a table, a question and a file of its own."""

    file: str = "toy.txt"

    def notes(self, dataset):
        yield f"Toys played on {dataset.name}."

    def pictures(self, setup, runs, earlier):
        yield from super().pictures(setup, runs, earlier)
        figure = new_figure(2, 1)
        figure.add_subplot().bar([run.variant for run in runs], [1] * len(runs))
        yield setup.save(f"{self.id}-bars", figure, "Bars of toys", "Fig 99")

    def tables(self, outcomes, settings, why_not):
        runs = scores.runs_of(outcomes, self.id, "chroma", settings)
        if runs:
            cell = {"row": "toys", "column": "played", "mean": 0.25, "spread": float("nan"), "n": 1}
            numbers = pd.DataFrame([{**cell, "runs": (runs[0].name,), "published": 0.5}])
            yield Table("99", "Toys", settings, numbers, "A note on toys.")

    def finish(self, setup, trainings, runs):
        path = setup.request.folder / self.file
        path.write_text(" ".join(one.run.name for one in trainings))
        yield f"{path.name} names the trainings."


TOY = Toy(
    "99x",
    "A toy experiment",
    labels=("genre",),
    variants=(
        Variant("chroma", "", "lstm-beat-chroma", "toy on chroma", table=None),
        Variant("mel", "", "lstm-beat-mel", "toy on mel"),
    ),
    questions=(
        Question(
            "Does chroma beat mel in toys?", Side("chroma", "99x", "chroma"), (Side("mel", "99x", "mel"),)
        ),
    ),
)


@pytest.fixture
def toy():
    experiments.EXPERIMENTS.append(TOY)
    yield
    experiments.EXPERIMENTS.remove(TOY)


@pytest.mark.slow
@pytest.mark.usefixtures("toy")
def test_a_toy_experiment_is_trained_drawn_told_and_asked_of(data, tmp_path, capsys):
    out = tmp_path / "page"
    arguments = ["--data", data, "--out", out, "--only", "99x", "--quick"]
    assert command.main([*map(str, arguments)]) == 0
    assert re.search(r"\[1/2\] lstm-beat-chroma-seed0: accuracy \S+ after 2 epochs", capsys.readouterr().out)

    (found,) = json.loads((out / "results.json").read_text())["experiments"]
    assert (found["id"], found["status"]) == ("99x", "done")
    assert [run["name"] for run in found["runs"]] == ["lstm-beat-chroma-seed0", "lstm-beat-mel-seed0"]
    assert (out / "toy.txt").read_text() == "lstm-beat-chroma-seed0 lstm-beat-mel-seed0"

    page, text = (out / "index.html").read_text(), (out / "index.md").read_text()
    assert '<section id="experiment-99x">' in page
    assert page.count("data:image/png;base64,") == len(found["pictures"]) == 5
    assert re.search(
        r'<td><a href="#cmd-\S+" class="cmd" [^>]+>\.250</a></td> <td class="published">\.50<', page
    )
    for told in (
        "99x. A toy experiment",
        f"Toys played on {data.name}.",
        "toy.txt names the trainings.",
        "Stands for Fig 99 of the paper.",
        "Bars of toys",
        "Learning curves of lstm-beat-chroma, seed 0",
        "Does chroma beat mel in toys?",
        "One seed cannot tell:",
        "99x toy on chroma: accuracy",
        "A note on toys.",
    ):
        assert told in page
        assert told in text
