"""WAV files read in the graph, against libsndfile; what is broken is refused with its reason."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from pipelines.errors import UserError
from pipelines.extraction import audio_files
from pipelines.ops.wav import decode_wav

NOISE = np.random.default_rng(0).uniform(-0.9, 0.9, (1000, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def decode():
    """Compiled, as it is served."""
    return tf.function(decode_wav, input_signature=[tf.TensorSpec((), tf.string)])


def wav(samples=NOISE, rate=44100, subtype="PCM_16", container="WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def format_chunk(tag=1, channels=1, rate=8000, bits=16) -> bytes:
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block % 2**32, block, bits))


def refusal(decode, contents: bytes) -> str:
    samples, _, problem = decode(contents)
    assert samples.shape == (0, 1)
    return problem.numpy().decode()


def samples_of(decode, contents: bytes) -> np.ndarray:
    samples, _, problem = decode(contents)
    assert problem.numpy() == b""
    return samples.numpy()


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_every_kind_of_sample_is_read_as_libsndfile_reads_it(decode, container, subtype, channels):
    samples = np.repeat(NOISE[:, :1], channels, axis=1) * np.linspace(0.1, 1, channels, dtype=np.float32)
    contents = wav(samples, 48000, subtype, container)
    expected, rate = soundfile.read(io.BytesIO(contents), dtype="float32", always_2d=True)
    found, found_rate, problem = decode(contents)
    assert problem.numpy() == b""
    assert int(found_rate) == rate == 48000
    np.testing.assert_array_equal(found, expected)


def test_extremes_of_24_bits_keep_their_sign(decode):
    values = b"".join(struct.pack("<i", value)[:3] for value in (-(2**23), -1, 0, 1, 2**23 - 1))
    contents = riff(format_chunk(bits=24), chunk(b"data", values))
    expected = np.array([-(2**23), -1, 0, 1, 2**23 - 1], np.float32)[:, None] / 2**23
    np.testing.assert_array_equal(samples_of(decode, contents), expected)


def test_other_chunks_are_passed_over_wherever_they_stand(decode):
    sound = chunk(b"data", np.arange(5, dtype="<i2").tobytes())
    odd = chunk(b"LIST", b"odd")  # padded to an even length
    contents = riff(odd, format_chunk(), odd, chunk(b"fact", b"1234"), sound, odd)
    np.testing.assert_array_equal(samples_of(decode, contents)[:, 0], np.arange(5, dtype=np.float32) / 2**15)


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_stream_of_unknown_length_is_read_to_its_end_here_and_from_a_file(decode, size, tmp_path):
    sound = b"data" + struct.pack("<I", size) + np.arange(5, dtype="<i2").tobytes()
    contents = riff(format_chunk(), sound)
    assert samples_of(decode, contents).shape == (5, 1)
    (tmp_path / "song.wav").write_bytes(contents)
    np.testing.assert_array_equal(
        audio_files.decode(tmp_path / "song.wav").samples.T, samples_of(decode, contents)
    )


def test_sizes_that_were_never_filled_in_mean_a_stream_and_else_no_sound(decode, tmp_path):
    sound = b"data" + bytes(4) + np.arange(5, dtype="<i2").tobytes()
    whole = riff(format_chunk(), sound)
    stream = whole[:4] + bytes(4) + whole[8:]
    assert samples_of(decode, stream).shape == (5, 1)
    assert refusal(decode, whole) == "a WAV file without a single sample"
    for name, contents, count in (("stream", stream, 5), ("whole", whole, 0)):
        (tmp_path / name).write_bytes(contents)
        assert audio_files.decode(tmp_path / name).samples.shape == (1, count)


@pytest.mark.parametrize("size", [9, 1000, 0x7FFFEFFF])
def test_what_is_cut_off_is_refused_here_and_from_a_file(decode, size, tmp_path):
    contents = riff(format_chunk(), b"data" + struct.pack("<I", size) + bytes(8))
    assert refusal(decode, contents) == f"a WAV file that is cut off: 8 of {size} bytes are there"
    (tmp_path / "song.wav").write_bytes(contents)
    with pytest.raises(UserError, match=rf"song\.wav: cut off, 8 of {size} bytes of sound are there"):
        audio_files.decode(tmp_path / "song.wav")


def test_half_a_frame_at_the_end_is_dropped(decode):
    contents = riff(format_chunk(channels=2), chunk(b"data", b"\1" * 11))
    assert samples_of(decode, contents).shape == (2, 2)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "too short"),
        (b"ID3" + b"\0" * 100, "does not start with RIFF"),
        (b"RIFX" + wav()[4:], "big-endian"),
        (
            b"RIFF" + b"\0" * 4 + b"AVI " + b"\0" * 60,
            "not a WAV file: it does not start with RIFF and WAVE",
        ),
        (wav()[:1000], "cut off"),
        (wav()[:30], "'fmt ' chunk is missing"),
        (wav()[:44], "cut off"),
        (riff(chunk(b"data", b"\0" * 8)), "'fmt ' chunk is missing"),
        (riff(format_chunk()), "'data' chunk is missing"),
        (riff(chunk(b"fmt ", b"\1\0"), chunk(b"data", b"\0" * 8)), "too short"),
        (riff(format_chunk(), chunk(b"data", b"")), "without a single sample"),
        (
            riff(format_chunk(tag=7, bits=8), chunk(b"data", b"\0" * 8)),
            "a WAV file of format 7 with 8 bits a sample; send 16-bit PCM",
        ),
        (riff(format_chunk(bits=12), chunk(b"data", b"\0" * 8)), "format 1 with 12 bits"),
        (wav(container="WAVEX").replace(b"\x9b\x71", b"\x9b\x72"), "format 65534 with 16 bits"),
        (riff(format_chunk(channels=0), chunk(b"data", b"\0" * 8)), "0 channels"),
        (riff(format_chunk(channels=999), chunk(b"data", b"\0" * 8)), "999 channels"),
        (riff(format_chunk(rate=0), chunk(b"data", b"\0" * 8)), "rate of 0 Hz"),
        (riff(format_chunk(rate=2**32 - 1), chunk(b"data", b"\0" * 8)), "rate of 4294967295 Hz"),
    ],
)
def test_what_is_broken_is_refused_with_the_reason(decode, contents, reason):
    assert reason in refusal(decode, contents)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(decode, value):
    samples = NOISE.copy()
    samples[500, 1] = value
    assert "NaN or infinite" in refusal(decode, wav(samples, subtype="FLOAT"))


def test_no_damage_to_a_header_does_worse_than_a_refusal(decode):
    """Every byte of the header set to several values: read or refused, never a crash or a hang."""
    good = wav(NOISE[:50])
    for position in range(44):
        for value in (0, 1, 127, 128, 255):
            contents = good[:position] + bytes([value]) + good[position + 1 :]
            samples, _, problem = decode(contents)
            assert np.isfinite(samples).all()
            assert len(samples) > 0 or problem.numpy()
