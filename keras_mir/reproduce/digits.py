"""A small CNN on handwritten digits, and what each of its layers makes of a "6".

Images are scikit-learn's, which come with it, or MNIST's where the user has the files.
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

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

_TEST_SHARE = 0.2
_VALIDATION_SHARE = 0.2
_SPLIT_SEED = 0  # the same images for every seed of the training

_MODEL, _HISTORY, _ACTIVATIONS, _RESULT = "model.keras", "history.csv", "activations.npz", "digits.json"
_SUMMARY = ("dataset", "seed", "accuracy", "n_test", "seconds")


@dataclass(frozen=True)
class Digits:
    """Handwritten digits.

    Attributes:
        name: Of the data set.
        train_images: float32 `(n, height, width)`, 0 is background and 1 ink.
        train_labels: int64 `(n,)`, 0 to 9.
        test_images: As those for training.
        test_labels: As those for training.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@dataclass(frozen=True)
class DigitsResult:
    """What came of a training.

    Attributes:
        dataset: Name of the data set.
        seed: Of the training.
        accuracy: On the test images.
        n_test: Number of test images.
        history: Metric to values by epoch.
        seconds: Time the training took.
        image: float32 `(height, width)`: the first "6" of the test set, whatever the model made of it.
        hidden: What is left of it after each hidden layer: float32 `(height / 2, width / 2, 32)` and
            `(height / 4, width / 4, 64)`.
        probabilities: float32 `(10,)`: the output for it.
    """

    dataset: str
    seed: int
    accuracy: float
    n_test: int
    history: dict[str, list[float]]
    seconds: float
    image: np.ndarray
    hidden: tuple[np.ndarray, np.ndarray]
    probabilities: np.ndarray

    @property
    def best_epoch(self) -> int:
        """Index of the epoch whose weights the model has."""
        return int(np.argmin(self.history["val_loss"]))


def load_digits(mnist: Path | None = None) -> Digits:
    """Handwritten digits, without a download.

    Args:
        mnist: The user's `mnist.npz`, or folder of IDX files; None for scikit-learn's 1,797 images
            of 8 x 8, a fifth of which are for testing.

    Raises:
        UserError: If the user's files cannot be used.
    """
    if mnist is not None:
        arrays = read_mnist(mnist)
        return Digits(
            "MNIST",
            train_images=_scaled(arrays["x_train"], 255),
            train_labels=arrays["y_train"].astype(np.int64),
            test_images=_scaled(arrays["x_test"], 255),
            test_labels=arrays["y_test"].astype(np.int64),
        )
    from sklearn import datasets

    bunch = datasets.load_digits()
    images, labels = _scaled(bunch.images, 16), bunch.target.astype(np.int64)
    train, test = _split(labels, _TEST_SHARE)
    return Digits("scikit-learn digits", images[train], labels[train], images[test], labels[test])


def build_digits_cnn(height: int, width: int) -> keras.Model:
    """Two hidden layers, each convolution, ReLU and pooling, and a dense output.

    The pools are named `hidden_1` and `hidden_2`, the output `output`.

    Args:
        height: Of the images, in pixels, at least 4.
        width: Of the images, in pixels, at least 4.

    Returns:
        A model from `(batch, height, width, 1)` to probabilities `(batch, 10)`.
    """
    image = keras.Input((height, width, 1), name="image")
    x = image
    for layer, filters in enumerate(_FILTERS, start=1):
        x = keras.layers.Conv2D(filters, 3, padding="same", name=f"conv_{layer}")(x)
        x = keras.layers.ReLU(name=f"relu_{layer}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"hidden_{layer}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(_DROPOUT, name="dropout")(x)
    return keras.Model(
        image, keras.layers.Dense(10, activation="softmax", name="output")(x), name="digits_cnn"
    )


def train_digits(digits: Digits, seed: int, folder: Path, *, epochs: int = EPOCHS) -> DigitsResult:
    """Train until the validation loss stops falling, test, and save.

    Args:
        digits: A fifth of its training images is held out for validation.
        seed: Of the weights, the order of the images and dropout.
        folder: Gets `model.keras`, `history.csv`, `activations.npz` (the picture) and, when
            all that is there, `digits.json`.
        epochs: At most.
    """
    (folder / _RESULT).unlink(missing_ok=True)
    set_up(seed, mixed_precision=False)
    start = time.perf_counter()
    train, validation = _split(digits.train_labels, _VALIDATION_SHARE)
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
    seconds = time.perf_counter() - start

    predicted = model.predict(digits.test_images[..., np.newaxis], verbose=0).argmax(axis=1)
    image = digits.test_images[np.argmax(digits.test_labels == PICTURED)]
    hidden_1, hidden_2, probabilities = _activations(model, image)
    result = DigitsResult(
        dataset=digits.name,
        seed=seed,
        accuracy=float(np.mean(predicted == digits.test_labels)),
        n_test=len(digits.test_labels),
        history={name: [float(value) for value in values] for name, values in recorded.history.items()},
        seconds=round(seconds, 1),
        image=image,
        hidden=(hidden_1, hidden_2),
        probabilities=probabilities,
    )
    _save(result, model, folder)
    return result


def digits_finished(folder: Path) -> bool:
    """Whether a training in `folder` came to its end."""
    return (folder / _RESULT).is_file()


def read_digits_result(folder: Path) -> DigitsResult:
    """What a finished training in `folder` came to.

    Raises:
        UserError: If there is none, or a file of it is damaged.
    """
    path = folder / _RESULT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        summary = {name: content[name] for name in _SUMMARY}
        path = folder / _HISTORY
        # As text: not every pandas reads a number as it was written.
        table = pd.read_csv(path, index_col="epoch", dtype=str, keep_default_na=False)
        history = {str(name): [float(value) for value in table[name]] for name in table}
        path = folder / _ACTIVATIONS
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return DigitsResult(
                **summary,
                history=history,
                image=arrays["image"],
                hidden=(arrays["hidden_1"], arrays["hidden_2"]),
                probabilities=arrays["probabilities"],
            )
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; delete {folder} and train again") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).splitlines() or ["ends too early"])[0]
        raise UserError(f"{path}: damaged ({reason}); delete {folder} and train again") from None


def _scaled(images: np.ndarray, most: int) -> np.ndarray:
    return np.divide(images, most, dtype=np.float32)


def _split(labels: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the larger and the smaller part, every digit in both as often as in the whole."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    larger, smaller = train_test_split(rows, test_size=share, stratify=labels, random_state=_SPLIT_SEED)
    return larger, smaller


def _activations(model: keras.Model, image: np.ndarray) -> list[np.ndarray]:
    """What each layer makes of one image `(height, width)`: both hidden ones and the output."""
    names = ("hidden_1", "hidden_2", "output")
    layers: Any = keras.Model(model.input, [model.get_layer(name).output for name in names])
    outputs = layers(image[np.newaxis, ..., np.newaxis], training=False)
    return [keras.ops.convert_to_numpy(output)[0] for output in outputs]


def _save(result: DigitsResult, model: keras.Model, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.keras"
    try:
        model.save(temporary)
        temporary.replace(folder / _MODEL)
    finally:
        temporary.unlink(missing_ok=True)
    table = pd.DataFrame(result.history).rename_axis("epoch")
    write_atomically(folder / _HISTORY, table.to_csv().encode())
    buffer = io.BytesIO()
    np.savez(
        buffer,
        image=result.image,
        hidden_1=result.hidden[0],
        hidden_2=result.hidden[1],
        probabilities=result.probabilities,
    )
    write_atomically(folder / _ACTIVATIONS, buffer.getvalue())
    summary = {name: getattr(result, name) for name in _SUMMARY}
    # Written last: a folder that has it is finished.
    write_atomically(folder / _RESULT, (json.dumps(summary, indent=2) + "\n").encode())
