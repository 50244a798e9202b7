"""Experiments 4, 5a, 5b, 5c, 6 and 7b: genre by LSTMs and by a CNN."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from keras_mir.models.run_folder import RunFolder
from keras_mir.reproduce import pictures, scores
from keras_mir.reproduce.comparisons import Question, Side
from keras_mir.reproduce.dataset import DataSet, class_counts
from keras_mir.reproduce.experiments.base import Earlier, Experiment, Outcomes, Runs, Setup, Variant
from keras_mir.reproduce.results import Picture, Settings, Table
from keras_mir.reproduce.tables import genre_table
from pipelines.wording import counted

_INPUTS = ("mel", "beat-mel", "beat-chroma", "beat-fused")
_IN_WORDS = ("mel", *(f"beat-synchronous {bands}" for bands in ("mel", "chroma", "mel and chroma")))


class Genre(Experiment):
    """Trainings that learn genres; scores by class of those that have a table."""

    def notes(self, dataset: DataSet) -> Iterator[str]:
        if dataset.left_out:
            yield f"Left out: {dataset.left_out}."

    def tables(self, outcomes: Outcomes, settings: Settings, why_not: str) -> Iterator[Table]:
        for variant in self.variants:
            runs = scores.runs_of(outcomes, self.id, variant.name, settings)
            if variant.table and runs:
                yield genre_table(*variant.table, settings, runs, why_not)


class ClassCounts(Genre):
    """Histograms of the training and the test clips, before and after genres are mapped to classes."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        dataset = setup.dataset
        assert dataset.genre is not None  # or it would be missing
        mapping = dataset.class_map.classes or None
        for when, classes, counterpart in (("before", None, "Fig 5"), ("after", mapping, "Fig 6")):
            counts = class_counts(dataset.genre, classes)
            caption = f"Clips by class {when} the class mapping ({dataset.class_map.name})"
            figure = pictures.class_histograms(counts, caption)
            yield setup.save(f"{self.id}-{when}", figure, caption, counterpart)


class Overfit(Experiment):
    """A check that a model can memorise a few batches."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        for run in filter(lambda run: run.history, runs):
            batches = counted(run.facts["batches"], "batch", "batches")
            caption = f"Training loss on {batches} seen over and over"
            figure = pictures.overfit_curve(run.history["loss"])
            yield setup.save(f"{self.id}-overfit", figure, caption, "Fig 7", run.command)


class LargerLSTM(Genre):
    """The LSTMs that are evaluated class by class, which the next experiment shows."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        return self.learning_curves(setup, runs)


class ClassByClass(Experiment):
    """Confusion matrices and accuracies of the trainings of the experiments it needs."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        shown = scores.finished(run for name in self.needs for run in earlier[name].runs)
        yield from self.result_pictures(shown)
        accuracies = {group[0].recipe: list(scores.accuracies(group)) for group in scores.alike(shown)}
        chance = scores.majority(shown)
        yield from self.score_picture(setup, accuracies, "accuracy", chance[1] if chance else None)


class GenreCNN(Genre):
    """With the filters it has learnt."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        yield from self.learning_curves(setup, runs)
        for first, *_ in scores.alike(scores.finished(runs)):
            place = RunFolder(setup.request.folder / first.folder)
            model = keras.models.load_model(place.model, compile=False)
            figure = pictures.first_layer_filters(np.asarray(model.get_layer("conv_1").kernel))
            caption = f"First-layer filters of {first.recipe}, seed {first.seed}"
            yield self.save(setup, first, "filters", figure, caption)
        yield from self.result_pictures(runs)


CLASS_COUNTS = ClassCounts("4", "Clips by class, before and after the class mapping")
_MEMORISED = Variant("overfit", "paper-5a-overfit", once=True)
OVERFIT = Overfit("5a", "Overfit check: can the LSTM memorise four batches?", variants=(_MEMORISED,))
LSTM = Genre(
    "5b",
    "LSTMs on four inputs, for a fixed number of epochs",
    variants=tuple(
        Variant(name, f"paper-5b-{name}", label=f"LSTM, {name}", curves=f"Fig 8{letter}")
        for name, letter in zip(_INPUTS, "abcd", strict=True)
    ),
)
_MEL, _BEAT_MEL, _BEAT_CHROMA, _BEAT_FUSED = (Side(name, "5c", name) for name in _INPUTS)
LARGER_LSTM = LargerLSTM(
    "5c",
    "Larger LSTMs on four inputs, with early stopping",
    variants=tuple(
        Variant(
            name,
            f"paper-5c-{name}",
            f"lstm-{name}",
            f"LSTM, {name}",
            curves=f"Fig 9{letter}",
            table=(number, f"LSTM on {words}"),
        )
        for name, words, letter, number in zip(_INPUTS, _IN_WORDS, "abcd", "1234", strict=True)
    ),
    questions=(
        Question("Does beat-synchronous mel beat mel?", _BEAT_MEL, (_MEL,)),
        Question("Is chroma the worst input?", _BEAT_CHROMA, (_MEL, _BEAT_MEL, _BEAT_FUSED), "lower"),
        Question("Does adding chroma to mel help?", _BEAT_FUSED, (_BEAT_MEL,)),
    ),
)
CLASS_BY_CLASS = ClassByClass("6", "What the LSTMs of 5c are worth, class by class", needs=(LARGER_LSTM.id,))
_CNN, _LSTM = Side("the CNN", "7b", "cnn"), Side("the LSTM on beat-mel", "5c", "beat-mel")
CNN = GenreCNN(
    "7b",
    "Genre by a CNN on mel",
    variants=(
        Variant("cnn", "paper-7b-cnn", "cnn-beat-mel", "CNN", curves="Fig 14", table=("5", "CNN on mel")),
    ),
    questions=(Question("Does the CNN beat the LSTM in genre?", _CNN, (_LSTM,)),),
)
