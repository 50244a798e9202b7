"""A refused file's reason is said in plain words, with the remedy."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from pipelines.input.diagnosis import diagnose, diagnose_beats

WIDTHS = (128, 140)
LIMIT = 1000  # frames


def good() -> np.ndarray:
    return np.zeros((140, 10), np.float32)


def with_nan() -> np.ndarray:
    array = good()
    array[3, 7] = array[130, 9] = np.nan
    return array


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (good().astype(np.int16), "type is int16, not a float of 16, 32 or 64 bits"),
        (good().T, r"shape is (10, 140), not (128 or 140, time)"),
        (good()[:, :0], "no frames"),
        (np.zeros((140, LIMIT + 1), np.float16), "claims 1001 frames, more than the 1000 allowed"),
        (with_nan(), "2 values are NaN, infinite or beyond float32 (first: row 3, frame 7)"),
        (with_nan().copy(order="F"), "(first: row 3, frame 7)"),
        (np.full((140, 1), 1e39), "140 values are NaN, infinite or beyond float32"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npy.gz"])
def test_names_what_is_wrong_with_an_array(tmp_path, save_features, array, reason, suffix):
    save_features(tmp_path / f"clip{suffix}", array)
    assert reason in diagnose(tmp_path / f"clip{suffix}", WIDTHS, LIMIT)


def test_finds_nothing_wrong_with_a_good_file(tmp_path, save_features):
    save_features(tmp_path / "clip.npy.gz", good())
    assert diagnose(tmp_path / "clip.npy.gz", WIDTHS, LIMIT) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", "empty"),
        (lambda data: data[: len(data) // 2], "end early or are damaged"),
        (lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "checksum"),
        (lambda data: gzip.decompress(data), "content is not gzip"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-4]), "ends after 5596 of 5600 bytes"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "goes on after the 5600 bytes"),
        (lambda data: gzip.compress(b"a,b\n1,2\n"), "not a .npy file"),
        (lambda data: gzip.compress(b"\x93NUMPY\x01\x00\x03\x00((("), "not a .npy file"),
    ],
)
def test_names_what_is_wrong_with_the_bytes(tmp_path, save_features, change, reason):
    path = tmp_path / "clip.npy.gz"
    save_features(path, good())
    path.write_bytes(change(path.read_bytes()))
    message = diagnose(path, WIDTHS, LIMIT)
    assert reason in message
    assert ";" in message  # what is wrong; what to do


def test_tells_a_missing_file_from_a_folder(tmp_path):
    (tmp_path / "clip.npy").mkdir()
    assert "folder" in diagnose(tmp_path / "clip.npy", WIDTHS, LIMIT)
    assert "not there" in diagnose(tmp_path / "other.npy", WIDTHS, LIMIT)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([3, 9, 20]), ""),
        (np.array([], np.int64), ""),
        (np.array([0.5, 1.0]), "float64 of shape (2,), not a row of frame numbers"),
        (np.array([[1, 2]]), "int64 of shape (1, 2)"),
        (np.array([3, 9, 9]), "do not increase"),
        (np.array([-1, 9]), "frame -1 is not in the clip, which has 20"),
        (np.array([3, 21]), "frame 21 is not in the clip"),
        (np.array([3, 2**32 + 9]), "frame 4294967305 is not in the clip"),
    ],
)
def test_names_what_is_wrong_with_beats(tmp_path, array, reason):
    np.save(tmp_path / "clip.beats.npy", array)
    message = diagnose_beats(tmp_path / "clip.beats.npy", 20)
    assert reason in message
    assert bool(message) == bool(reason)


def test_names_what_is_wrong_with_the_bytes_of_beats(tmp_path):
    path = tmp_path / "clip.beats.npy"
    np.save(path, np.array([3, 9, 20]))
    path.write_bytes(path.read_bytes()[:-1])
    assert "ends after 23 of 24 bytes" in diagnose_beats(path, 20)
    path.write_text("3\n9\n20\n")
    assert "not a .npy file" in diagnose_beats(path, 20)


def test_a_signalling_nan_is_named_without_a_warning(tmp_path):
    values = np.zeros((128, 2))
    values[3, 1] = np.frombuffer(b"\1\0\0\0\0\0\xf0\x7f")[0]
    np.save(tmp_path / "clip.npy", values)
    assert "row 3, frame 1" in diagnose(tmp_path / "clip.npy", (128,), 9)
