"""Read `.npy` and `.npy.gz` files with TensorFlow ops, so that no Python runs in a pipeline.

The format is numpy's: a magic string, a version, the length of a header, a header that is a
Python dictionary literal, then the values
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).

A compressed file is inflated only as far as its last bytes say it goes, beyond 16 MB only where
its header says the same, and never further than the longest array; so a small file that would
inflate to gigabytes cannot fill the memory. Object arrays are pickles and are never loaded.
"""

from __future__ import annotations

import tensorflow as tf

MAX_FRAMES = 1 << 20  # about 6.7 hours at 43 frames a second; a header that claims more is refused

_PREFIX = 12  # bytes: magic 6, version 2, header length 2 or 4
_GZIP_SHORTEST = 18  # bytes: header 10, trailer 8
_HARMLESS = 1 << 24  # bytes that may be inflated before anything is known of them
_FLOATS = {"<f4": tf.float32, "<f8": tf.float64, "<f2": tf.float16}
_BIG_ENDIAN_FLOATS = {">f4": tf.float32, ">f8": tf.float64, ">f2": tf.float16}
_INTEGERS = {"<i8": tf.int64, "<i4": tf.int32}


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
    dimensions = _match(header, r"'shape': \((\d+), (\d+)\)", r"\1 \2")
    bands, frames = tf.unstack(tf.strings.to_number(tf.strings.split(dimensions), tf.int64), num=2)
    allowed = tf.reduce_any(tf.equal(bands, tf.constant(widths, tf.int64)))
    tf.debugging.Assert(allowed, ["number of bands", bands])
    tf.debugging.assert_positive(frames)
    values = _decode(header, data, {**_FLOATS, **_BIG_ENDIAN_FLOATS}, tf.float32)
    fortran = tf.strings.regex_full_match(header, r"(?s).*'fortran_order': True.*")
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
    _match(header, r"'shape': \((\d+),\)", r"\1")
    return _decode(header, data, _INTEGERS, tf.int64)


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
    tf.debugging.Assert(tf.equal(tf.strings.substr(prefix, 0, 6), b"\x93NUMPY"), ["not a .npy file"])
    octets = tf.cast(tf.io.decode_raw(prefix, tf.uint8), tf.int32)
    tf.debugging.assert_equal(tf.size(octets), _PREFIX)
    first_version = tf.equal(octets[6], 1)
    start = tf.where(first_version, 10, 12)
    long = tf.where(first_version, 0, octets[10] * 65536)
    length = octets[8] + 256 * octets[9] + long
    tf.debugging.assert_less(length, 65536)
    return start, start + length


def _claimed_bytes(header: tf.Tensor, max_values: int) -> tf.Tensor:
    """How many bytes of values the header claims; refuses what no spectrogram needs.

    These checks are stateful ops, which a traced function runs in order: no value is read before
    the header has passed them.
    """
    itemsize = _number(_match(header, r"'descr': '[<>|][fi](\d)'", r"\1"))
    shape = _match(header, r"'shape': \(([\d, ]*)\)", r"\1")
    dimensions = _number(tf.strings.split(tf.strings.regex_replace(shape, ",", " ")))
    tf.debugging.assert_less_equal(dimensions, tf.constant(MAX_FRAMES, tf.int64))
    tf.debugging.assert_less_equal(tf.size(dimensions), 2)
    count = tf.reduce_prod(dimensions)
    tf.debugging.assert_less_equal(count, tf.constant(max_values, tf.int64))
    return itemsize * count


def _number(digits: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_number(digits, tf.int64)


def _match(header: tf.Tensor, pattern: str, rewrite: str) -> tf.Tensor:
    whole = f"(?s).*{pattern}.*"
    matches = tf.debugging.Assert(tf.strings.regex_full_match(header, whole), ["header lacks", pattern])
    with tf.control_dependencies([matches]):
        return tf.strings.regex_replace(header, whole, rewrite)


def _decode(header: tf.Tensor, data: tf.Tensor, dtypes: dict[str, tf.DType], out: tf.DType) -> tf.Tensor:
    """Values of any of `dtypes`, cast to `out`."""
    descr = _match(header, r"'descr': '([^']*)'", r"\1")
    known = tf.equal(descr, tf.constant(list(dtypes)))
    tf.debugging.Assert(tf.reduce_any(known), ["dtype is none of", *dtypes])

    def branch(name: str) -> tf.Tensor:
        return tf.cast(tf.io.decode_raw(data, dtypes[name], little_endian=name[0] == "<"), out)

    return tf.switch_case(
        tf.cast(tf.argmax(tf.cast(known, tf.int32)), tf.int32), [lambda n=name: branch(n) for name in dtypes]
    )
