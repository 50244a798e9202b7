"""A small CNN on handwritten digits, and what each of its layers makes of a "6".

Images are scikit-learn's, which come with it, or MNIST's where the user has the files.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_mir.fit.training import set_up
from keras_mir.reproduce.mnist import read_mnist
from pipelines.errors import UserError
from pipelines.files import write_atomically

EPOCHS = 60
PICTURED = 6

# Chosen on validation images of scikit-learn's digits, three splits of them: mean accuracy .990; without
# dropout .984, with half the filters .979.
_FILTERS = (32, 64)
_DROPOUT = 0.3
_LEARNING_RATE = 3e-3
_BATCH_SIZE = 32
_PATIENCE = 5
_HELD_OUT = 0.2  # of all images for the test, and of the rest for validation
_SPLIT_SEED = 0  # the same images for every seed of the training

_MODEL, _RESULT = "model.keras", "digits.json"


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

    The image, float32 `(height, width)`, is the first "6" of the test set, whatever the model made of it.
    """

    dataset: str
    seed: int
    accuracy: float
    n_test: int
    seconds: float
    history: dict[str, list[float]]
    image: np.ndarray

    @property
    def best_epoch(self) -> int:
        """Index of the epoch whose weights the model has."""
        return int(np.argmin(self.history["val_loss"]))


def load_digits(mnist: Path | None = None) -> Digits:
    """Handwritten digits, without a download.

    Args:
        mnist: The user's `mnist.npz`, or folder of IDX files; None for scikit-learn's 1,797 images
            of 8 x 8, a fifth of which are for testing.
    """
    if mnist is not None:
        arrays = read_mnist(mnist)
        images = [_scaled(arrays[f"x_{part}"], 255) for part in ("train", "test")]
        labels = [arrays[f"y_{part}"].astype(np.int64) for part in ("train", "test")]
        return Digits("MNIST", images[0], labels[0], images[1], labels[1])
    from sklearn import datasets

    bunch = datasets.load_digits()
    x, y = _scaled(bunch.images, 16), bunch.target.astype(np.int64)
    train, test = _split(y)
    return Digits("scikit-learn digits", x[train], y[train], x[test], y[test])


def build_digits_cnn(height: int, width: int) -> keras.Model:
    """Two hidden layers, each convolution, ReLU and pooling, and a dense output.

    Args:
        height: Of the images, in pixels, at least 4.
        width: Likewise.

    Returns:
        A model from `(batch, height, width, 1)` to probabilities `(batch, 10)`, with layers named
        `hidden_1`, `hidden_2` (the pools) and `output`.
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
        seed: Of the weights, the order of the images and dropout.
        folder: Gets `model.keras` and then `digits.json`.
        epochs: At most.
    """
    (folder / _RESULT).unlink(missing_ok=True)
    set_up(seed, mixed_precision=False)
    start = time.perf_counter()
    train, validation = _split(digits.train_labels)
    images, labels = digits.train_images[..., np.newaxis], digits.train_labels
    model = build_digits_cnn(*digits.train_images.shape[1:])
    model.compile(
        keras.optimizers.Adam(_LEARNING_RATE), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    recorded = model.fit(
        images[train],
        labels[train],
        batch_size=_BATCH_SIZE,
        epochs=epochs,
        validation_data=(images[validation], labels[validation]),
        callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)],
        verbose=0,
    )
    seconds = round(time.perf_counter() - start, 1)
    predicted = model.predict(digits.test_images[..., np.newaxis], verbose=0).argmax(axis=1)
    accuracy = float(np.mean(predicted == digits.test_labels))
    history = {name: [*map(float, values)] for name, values in recorded.history.items()}
    six = digits.test_images[np.argmax(digits.test_labels == PICTURED)]
    result = DigitsResult(digits.name, seed, accuracy, len(predicted), seconds, history, six)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.keras"
    try:
        model.save(temporary)
        temporary.replace(folder / _MODEL)
    finally:
        temporary.unlink(missing_ok=True)
    # Written last: a folder that has it is finished.
    content = json.dumps({**vars(result), "image": six.tolist()})
    write_atomically(folder / _RESULT, f"{content}\n".encode())
    return result


def digits_finished(folder: Path) -> bool:
    """Whether a training in `folder` came to its end."""
    return (folder / _RESULT).is_file()


def read_digits_result(folder: Path) -> DigitsResult:
    """What a finished training in `folder` came to; refuses one that is missing or damaged."""
    path = folder / _RESULT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return DigitsResult(**{**content, "image": np.array(content["image"], np.float32)})
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; delete {folder} and train again") from None
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from None


def activations(folder: Path, image: np.ndarray) -> list[np.ndarray]:
    """What each layer of a finished training makes of an image, float32 `(height, width)`.

    Returns:
        float32: the hidden layers' `(height / 2, width / 2, 32)` and `(height / 4, width / 4, 64)`, and
        the probabilities `(10,)`.
    """
    try:
        model = keras.models.load_model(folder / _MODEL, compile=False)
    except Exception as error:  # of any class, as archives and settings are damaged in many ways
        raise _damaged(folder / _MODEL, error) from None
    names = ("hidden_1", "hidden_2", "output")
    layers = keras.Model(model.input, [model.get_layer(name).output for name in names])
    outputs = layers(image[np.newaxis, ..., np.newaxis], training=False)
    return [keras.ops.convert_to_numpy(output)[0] for output in outputs]


def _damaged(path: Path, error: Exception) -> UserError:
    reason = (str(error).splitlines() or ["ends too early"])[0]
    return UserError(f"{path}: damaged ({reason}); delete {path.parent} and train again")


def _scaled(images: np.ndarray, most: int) -> np.ndarray:
    return np.divide(images, most, dtype=np.float32)


def _split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the larger and the smaller part, every digit in both as often as in the whole."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    larger, smaller = train_test_split(rows, test_size=_HELD_OUT, stratify=labels, random_state=_SPLIT_SEED)
    return larger, smaller
