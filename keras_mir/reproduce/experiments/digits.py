"""Experiment 7a: a small CNN on handwritten digits, and what each of its layers makes of a "6".

Images are scikit-learn's, which come with it, or MNIST's where the user has the files. There is neither
a recipe nor a report.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from sklearn import datasets
from sklearn.model_selection import train_test_split

from keras_mir.fit.training import set_up
from keras_mir.models.json_file import from_json, write_json
from keras_mir.recipes.named import DIGITS
from keras_mir.reproduce import pictures
from keras_mir.reproduce.experiments.base import Earlier, Experiment, Runs, Setup, run_name
from keras_mir.reproduce.mnist import read_mnist
from keras_mir.reproduce.results import Picture, Run
from keras_mir.reproduce.trainings import Training
from keras_mir.reproduce.wording import command_line
from pipelines.errors import UserError, reason_of
from pipelines.files import read_json

EPOCHS = 60
PICTURED = 6
_SECONDS = 30.0  # a training takes, at a guess

# Chosen on validation images of scikit-learn's digits, three splits of them: mean accuracy .990; without
# dropout .984, with half the filters .979.
_FILTERS = (32, 64)
_DROPOUT = 0.3
_LEARNING_RATE = 3e-3
_BATCH_SIZE = 32
_PATIENCE = 5
_HELD_OUT = 0.2  # of all images for the test, and of the rest for validation
_SPLIT_SEED = 0  # the same images for every seed of the training

_MODEL, RESULT = "model.keras", "digits.json"


@dataclass(frozen=True)
class Digits:
    """Images, float32 `(n, height, width)` from 0 (background) to 1 (ink), and their digits, int64 `(n,)`."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@dataclass(frozen=True)
class DigitsResult:
    """What came of a training: its scores on the test images, and metrics by epoch.

    The image, `(height, width)`, is the first "6" of the test set, whatever the model made of it.
    """

    dataset: str
    accuracy: float
    n_test: int
    seconds: float
    history: dict[str, tuple[float, ...]]
    image: np.ndarray

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights the model has, counted from 1."""
        return int(np.argmin(self.history["val_loss"])) + 1


def load_digits(mnist: Path | None = None) -> Digits:
    """Handwritten digits, without a download.

    Args:
        mnist: The user's `mnist.npz`, or folder of IDX files; None for scikit-learn's 1,797 images
            of 8 x 8, a fifth of which are for testing.
    """
    if mnist is None:
        bunch = datasets.load_digits()
        name, most, arrays = "scikit-learn digits", 16, _split(bunch.images, bunch.target)
    else:
        name, most, arrays = "MNIST", 255, list(read_mnist(mnist).values())
    images, labels, test_images, test_labels = arrays
    images, test_images = (np.divide(part, most, dtype=np.float32) for part in (images, test_images))
    return Digits(name, images, labels.astype(np.int64), test_images, test_labels.astype(np.int64))


def build_digits_cnn(height: int, width: int) -> keras.Model:
    """Two hidden layers, each convolution, ReLU and pooling, and a dense output.

    Returns:
        A model from `(batch, height, width, 1)`, at least 4 by 4, to probabilities `(batch, 10)`, with
        layers named `hidden_1`, `hidden_2` (the pools) and `output`.
    """
    image = keras.Input((height, width, 1), name="image")
    x = image
    for layer, filters in enumerate(_FILTERS, start=1):
        x = keras.layers.Conv2D(filters, 3, padding="same", name=f"conv_{layer}")(x)
        x = keras.layers.ReLU(name=f"relu_{layer}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"hidden_{layer}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(_DROPOUT, name="dropout")(x)
    output = keras.layers.Dense(10, activation="softmax", name="output")(x)
    return keras.Model(image, output, name="digits_cnn")


def train_digits(digits: Digits, seed: int, folder: Path, *, epochs: int = EPOCHS) -> DigitsResult:
    """Train until the validation loss stops falling, test, and save.

    Args:
        digits: A fifth of its training images is held out for validation.
        seed: Seed of the weights, the order of the images and dropout.
        folder: Gets `model.keras` and then `digits.json`, which says that the training is finished.
        epochs: At most.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
    set_up(seed, mixed_precision=False)
    start = time.perf_counter()
    images, labels, *validation = _split(digits.train_images[..., np.newaxis], digits.train_labels)
    model = build_digits_cnn(*digits.train_images.shape[1:])
    adam = keras.optimizers.Adam(_LEARNING_RATE)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    recorded = model.fit(
        images,
        labels,
        batch_size=_BATCH_SIZE,
        epochs=epochs,
        validation_data=validation,
        callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)],
        verbose=0,
    )
    seconds = round(time.perf_counter() - start, 1)
    predicted = model.predict(digits.test_images[..., np.newaxis], verbose=0).argmax(axis=1)
    accuracy = float(np.mean(predicted == digits.test_labels))
    history = {name: tuple(map(float, values)) for name, values in recorded.history.items()}
    six = digits.test_images[np.argmax(digits.test_labels == PICTURED)]
    result = DigitsResult(digits.name, accuracy, len(predicted), seconds, history, six)
    model.save(folder / _MODEL)
    write_json(folder / RESULT, result)
    return result


def read_digits_result(folder: Path) -> DigitsResult:
    """What a finished training in `folder` came to; refuses one that is damaged."""
    path, remedy = folder / RESULT, f"delete {folder} and train again"
    return from_json(DigitsResult, read_json(path, remedy), str(path), remedy)


def activations(folder: Path, image: np.ndarray) -> list[np.ndarray]:
    """What each layer of a finished training makes of an image `(height, width)`.

    Returns:
        float32: the hidden layers' `(height / 2, width / 2, 32)` and `(height / 4, width / 4, 64)`, and
        the probabilities `(10,)`.
    """
    path = folder / _MODEL
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # of any class, as archives and settings are damaged in many ways
        raise UserError(f"{path}: damaged ({reason_of(error)}); delete {folder} and train again") from None
    names = ("hidden_1", "hidden_2", "output")
    layers = keras.Model(model.input, [model.get_layer(name).output for name in names])
    outputs = layers(image[np.newaxis, ..., np.newaxis], training=False)
    return [keras.ops.convert_to_numpy(output)[0] for output in outputs]


def _split(images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Images and labels of the larger and of the smaller part, every digit as often in both."""
    how = {"test_size": _HELD_OUT, "stratify": labels, "random_state": _SPLIT_SEED}
    images, other_images, labels, other_labels = train_test_split(images, labels, **how)
    return [images, labels, other_images, other_labels]


class DigitsTraining(Training):
    """A training of the digits CNN."""

    def _train(self, console: Console) -> None:
        digits = load_digits(Path(self.request.mnist) if self.request.mnist else None)
        train_digits(digits, self.run.seed, self.folder)

    def _result(self) -> Run | None:
        if not (self.folder / RESULT).is_file():
            return None
        result = read_digits_result(self.folder)
        history = {name: list(values) for name, values in result.history.items()}
        facts = {"accuracy": result.accuracy, "test images": result.n_test, "data": result.dataset}
        return replace(self.run, status="done", history=history, seconds=result.seconds, facts=facts)


class DigitsCNN(Experiment):
    """What each layer makes of a digit."""

    def trainings(self, setup: Setup) -> Sequence[Training]:
        request = setup.request
        mine = {"only": self.id, "seeds": request.seeds, "mnist": request.mnist, "out": "DIGITS"}
        command = command_line("reproduce", **mine)
        names = [run_name(DIGITS, seed) for seed in range(request.seeds)]
        runs = [
            Run(name, DIGITS, "paper", "digits", "", seed, command, f"runs/{name}")
            for seed, name in enumerate(names)
        ]
        return [DigitsTraining(run, request, EPOCHS, _SECONDS) for run in runs]

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        """What the first finished training's layers make of a digit, and learning curves."""
        done = [run for run in runs if run.status == "done"]
        for first in done[:1]:
            folder = setup.request.folder / first.folder
            result = read_digits_result(folder)
            *hidden, probabilities = activations(folder, result.image)
            layers = pictures.digit_layers(result.image, hidden, probabilities, PICTURED)
            caption = f'What each layer of the digits CNN makes of a "{PICTURED}" of {result.dataset}'
            yield setup.save(f"{self.id}-layers", layers, caption, "Fig 10", first.command)
            histories = [run.history for run in done]
            curves = pictures.curves_over_seeds(
                histories,
                "accuracy",
                stopped=[len(history["loss"]) < EPOCHS for history in histories],
                best=result.best_epoch,
                title=result.dataset,
            )
            caption = f"Learning curves of the digits CNN on {result.dataset}"
            yield setup.save(f"{self.id}-curves", curves, caption, "", first.command)


DIGITS_CNN = DigitsCNN("7a", "A small CNN on handwritten digits, and what its layers do", labels=())
