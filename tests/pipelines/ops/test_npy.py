"""Reading .npy and .npy.gz in the graph gives numpy's values, or refuses within bounded memory."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.lib import format as npy_format

from pipelines.input.diagnosis import diagnose
from pipelines.ops import npy

WIDTHS = (128, 140)
REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.DataLossError, tf.errors.OutOfRangeError)
PATH = tf.TensorSpec([], tf.string)
Save = Callable[[Path, np.ndarray], None]


@pytest.fixture(scope="module")
def read() -> Callable[[Path], np.ndarray]:
    function = tf.function(lambda path: npy.read_spectrogram(path, WIDTHS), input_signature=[PATH])
    return lambda path: function(str(path)).numpy()


@pytest.fixture(scope="module")
def read_beats() -> Callable[[Path], np.ndarray]:
    function = tf.function(npy.read_vector, input_signature=[PATH])
    return lambda path: function(str(path)).numpy()


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    buffer = io.BytesIO()
    npy_format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npy.gz"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
def test_gives_what_numpy_gives(tmp_path, read, save_features, make_fused, dtype, order, suffix):
    array = np.asarray(make_fused(9, 0), dtype=dtype, order=order)
    save_features(tmp_path / f"clip{suffix}", array)
    values = read(tmp_path / f"clip{suffix}")
    np.testing.assert_array_equal(values, array.T.astype(np.float32))
    assert values.dtype == np.float32
    assert diagnose(tmp_path / f"clip{suffix}", WIDTHS, npy.MAX_FRAMES) == ""


@pytest.mark.parametrize("suffix", [".npy", ".npy.gz"])
@pytest.mark.parametrize("version", [(2, 0), (3, 0)])
def test_reads_later_versions_of_the_format(tmp_path, read, make_fused, version, suffix):
    array = make_fused(5, 1).astype(np.float32)
    buffer = io.BytesIO()
    npy_format.write_array(buffer, array, version=version)
    content = buffer.getvalue()
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == ".npy.gz" else content)
    np.testing.assert_array_equal(read(path), array.T)


def test_reads_a_single_frame_and_mel_alone(tmp_path, read, save_features, make_fused):
    array = make_fused(1, 2)[:128]
    save_features(tmp_path / "clip.npy.gz", array)
    np.testing.assert_array_equal(read(tmp_path / "clip.npy.gz"), array.T.astype(np.float32))


@pytest.mark.parametrize("suffix", [".npy", ".npy.gz"])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((140, 10), np.int32),
        np.zeros((140, 10), np.complex64),
        np.zeros((140, 10), np.longdouble),
        np.full((140, 10), "0.5"),
        np.zeros((140, 10), [("mel", "<f4")]),
        np.zeros((140, 10, 1), np.float32),
        np.zeros(140, np.float32),
        np.float32(1),
        np.zeros((140, 0), np.float32),
        np.zeros((0, 140), np.float32),
        np.zeros((10, 140), np.float32),
        np.full((140, 10), np.nan, np.float32),
        np.full((140, 10), np.inf, np.float64),
        np.full((140, 10), 1e300, np.float64),
    ],
    ids=lambda array: f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}",
)
def test_refuses_what_is_no_spectrogram(tmp_path, read, save_features, array, suffix):
    save_features(tmp_path / f"clip{suffix}", np.asarray(array))
    with pytest.raises(REFUSALS):
        read(tmp_path / f"clip{suffix}")
    assert diagnose(tmp_path / f"clip{suffix}", WIDTHS, npy.MAX_FRAMES)


def test_never_unpickles(tmp_path, read):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    np.save(tmp_path / "clip.npy", np.full((140, 2), Trap()), allow_pickle=True)
    with pytest.raises(REFUSALS):
        read(tmp_path / "clip.npy")
    assert "pickle" in diagnose(tmp_path / "clip.npy", WIDTHS, npy.MAX_FRAMES)
    assert not (tmp_path / "sprung").exists()


def damage_truncate(zipped: bytes) -> bytes:
    return zipped[: len(zipped) // 2]


def damage_checksum(zipped: bytes) -> bytes:
    return zipped[:-8] + bytes([zipped[-8] ^ 1]) + zipped[-7:]


def damage_values(zipped: bytes) -> bytes:
    """One bit of one value, in a stored block, so that only the checksum can tell."""
    plain = bytearray(gzip.compress(gzip.decompress(zipped), 0))
    plain[len(plain) // 2] ^= 1
    return bytes(plain)


def damage_surplus(zipped: bytes) -> bytes:
    return gzip.compress(gzip.decompress(zipped) + b"more")


def damage_surplus_of_a_record(zipped: bytes) -> bytes:
    return gzip.compress(gzip.decompress(zipped) + bytes(140 * 10 * 4))


def damage_short(zipped: bytes) -> bytes:
    return gzip.compress(gzip.decompress(zipped)[:-4])


def damage_not_gzip(zipped: bytes) -> bytes:
    return gzip.decompress(zipped)


def damage_text(zipped: bytes) -> bytes:
    return gzip.compress(b"<html>404</html>")


def damage_header(zipped: bytes) -> bytes:
    return gzip.compress(b"\x93NUMPY\x01\x00\x03\x00(((")


def damage_binary(zipped: bytes) -> bytes:
    return gzip.compress(b"\xff\xfe" * 3000)


def damage_binary_header(zipped: bytes) -> bytes:
    return gzip.compress(b"\x93NUMPY\x01\x00\x20\x00" + b"\xff\xfe" * 3000)


def damage_flags(zipped: bytes) -> bytes:
    """A flag that the format keeps for later (RFC 1952, FLG), which Python's own gzip passes over."""
    return zipped[:3] + b"\x20" + zipped[4:]


def damage_padded(zipped: bytes) -> bytes:
    return zipped + bytes(8)


def damage_parts(zipped: bytes) -> bytes:
    whole = gzip.decompress(zipped)
    return gzip.compress(whole[:1000]) + gzip.compress(whole[1000:])


def damage_trailer(zipped: bytes) -> bytes:
    return zipped[:-8]


def damage_empty(zipped: bytes) -> bytes:
    return b""


DAMAGES = [
    damage_truncate,
    damage_checksum,
    damage_values,
    damage_surplus,
    damage_surplus_of_a_record,
    damage_short,
    damage_not_gzip,
    damage_text,
    damage_header,
    damage_binary,
    damage_binary_header,
    damage_flags,
    damage_padded,
    damage_parts,
    damage_trailer,
    damage_empty,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_refuses_damaged_gzip(tmp_path, read, save_features, make_fused, damage):
    path = tmp_path / "clip.npy.gz"
    save_features(path, make_fused(10, 3).astype(np.float32))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(REFUSALS):
        read(path)
    assert diagnose(path, WIDTHS, npy.MAX_FRAMES)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:9],
        lambda data: data[:5],
        lambda data: b"",
        lambda data: b"\xff\xfe neither text nor numpy",
        lambda data: b"\xff\xfe" * 40000,
        lambda data: b"\x93NUMPY\x01\x00\x20\x00" + b"\xff\xfe" * 3000,
        lambda data: b"\x93NUMPY\x01\x00\xff\xff" + b"\xff\xfe" * 3000,
    ],
)
def test_refuses_a_damaged_plain_file(tmp_path, read, save_features, make_fused, damage):
    path = tmp_path / "clip.npy"
    save_features(path, make_fused(10, 4).astype(np.float32))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(REFUSALS):
        read(path)
    assert diagnose(path, WIDTHS, npy.MAX_FRAMES)


@pytest.mark.parametrize("suffix", [".npy", ".npy.gz"])
@pytest.mark.parametrize(
    "shape", [(140, 10**12), (140, npy.MAX_FRAMES + 1), (1 << 20, 1 << 20), (140, 10**40)]
)
def test_refuses_a_header_that_claims_too_much(tmp_path, read, shape, suffix):
    content = header(shape) + bytes(4000)
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == ".npy.gz" else content)
    with pytest.raises(tf.errors.InvalidArgumentError):
        read(path)
    assert diagnose(path, WIDTHS, npy.MAX_FRAMES)


@pytest.mark.parametrize("name", ["clip.npy", "clip.npy.gz"])
def test_says_that_a_file_is_missing(tmp_path, read, name):
    with pytest.raises(tf.errors.NotFoundError):
        read(tmp_path / name)
    assert "not there" in diagnose(tmp_path / name, WIDTHS, npy.MAX_FRAMES)


BOMB = """
import os, resource, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import tensorflow as tf
from pipelines.ops import npy
from pipelines.input.diagnosis import diagnose

read = tf.function(
    lambda path: npy.read_spectrogram(path, (128, 140)), input_signature=[tf.TensorSpec([], tf.string)]
)
good, *bombs = sys.argv[1:]
read(good)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in bombs:
    try:
        read(bomb)
        sys.exit("read it")
    except tf.errors.OpError:
        pass
    assert diagnose(Path(bomb), (128, 140), npy.MAX_FRAMES)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_gzip_bomb_does_not_fill_the_memory(tmp_path, save_features, make_fused):
    """Files of 1 MB that inflate to 256 MB, behind a small claim, a huge one and none."""
    save_features(tmp_path / "good.npy.gz", make_fused(10, 5).astype(np.float32))
    zeros = bytes(1 << 20)
    starts = {"small": header((140, 10)), "huge": header((1 << 20, 1 << 20)), "none": b""}
    for name, start in starts.items():
        with gzip.open(tmp_path / f"{name}.npy.gz", "wb", compresslevel=1) as file:
            file.write(start)
            for _ in range(256):
                file.write(zeros)
    paths = [str(tmp_path / f"{name}.npy.gz") for name in ("good", *starts)]
    done = subprocess.run(
        [sys.executable, "-c", BOMB, *paths], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 64  # MB


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("frames", [[], [7], [0, 21, 43]])
def test_reads_beat_frames(tmp_path, read_beats, frames, dtype):
    np.save(tmp_path / "clip.beats.npy", np.array(frames, dtype))
    beats = read_beats(tmp_path / "clip.beats.npy")
    assert beats.tolist() == frames
    assert beats.dtype == np.int64


@pytest.mark.parametrize("array", [np.array([1.0, 2.0]), np.array([[1, 2], [3, 4]]), np.array([1], ">u2")])
def test_refuses_what_are_no_beat_frames(tmp_path, read_beats, array):
    np.save(tmp_path / "clip.beats.npy", array)
    with pytest.raises(REFUSALS):
        read_beats(tmp_path / "clip.beats.npy")


@pytest.mark.parametrize(
    "text",
    [
        '{"descr": "<f4", "fortran_order": True, "shape": (140, 5)}',
        "{'shape':(140,5),'fortran_order':True,'descr':'<f4'}",
        "{ 'descr' : '=f4' ,\n 'fortran_order' : True , 'shape' : ( 140 , 5 , ) , }  \n",
        "{'descr': 'float32', 'fortran_order': True, 'shape': (140, 5), }",
    ],
)
def test_reads_a_header_in_any_spelling_that_numpy_reads(tmp_path, read, make_fused, text):
    array = make_fused(5, 1).astype(np.float32)
    path = tmp_path / "clip.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode() + array.T.tobytes())
    np.testing.assert_array_equal(np.load(path), array)
    np.testing.assert_array_equal(read(path), array.T)
    assert diagnose(path, WIDTHS, npy.MAX_FRAMES) == ""


def mutated(rng: np.random.Generator, array: np.ndarray) -> bytes:
    """A `.npy` file with one wrong bit or byte before its values."""
    buffer, version = io.BytesIO(), ((1, 0), (2, 0), (3, 0))[rng.integers(3)]
    npy_format.write_array(buffer, array, version=version)
    content = bytearray(buffer.getvalue())
    # Half of them where it says something, not in the blanks behind.
    place = rng.integers(rng.choice([80, len(content) - array.nbytes]))
    content[place] = rng.choice([content[place] ^ 1 << rng.integers(8), rng.integers(256)])
    return bytes(content)


def test_no_damaged_header_is_read_otherwise_than_by_numpy(tmp_path, read, make_fused):
    rng = np.random.default_rng(0)
    path, read_by_both = tmp_path / "clip.npy", 0
    for _ in range(int(os.environ.get("KERAS_MIR_FAULTS", "1")) * 1000):
        array = np.asarray(make_fused(5, 1), rng.choice(["<f4", ">f8"]), order=rng.choice(["C", "F"]))
        path.write_bytes(mutated(rng, array))
        try:
            with warnings.catch_warnings(action="ignore"):
                expected = np.load(path, allow_pickle=False)
        except Exception:
            expected = None
        try:
            values = read(path)
        except REFUSALS:
            assert diagnose(path, WIDTHS, npy.MAX_FRAMES), path.read_bytes()[:100]
            continue
        assert expected is not None, path.read_bytes()[:100]
        assert diagnose(path, WIDTHS, npy.MAX_FRAMES) == ""
        np.testing.assert_array_equal(values, expected.T.astype(np.float32))
        read_by_both += 1
    assert read_by_both
