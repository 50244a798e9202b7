"""Read `.npy` and `.npy.gz` files with TensorFlow ops, so that no Python runs in a pipeline.

The format is numpy's: a magic string, a version, the length of a header, a header that is a
Python dictionary literal, then the values
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).

A compressed file is inflated only as far as its last bytes say it goes, beyond 16 MB only where
its header says the same, and never further than the longest array; so a small file that would
inflate to gigabytes cannot fill the memory. Object arrays are pickles and are never loaded.

A header is read by `HEADER` and `FIELDS` alone, here and in `pipelines.input.diagnosis`: regular
expressions that mean the same to RE2 and to Python's `re`. What they match is what numpy writes, with
any blanks, quotes and order of keys; numpy reads all of it.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.limits import MAX_FRAMES

MAGIC = b"\x93NUMPY"
VERSIONS = {b"\x01\0": 2, b"\x02\0": 4, b"\x03\0": 4}  # and how many bytes the header's length takes
MAX_HEADER = 10_000  # bytes; numpy reads no longer one
_BLANKS = r"[ \t\f\r\n]*"
_NUMBER = rf"(?:0|[1-9][0-9]*){_BLANKS}"
# What may be the value of a key; the groups hold what is told of it.
_VALUES = {
    "descr": r"""(?:'([<>=|]?[A-Za-z]+[0-9]*)'|"([<>=|]?[A-Za-z]+[0-9]*)")""",
    "fortran_order": "(True|False)",
    "shape": rf"\({_BLANKS}((?:{_NUMBER},{_BLANKS}(?:{_NUMBER}(?:,{_BLANKS}{_NUMBER})*,?{_BLANKS})?)?)\)",
}
_ENTRIES = {
    key: rf"""{_BLANKS}(?:'{key}'|"{key}"){_BLANKS}:{_BLANKS}{value}{_BLANKS}"""
    for key, value in _VALUES.items()
}
_ENTRY = f"(?:{'|'.join(_ENTRIES.values())})"
HEADER = rf"[ \t]*\{{{_ENTRY},{_ENTRY},{_ENTRY},?{_BLANKS}\}}{_BLANKS}"
# Of what `HEADER` matches: a key's value, as groups 1 and 2. Three keys, each there, is each once.
FIELDS = {key: rf"(?s).*[{{,]{entry}[,}}].*" for key, entry in _ENTRIES.items()}

_PREFIX = 12  # bytes: magic 6, version 2, header length 2 or 4
_GZIP_SHORTEST = 18  # bytes: header 10, trailer 8
_HARMLESS = 1 << 24  # bytes that may be inflated before anything is known of them
_FLOATS, _INTEGERS = ("f4", "f8", "f2", "f", "d", "e"), ("i8", "i4")
_FLOAT_NAMES = [
    *(order + name for order in ("", *"<=|>") for name in _FLOATS),
    "float16",
    "float32",
    "float64",
]
# By how a header may call it, the type, always as numpy writes it.
FLOATS = {name: np.dtype(name).str for name in _FLOAT_NAMES}
INTEGERS = {order + name: np.dtype(order + name).str for order in ("", *"<=|>") for name in _INTEGERS}


def read_spectrogram(path: tf.Tensor, widths: tuple[int, ...]) -> tf.Tensor:
    """Read a spectrogram stored as `(bands, time)`.

    Args:
        path: Scalar string; inflated if it ends in `.gz`.
        widths: The numbers of bands that are allowed.

    Returns:
        float32 `(time, bands)`, whatever float type, byte order and memory order it had.

    Raises:
        tf.errors.InvalidArgumentError: When iterated, if the file is not such an array, or
            has values that are not finite. `pipelines.input.diagnosis` says why in plain words.
        tf.errors.DataLossError: If the compressed data are corrupt.
    """
    header, data = _read(path, MAX_FRAMES * max(widths))
    shape = _shape(header)
    tf.debugging.assert_equal(tf.size(shape), 2)
    bands, frames = tf.unstack(tf.ensure_shape(shape, (2,)))
    allowed = tf.reduce_any(tf.equal(bands, tf.constant(widths, tf.int64)))
    tf.debugging.Assert(allowed, ["number of bands", bands])
    tf.debugging.assert_positive(frames)
    values = _decode(header, data, FLOATS, tf.float32)
    fortran = tf.equal(_field(header, "fortran_order"), "True")
    # A Fortran-ordered (bands, time) array is, byte for byte, a C-ordered (time, bands) one.
    spectrogram = tf.cond(
        fortran,
        lambda: tf.reshape(values, (frames, bands)),
        lambda: tf.transpose(tf.reshape(values, (bands, frames))),
    )
    tf.debugging.assert_all_finite(spectrogram, "values")
    return spectrogram


def read_vector(path: tf.Tensor) -> tf.Tensor:
    """Read a one-dimensional integer array, such as beat frames.

    Args:
        path: Scalar string; inflated if it ends in `.gz`.

    Returns:
        int64 `(n,)`.

    Raises:
        tf.errors.InvalidArgumentError: When iterated, if the file is not such an array.
    """
    header, data = _read(path, MAX_FRAMES)
    tf.debugging.assert_equal(tf.size(_shape(header)), 1)
    return _decode(header, data, INTEGERS, tf.int64)


# Checks come before the ops that would fail without them, and quote no bytes of the file: those ops do,
# and TensorFlow cannot make a Python exception of a message that is not UTF-8.


def _read(path: tf.Tensor, max_values: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The header and exactly the bytes of the values that it claims, at most `max_values`."""
    content = tf.io.read_file(path)
    compressed = tf.strings.regex_full_match(path, r".*\.gz")
    content = tf.cond(compressed, lambda: _inflate(path, content, max_values), lambda: content)
    start, stop = _header_span(tf.strings.substr(content, 0, _PREFIX))
    with tf.control_dependencies([tf.debugging.assert_less_equal(stop, tf.strings.length(content))]):
        content = tf.identity(content)
    header = tf.strings.substr(content, start, stop - start)
    data = tf.strings.substr(content, stop, -1)
    claimed = tf.cast(_claimed_bytes(header, max_values), tf.int32)
    tf.debugging.assert_equal(tf.strings.length(data, unit="BYTE"), claimed)
    return header, data


def _inflate(path: tf.Tensor, content: tf.Tensor, max_values: int) -> tf.Tensor:
    """What a gzip file holds, if that is as long as its last bytes say (RFC 1952, ISIZE)."""
    size = tf.strings.length(content)
    with tf.control_dependencies([tf.debugging.assert_greater(size, _GZIP_SHORTEST)]):
        octets = tf.io.decode_raw(tf.strings.substr(content, size - 4, 4), tf.uint8)
    stated = tf.reduce_sum(tf.cast(octets, tf.int64) * tf.constant([1, 1 << 8, 1 << 16, 1 << 24], tf.int64))
    tf.debugging.assert_greater(stated, tf.constant(_PREFIX, tf.int64))

    def stretch(start: tf.Tensor, count: tf.Tensor, buffer: int) -> tf.data.Dataset:
        return tf.data.FixedLengthRecordDataset(
            path, record_bytes=count, header_bytes=start, buffer_size=buffer, compression_type="GZIP"
        )

    def claimed() -> tf.Tensor:
        start, stop = _header_span(stretch(0, _PREFIX, 4096).take(1).get_single_element())
        start, stop = tf.cast(start, tf.int64), tf.cast(stop, tf.int64)
        header = stretch(start, stop - start, 4096).take(1).get_single_element()
        return stop + _claimed_bytes(header, max_values)

    # To open a file once more takes time, so the header is looked at first only where it may save memory.
    believed = tf.cond(stated <= _HARMLESS, lambda: stated, claimed)
    tf.debugging.assert_equal(believed, stated)
    # A single element and then the end of the file: the reader looks one record further, so
    # the checksum is verified, and surplus data are an error after at most one more record.
    return stretch(0, believed, 1 << 18).get_single_element()


def _header_span(prefix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the header starts and stops, in bytes, from the first bytes of the file."""
    with tf.control_dependencies([tf.debugging.assert_equal(tf.strings.length(prefix), _PREFIX)]):
        prefix = tf.identity(prefix)
    tf.debugging.Assert(tf.equal(tf.strings.substr(prefix, 0, 6), MAGIC), ["not a .npy file"])
    version = tf.equal(tf.strings.substr(prefix, 6, 2), list(VERSIONS))
    tf.debugging.Assert(tf.reduce_any(version), ["unknown version of the format"])
    octets = tf.cast(tf.io.decode_raw(prefix, tf.uint8), tf.int64)
    wide = tf.reduce_sum(tf.boolean_mask(tf.constant([*VERSIONS.values()], tf.int64), version))
    length = tf.reduce_sum(octets[8 : 8 + wide] * tf.constant([1, 1 << 8, 1 << 16, 1 << 24], tf.int64)[:wide])
    tf.debugging.assert_less_equal(length, tf.constant(MAX_HEADER, tf.int64))
    return tf.cast(8 + wide, tf.int32), tf.cast(8 + wide + length, tf.int32)


def _claimed_bytes(header: tf.Tensor, max_values: int) -> tf.Tensor:
    """How many bytes of values the header claims; refuses what no spectrogram needs.

    These checks are stateful ops, which a traced function runs in order: no value is read before
    the header has passed them.
    """
    types = {**FLOATS, **INTEGERS}
    sizes = tf.constant([np.dtype(each).itemsize for each in types.values()], tf.int64)
    dimensions = _shape(header)
    tf.debugging.assert_less_equal(dimensions, tf.constant(MAX_FRAMES, tf.int64))
    tf.debugging.assert_less_equal(tf.size(dimensions), 2)
    count = tf.reduce_prod(dimensions)
    tf.debugging.assert_less_equal(count, tf.constant(max_values, tf.int64))
    return sizes[_position(header, types)] * count


def _field(header: tf.Tensor, key: str) -> tf.Tensor:
    """What the header says of a key, as text."""
    grammatical = tf.strings.regex_full_match(header, HEADER)
    matches = grammatical & tf.strings.regex_full_match(header, FIELDS[key])
    with tf.control_dependencies([tf.debugging.Assert(matches, ["header lacks", key])]):
        return tf.strings.regex_replace(header, FIELDS[key], r"\1\2" if key == "descr" else r"\1")


def _shape(header: tf.Tensor) -> tf.Tensor:
    """int64 `(dimensions,)`."""
    blanks = tf.strings.regex_replace(_field(header, "shape"), ",", " ")
    return tf.strings.to_number(tf.strings.split(blanks), tf.int64)


def _position(header: tf.Tensor, types: dict[str, str]) -> tf.Tensor:
    """Which of the types, by how the header calls it."""
    known = tf.equal(_field(header, "descr"), list(types))
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_any(known), ["dtype is none of", *types])]):
        return tf.argmax(tf.cast(known, tf.int32), output_type=tf.int32)


def _decode(header: tf.Tensor, data: tf.Tensor, types: dict[str, str], out: tf.DType) -> tf.Tensor:
    """Values of any of `types`, cast to `out`."""
    distinct = sorted(set(types.values()))

    def branch(name: str) -> tf.Tensor:
        return tf.cast(tf.io.decode_raw(data, np.dtype(name[1:]), little_endian=name[0] == "<"), out)

    branches = tf.constant([distinct.index(name) for name in types.values()])
    return tf.switch_case(
        branches[_position(header, types)], [lambda name=name: branch(name) for name in distinct]
    )
