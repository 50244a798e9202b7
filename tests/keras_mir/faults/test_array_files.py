"""Arrays in .npy and .npy.gz files: what numpy reads, or a refusal with its reason, whatever the bytes."""

from __future__ import annotations

import gzip
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from numpy.lib import format as npy_format

from pipelines.input.diagnosis import diagnose, diagnose_beats
from pipelines.ops import npy

WIDTHS = (128, 140)
PATH = tf.TensorSpec([], tf.string)
REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.DataLossError, tf.errors.OutOfRangeError)


def read_spectrogram(path: tf.Tensor) -> tf.Tensor:
    return npy.read_spectrogram(path, WIDTHS)


def written(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # of a version that older numpy does not read
        npy_format.write_array(buffer, array, version)
    return buffer.getvalue()


def read_by_numpy(content: bytes) -> np.ndarray | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return np.load(io.BytesIO(content), allow_pickle=False)
    except Exception:  # whatever damage makes it raise
        return None


@st.composite
def spectrograms(draw: st.DrawFn) -> np.ndarray:
    bands, frames = draw(st.sampled_from([128, 140])), draw(st.integers(1, 4))
    values = np.random.default_rng(draw(st.integers(0, 99))).uniform(-80, 0, (bands, frames))
    dtype = draw(st.sampled_from(["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"]))
    return np.asarray(values, dtype, order=draw(st.sampled_from("CF")))


@st.composite
def others(draw: st.DrawFn) -> np.ndarray:
    """Arrays that are no spectrograms, for one reason or another."""
    shape = draw(st.sampled_from([(), (140,), (140, 2, 1), (2, 140), (141, 2), (140, 0), (0, 140), (1, 1)]))
    dtype = draw(st.sampled_from(["<f4", "<i8", "<c8", "?", "<U3", "V7", "<f4,<i2", "<M8[s]"]))
    if draw(st.booleans()):
        return np.full((140, 2), draw(st.sampled_from([np.nan, np.inf, -np.inf])), np.float32)
    return np.zeros(shape, dtype)


def files(arrays: st.SearchStrategy[np.ndarray]) -> st.SearchStrategy[bytes]:
    return st.builds(written, arrays, st.sampled_from([(1, 0), (2, 0), (3, 0)]))


def expected(content: bytes) -> tuple[np.ndarray | None, bool]:
    """The spectrogram that numpy reads, if it is one; and whether numpy writes it like that."""
    array = read_by_numpy(content)
    is_float = array is not None and array.dtype.kind == "f" and array.dtype.itemsize <= 8
    if array is None or not is_float or array.ndim != 2 or array.shape[0] not in WIDTHS or not array.shape[1]:
        return None, False
    with np.errstate(over="ignore", invalid="ignore"):
        array = array.astype(np.float32)
    version = (content[6], content[7])
    return (array if np.isfinite(array).all() else None), content == written(read_by_numpy(content), version)


@pytest.fixture(scope="module")
def read():
    return tf.function(read_spectrogram, input_signature=[PATH])


@pytest.fixture(scope="module")
def read_vector():
    return tf.function(npy.read_vector, input_signature=[PATH])


def check_like_numpy(path: Path, content: bytes, read, *, well_zipped: bool = True) -> str:
    """Fail unless the graph has numpy's values, or a reason not to.

    Args:
        path: Written already.
        content: Content of the file, inflated.
        read: The graph.
        well_zipped: Whether nothing but that content can be wrong with the file.
    """
    array, is_numpys = expected(content)
    reason = diagnose(path, WIDTHS, npy.MAX_FRAMES)
    try:
        values = read(str(path)).numpy()
    except REFUSALS:
        assert reason, "refused, but the diagnosis finds no fault"
        assert "\n" not in reason
        assert array is None or not (is_numpys and well_zipped), f"numpy writes and reads this, but: {reason}"
        return "refused where numpy reads" if array is not None else "refused"
    assert not reason, f"read, but the diagnosis finds a fault: {reason}"
    assert array is not None, "read, but numpy refuses it"
    np.testing.assert_array_equal(values, array.T)
    return "as numpy"


def test_whatever_numpy_writes(cases, tmp_path, read):
    def check(content: bytes) -> str:
        for path, stored in (
            (tmp_path / "whole.npy", content),
            (tmp_path / "whole.npy.gz", gzip.compress(content)),
        ):
            path.write_bytes(stored)
            outcome = check_like_numpy(path, content, read)
        return outcome

    cases.try_all("whole .npy and .npy.gz files", 20, files(spectrograms() | others()), check)


def test_damaged_files(cases, tmp_path, read, damaged):
    def check(content: bytes) -> str:
        path = tmp_path / "damaged.npy"
        path.write_bytes(content)
        return check_like_numpy(path, content, read)

    cases.try_all("damaged .npy files", 60, damaged(files(spectrograms())), check)


def test_damaged_content_of_gzip(cases, tmp_path, read, damaged):
    def check(content: bytes) -> str:
        path = tmp_path / "damaged.npy.gz"
        path.write_bytes(gzip.compress(content, 1))
        return check_like_numpy(path, content, read)

    cases.try_all("damaged .npy files, then gzipped", 30, damaged(files(spectrograms())), check)


def test_damaged_gzip(cases, tmp_path, read, damaged):
    def check(stored: bytes) -> str:
        path = tmp_path / "damaged.npy.gz"
        path.write_bytes(stored)
        try:
            content = gzip.decompress(stored)
        except Exception:  # whatever damage makes it raise
            content = b""
        outcome = check_like_numpy(path, content, read, well_zipped=False) if content else None
        if outcome is None:
            assert diagnose(path, WIDTHS, npy.MAX_FRAMES)
            with pytest.raises(REFUSALS):
                read(str(path))
        return outcome or "refused"

    zipped = files(spectrograms()).map(lambda content: gzip.compress(content, 1))
    cases.try_all("damaged .npy.gz files", 30, damaged(zipped), check)


@pytest.mark.parametrize("dtype", ["<i4", "<i8", ">i4", ">i8"])
def test_whole_beats(dtype, tmp_path, read_vector):
    beats, path = np.array([0, 7, 1 << 20], dtype), tmp_path / "clip.beats.npy"
    whole = written(beats)
    for content in (whole, whole.replace(b"'fortran_order': False", b"'fortran_order': True ")):
        path.write_bytes(content)
        assert diagnose_beats(path, 1 << 20) == ""
        np.testing.assert_array_equal(read_vector(str(path)), read_by_numpy(content))


@pytest.mark.parametrize("dtype", [">u2", "<f8", "<U3"])
def test_beats_that_are_no_whole_numbers_are_refused_by_name(dtype, tmp_path, read_vector):
    path = tmp_path / "clip.beats.npy"
    path.write_bytes(written(np.array([1, 2], dtype)))
    with pytest.raises(REFUSALS):
        read_vector(str(path))
    what = f"{np.dtype(dtype)} of shape (2,)"
    assert diagnose_beats(path, 9) == f"it is {what}, not a row of frame numbers; save them as int64"


def test_damaged_beats(cases, tmp_path, read_vector, damaged):
    path = tmp_path / "clip.beats.npy"

    def check(content: bytes) -> str:
        path.write_bytes(content)
        array, reason = read_by_numpy(content), diagnose_beats(path, 1 << 20)
        try:
            values = read_vector(str(path)).numpy()
        except REFUSALS:
            assert reason
            return "refused"
        assert array is not None
        if not reason:  # the order of beats is looked at where they are used
            np.testing.assert_array_equal(values, array)
        return "refused" if reason else "as numpy"

    beats = st.lists(st.integers(0, 1000), max_size=9, unique=True).map(sorted)
    arrays = st.builds(np.array, beats, st.sampled_from(["<i4", "<i8", ">i4", ">i8"]))
    cases.try_all("damaged files of beats", 20, damaged(files(arrays)), check)
