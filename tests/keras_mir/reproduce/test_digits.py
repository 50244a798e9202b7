"""The digits CNN: learns, repeats itself, is read back, and takes a user's MNIST files or says why not."""

import contextlib
import gzip
import struct
import zipfile

import keras
import numpy as np
import pytest

from keras_mir.reproduce.experiments.digits import (
    PICTURED,
    RESULT,
    activations,
    build_digits_cnn,
    load_digits,
    read_digits_result,
    train_digits,
)
from pipelines.errors import UserError

STEMS = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    return train_digits(digits, 0, folder), folder


def mnist_arrays():
    random = np.random.default_rng(0)
    labels = {"y_train": np.arange(120, dtype=np.uint8) % 10, "y_test": np.arange(20, dtype=np.uint8) % 10}
    images = {f"x{name[1:]}": random.integers(0, 256, (len(y), 8, 6), np.uint8) for name, y in labels.items()}
    return {**images, **labels}


def idx(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx_folder(folder, arrays, zipped=()):
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        if name in zipped:
            (folder / f"{STEMS[name]}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / STEMS[name]).write_bytes(idx(array))
    return folder


def refusal(path):
    with pytest.raises(UserError) as error:
        load_digits(path)
    message = str(error.value)
    assert message.startswith(f"mnist {path}")
    assert "\n" not in message
    return message


def test_the_built_in_digits_are_split_by_digit_with_ink_as_one(digits):
    assert digits.train_images.shape == (1437, 8, 8)
    assert digits.test_images.shape == (360, 8, 8)
    for images, labels in (
        (digits.train_images, digits.train_labels),
        (digits.test_images, digits.test_labels),
    ):
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        assert (images.min(), images.max()) == (0.0, 1.0)
        np.testing.assert_allclose(np.bincount(labels) / len(labels), 0.1, atol=0.005)
    np.testing.assert_array_equal(load_digits().test_images, digits.test_images)


@pytest.mark.slow
def test_it_tells_the_digits_apart(trained, digits):
    result, _ = trained
    assert result.accuracy > 0.97
    assert result.n_test == 360
    assert result.seconds > 0
    assert result.dataset == digits.name
    epochs = len(result.history["loss"])
    assert {name: len(values) for name, values in result.history.items()} == dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy"), epochs
    )
    assert result.best_epoch < epochs


@pytest.mark.slow
def test_the_picture_is_what_the_saved_model_makes_of_a_six(trained, digits):
    result, folder = trained
    model = keras.models.load_model(folder / "model.keras")
    predicted = model.predict(digits.test_images[..., np.newaxis], verbose=0)
    assert np.mean(predicted.argmax(axis=1) == digits.test_labels) == result.accuracy

    six = np.flatnonzero(digits.test_labels == PICTURED)[0]
    np.testing.assert_array_equal(result.image, digits.test_images[six])
    *hidden, probabilities = activations(folder, result.image)
    np.testing.assert_allclose(probabilities, predicted[six], atol=1e-6)
    assert [activation.shape for activation in hidden] == [(4, 4, 32), (2, 2, 64)]
    assert all(activation.min() >= 0 and activation.max() > 0 for activation in hidden)
    head = keras.Sequential([model.get_layer(name) for name in ("flatten", "dropout", "output")])
    np.testing.assert_allclose(head(hidden[1][np.newaxis])[0], probabilities, atol=1e-6)


@pytest.mark.slow
def test_a_finished_folder_is_read_back_as_it_was(trained):
    result, folder = trained
    assert sorted(file.name for file in folder.iterdir()) == ["digits.json", "model.keras"]
    back = read_digits_result(folder)
    for name, value in vars(result).items():
        if name == "image":
            np.testing.assert_array_equal(back.image, value)
        else:
            assert getattr(back, name) == value


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_one_others(digits, tmp_path):
    first, again, other = (
        train_digits(digits, seed, tmp_path / name, epochs=2) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.history == again.history != other.history
    assert len(first.history["loss"]) == 2
    assert first.accuracy == again.accuracy
    one, same = (activations(tmp_path / name, first.image) for name in ("a", "b"))
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_stopped_training_leaves_no_finished_folder(digits, tmp_path, monkeypatch):
    train_digits(digits, 0, tmp_path, epochs=1)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        train_digits(digits, 0, tmp_path, epochs=1)
    assert not (tmp_path / RESULT).exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits.json", "model.keras"])
def test_a_damaged_folder_says_which_file(name, trained, tmp_path):
    for file in trained[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (tmp_path / name).read_bytes()
    for content in (b"", b"[]", whole[: len(whole) // 2]):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as error:
            activations(tmp_path, read_digits_result(tmp_path).image)
        assert str(error.value).startswith(f"{tmp_path / name}: damaged")
        assert "\n" not in str(error.value)


def test_the_network_halves_the_image_twice():
    model = build_digits_cnn(28, 20)
    assert model.get_layer("hidden_1").output.shape == (None, 14, 10, 32)
    assert model.get_layer("hidden_2").output.shape == (None, 7, 5, 64)
    assert model.output_shape == (None, 10)


def test_mnist_is_read_from_every_form_it_comes_in(tmp_path):
    arrays = mnist_arrays()
    np.savez(tmp_path / "mnist.npz", **arrays)
    np.savez_compressed(tmp_path / "compressed.npz", **arrays)
    unzipped = write_idx_folder(tmp_path / "unzipped", arrays)
    zipped = write_idx_folder(tmp_path / "zipped", arrays, zipped=arrays)
    mixed = write_idx_folder(tmp_path / "mixed", arrays, zipped=("x_test",))
    (mixed / STEMS["y_test"]).rename(mixed / f"{STEMS['y_test']}.gz")  # as a browser leaves it
    for path in (tmp_path / "mnist.npz", tmp_path / "compressed.npz", unzipped, zipped, mixed):
        digits = load_digits(path)
        assert digits.name == "MNIST"
        assert (digits.train_images.dtype, digits.train_labels.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(digits.train_images, arrays["x_train"] / np.float32(255))
        np.testing.assert_array_equal(digits.test_images, arrays["x_test"] / np.float32(255))
        np.testing.assert_array_equal(digits.train_labels, arrays["y_train"])
        np.testing.assert_array_equal(digits.test_labels, arrays["y_test"])


def test_images_that_are_not_square_can_be_trained_on(tmp_path):
    np.savez(tmp_path / "mnist.npz", **mnist_arrays())
    result = train_digits(load_digits(tmp_path / "mnist.npz"), 0, tmp_path / "run", epochs=1)
    assert result.image.shape == (8, 6)
    shapes = [activation.shape for activation in activations(tmp_path / "run", result.image)]
    assert shapes == [(4, 3, 32), (2, 1, 64), (10,)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "no array 'x_test' in it, only x_train, y_train, y_test"),
        ({"y_test": np.array([{}])}, "y_test cannot be read (Object arrays cannot be loaded"),
        ({"x_train": np.zeros((120, 8, 6))}, "x_train is float64 (120, 8, 6), not images"),
        ({"x_train": np.zeros((120, 48), np.uint8)}, "x_train is uint8 (120, 48), not images"),
        ({"x_test": np.zeros((0, 8, 6), np.uint8)}, "x_test has 0 images of 8 x 6"),
        ({"x_train": np.zeros((120, 8, 3), np.uint8)}, "x_train has 120 images of 8 x 3"),
        (
            {"x_test": np.zeros((20, 8, 8), np.uint8)},
            "x_test has images of 8 x 8, those for training are 8 x 6",
        ),
        ({"y_train": np.arange(119) % 10}, "y_train has 119 labels for 120 images"),
        ({"y_train": np.eye(120)}, "y_train is float64 (120, 120), not digits"),
        ({"y_test": np.arange(20)}, "y_test has the label 10, which is no digit"),
        ({"y_test": np.arange(20) - 1}, "y_test has the label -1, which is no digit"),
        ({"y_train": np.arange(120) % 9}, "y_train has 0 images of a 9"),
        ({"y_test": np.arange(20) % 6}, "y_test has no 6"),
    ],
)
def test_an_npz_of_something_else_is_refused(changes, message, tmp_path):
    path = tmp_path / "mnist.npz"
    arrays = {name: array for name, array in {**mnist_arrays(), **changes}.items() if array is not None}
    np.savez(path, **arrays)
    assert message in refusal(path)


def test_what_is_no_npz_or_not_there_is_refused(tmp_path):
    assert "no such file or folder; give mnist.npz" in refusal(tmp_path / "nowhere")
    path = tmp_path / "mnist.npz"
    for content in (b"", b"\x80\x04}.", b"<html>"):
        path.write_bytes(content)
        assert "not an .npz file; give mnist.npz" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in STEMS:
            archive.writestr(name, b"text")
    assert "x_train is" in refusal(path)


def test_a_damaged_npz_is_refused_or_its_arrays_are_unharmed(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, **mnist_arrays())
    whole, images = path.read_bytes(), load_digits(path).train_images
    path.write_bytes(whole[:-50])
    assert "not an .npz file" in refusal(path)
    unharmed = 0
    for position in range(0, len(whole), 13):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        with contextlib.suppress(UserError):
            np.testing.assert_array_equal(load_digits(path).train_images, images)
            unharmed += 1
    assert unharmed < len(whole) // 13 // 4


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x_train", lambda content: content[:-1], "5759 values where its header states 5760; copy it again"),
        (
            "x_train",
            lambda content: content + b"\0",
            "5761 values where its header states 5760; copy it again",
        ),
        ("x_train", lambda content: content[:9], "ends within its header; copy it again"),
        ("x_train", lambda _: b"", "starts with nothing, not 00000803"),
        ("y_test", lambda _: idx(mnist_arrays()["x_test"]), "starts with 00000803, not 00000801"),
        ("y_test", lambda content: gzip.compress(content)[:-9], "damaged ("),
        ("y_test", lambda content: gzip.compress(content)[:-8] + bytes(8), "damaged (CRC check failed"),
        ("y_train", lambda _: idx(np.arange(7, dtype=np.uint8)), "has 7 labels for 120 images"),
    ],
)
def test_a_bad_idx_file_is_refused(name, change, message, tmp_path):
    folder = write_idx_folder(tmp_path / "mnist", mnist_arrays())
    path = folder / STEMS[name]
    path.write_bytes(change(path.read_bytes()))
    refused = refusal(folder)
    assert refused.startswith(f"mnist {path}")
    assert message in refused


def test_a_missing_idx_file_is_named(tmp_path):
    folder = write_idx_folder(tmp_path / "mnist", mnist_arrays())
    (folder / STEMS["x_test"]).unlink()
    assert "no file t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz in it" in refusal(folder)
