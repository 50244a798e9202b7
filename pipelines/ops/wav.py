"""Decode WAV files with TensorFlow ops, so that an exported model can be sent one as it is.

`tf.audio.decode_wav` knows 16-bit samples only, and an op that fails takes every other request of
its batch along. This reads the container itself (Microsoft and IBM, "Multimedia Programming
Interface and Data Specifications 1.0", 1991; `WAVEFORMATEXTENSIBLE` of 2001), and says what is
wrong with a file instead of failing.
"""

from __future__ import annotations

import tensorflow as tf

from pipelines.limits import MAX_CHANNELS, MAX_RATE, MIN_RATE, OPEN_SIZE

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_HEADER = 12  # bytes: "RIFF", size, "WAVE"
_CHUNK = 8  # bytes: name, size
_LONGEST_HEADER = 64  # bytes that are looked at, from the start of any chunk
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of formats that have a tag
_RIFF_IN_BASE64 = b"UklGR"

# What a sample may be, by format and bits; the position is the branch that decodes it.
_KINDS = ((_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64))


def decode_wav(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Samples and rate of a WAV file: 8, 16, 24 or 32-bit integers, 32 or 64-bit floats.

    Args:
        contents: string scalar, the file's bytes.

    Returns:
        float32 `(samples, channels)`, integers scaled to [-1, 1); the rate in Hz, an int32 scalar;
        and what is wrong with the file, a string scalar, empty if nothing is. Where something is,
        there are no samples, of one channel, and the rate is `MIN_RATE`.
    """
    size = tf.cast(tf.strings.length(contents), tf.int64)
    # What is read of a header is there, whatever its sizes say.
    padded = tf.strings.join([contents, tf.constant(b"\0" * _LONGEST_HEADER)])
    format_start, format_size, data_start, data_size = _find_chunks(padded, size)
    tag = _little_endian(padded, format_start, 2)
    channels = _little_endian(padded, format_start + 2, 2)
    rate = _little_endian(padded, format_start + 4, 4)
    bits = _little_endian(padded, format_start + 14, 2)
    # The extensible format keeps the tag at the start of a GUID; with another end that is of something else.
    guid = _little_endian(padded, format_start + 24, 2)
    tail = tf.strings.substr(padded, tf.cast(format_start + 26, tf.int32), len(_GUID_TAIL))
    is_extensible = tf.logical_and(tf.equal(tag, _EXTENSIBLE), format_size >= 40)
    tag = tf.where(tf.logical_and(is_extensible, tf.equal(tail, _GUID_TAIL)), guid, tag)
    matches = tf.reduce_all(tf.equal(tf.constant(_KINDS, tf.int64), tf.stack([tag, bits])[None]), axis=1)
    block = tf.maximum(channels * bits // 8, 1)
    whole = data_size // block * block
    container = tf.strings.substr(padded, 0, 4)
    is_riff = tf.logical_and(tf.equal(container, b"RIFF"), tf.equal(tf.strings.substr(padded, 8, 4), b"WAVE"))
    problem = _first_problem(
        [
            (
                tf.equal(tf.strings.substr(padded, 0, len(_RIFF_IN_BASE64)), _RIFF_IN_BASE64),
                ['a WAV file in base64, as text: send it as {"b64": "..."}'],
            ),
            (size < _HEADER + _CHUNK, ["not a WAV file: too short for a header"]),
            (tf.equal(container, b"RIFX"), ["a big-endian WAV file (RIFX): convert it to an ordinary one"]),
            (tf.logical_not(is_riff), ["not a WAV file: it does not start with RIFF and WAVE"]),
            (tf.equal(format_start, 0), ["a damaged WAV file: its 'fmt ' chunk is missing"]),
            (format_size < 16, ["a damaged WAV file: its 'fmt ' chunk is too short"]),
            (tf.equal(data_start, 0), ["a WAV file without sound: its 'data' chunk is missing"]),
            (
                tf.logical_or(channels < 1, channels > MAX_CHANNELS),
                ["a WAV file of ", channels, f" channels; send 1 to {MAX_CHANNELS}"],
            ),
            (
                tf.logical_or(rate < MIN_RATE, rate > MAX_RATE),
                ["a WAV file with a sample rate of ", rate, f" Hz; send {MIN_RATE} to {MAX_RATE}"],
            ),
            (
                tf.logical_not(tf.reduce_any(matches)),
                ["a WAV file of format ", tag, " with ", bits, " bits a sample; send 16-bit PCM"],
            ),
            (
                data_start + data_size > size,
                ["a WAV file that is cut off: ", size - data_start, " of ", data_size, " bytes are there"],
            ),
            (whole <= 0, ["a WAV file without a single sample"]),
        ]
    )

    def decode() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        data = tf.strings.substr(contents, tf.cast(data_start, tf.int32), tf.cast(whole, tf.int32))
        samples = tf.reshape(_decode(data, matches), (-1, tf.cast(channels, tf.int32)))
        finite = tf.reduce_all(tf.math.is_finite(samples))
        return tf.cond(
            finite,
            lambda: (samples, tf.cast(rate, tf.int32), tf.constant("")),
            lambda: _nothing("a WAV file with samples that are NaN or infinite"),
        )

    return tf.cond(tf.equal(problem, ""), decode, lambda: _nothing(problem))


def _nothing(problem: tf.Tensor | str) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return tf.zeros((0, 1), tf.float32), tf.constant(MIN_RATE, tf.int32), tf.convert_to_tensor(problem)


def _first_problem(problems: list[tuple[tf.Tensor, list[tf.Tensor | str]]]) -> tf.Tensor:
    """The message of the first condition that holds, or an empty string."""
    conditions = tf.stack([condition for condition, _ in problems])
    messages = [
        tf.strings.join([part if isinstance(part, str) else tf.strings.as_string(part) for part in parts])
        for _, parts in problems
    ]
    first = tf.argmax(tf.cast(conditions, tf.int32))  # the first of equals
    return tf.where(tf.reduce_any(conditions), tf.stack(messages)[first], "")


def _decode(data: tf.Tensor, matches: tf.Tensor) -> tf.Tensor:
    """Samples of the kind that matches, float32 `(n,)`."""
    return tf.switch_case(
        tf.cast(tf.argmax(tf.cast(matches, tf.int32)), tf.int32),
        [
            lambda: (_raw(data, tf.uint8) - 128.0) / 128.0,  # the only unsigned kind
            lambda: _raw(data, tf.int16) / 2.0**15,
            lambda: _decode_24_bit(data),
            lambda: _raw(data, tf.int32) / 2.0**31,
            lambda: _raw(data, tf.float32),
            lambda: _raw(data, tf.float64),
        ],
    )


def _find_chunks(contents: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Start and size, int64, of the first `fmt` and `data` chunks; start 0 where there is none."""

    def is_inside(position: tf.Tensor, *found: tf.Tensor) -> tf.Tensor:
        both = tf.logical_and(found[0] > 0, found[2] > 0)
        return tf.logical_and(position + _CHUNK <= end, tf.logical_not(both))

    def step(position: tf.Tensor, *found: tf.Tensor) -> tuple[tf.Tensor, ...]:
        name = tf.strings.substr(contents, tf.cast(position, tf.int32), 4)
        length = _little_endian(contents, position + 4, 4)
        start = position + _CHUNK
        is_open = (length >= OPEN_SIZE) | (tf.equal(name, b"data") & tf.equal(length, 0) & never_filled_in)
        length = tf.where(is_open, end - start, length)
        is_format = tf.logical_and(tf.equal(name, b"fmt "), tf.equal(found[0], 0))
        is_data = tf.logical_and(tf.equal(name, b"data"), tf.equal(found[2], 0))
        return (
            start + length + length % 2,  # chunks start at even positions
            tf.where(is_format, start, found[0]),
            tf.where(is_format, length, found[1]),
            tf.where(is_data, start, found[2]),
            tf.where(is_data, length, found[3]),
        )

    # Who writes into a pipe, or was stopped, leaves all sizes at 0.
    never_filled_in = tf.equal(_little_endian(contents, 4, 4), 0)
    zero = tf.constant(0, tf.int64)
    _, *found = tf.while_loop(is_inside, step, (tf.constant(_HEADER, tf.int64), zero, zero, zero, zero))
    format_start, format_size, data_start, data_size = found
    # A file may end within its header.
    inside = format_start + format_size <= end
    return tf.where(inside, format_start, zero), format_size, data_start, data_size


def _little_endian(contents: tf.Tensor, start: tf.Tensor, count: int) -> tf.Tensor:
    """An unsigned integer of `count` bytes, as int64."""
    read = tf.io.decode_raw(tf.strings.substr(contents, tf.cast(start, tf.int32), count), tf.uint8)
    weights = tf.constant([256**place for place in range(count)], tf.int64)
    return tf.reduce_sum(tf.cast(read, tf.int64) * weights)


def _raw(data: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(data, dtype, little_endian=True), tf.float32)


def _decode_24_bit(data: tf.Tensor) -> tf.Tensor:
    parts = tf.cast(tf.reshape(tf.io.decode_raw(data, tf.uint8), (-1, 3)), tf.int32)
    # In the upper bytes of an int32, where the sign is.
    high = tf.bitwise.left_shift(parts, tf.constant([8, 16, 24], tf.int32))
    joined = tf.bitwise.bitwise_or(tf.bitwise.bitwise_or(high[:, 0], high[:, 1]), high[:, 2])
    return tf.cast(joined, tf.float32) / 2.0**31
