"""WAV files: what soundfile reads, or a reason in `error`, whatever the bytes; answers are finite."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import strategies as st

from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.models.audio_model import AudioModel
from keras_mir.models.build import build_model
from keras_mir.models.session import ServedModel
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.ops.wav import decode_wav
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec

SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
RATES = (1000, 8000, 11025)
TOGETHER = 10  # files of a request


@st.composite
def wav_files(draw: st.DrawFn, seconds: float = 0.01) -> bytes:
    rate, channels = draw(st.sampled_from(RATES)), draw(st.sampled_from((1, 2, 3)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    samples = random.uniform(-1, 1, (round(seconds * rate), channels))
    buffer = io.BytesIO()
    form = draw(st.sampled_from(["WAV", "WAVEX"]))
    soundfile.write(buffer, samples, rate, format=form, subtype=draw(st.sampled_from(SUBTYPES)))
    content = buffer.getvalue()
    if draw(st.booleans()):  # a chunk that nobody knows, of an odd size, before the rest
        chunk = b"note" + struct.pack("<I", 3) + b"hey\0"
        content = content[:12] + chunk + content[12:]
    return content


def read_by_soundfile(content: bytes) -> tuple[np.ndarray, int] | None:
    try:
        return soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    except Exception:  # whatever damage makes it raise
        return None


def read_by_ffmpeg(content: bytes) -> np.ndarray | None:
    """The samples, channel by channel; None if ffmpeg has something to say against the file."""
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "f64le", "-"]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    return None if done.stderr else np.frombuffer(done.stdout, "<f8")


def check_like_soundfile(content: bytes, samples: np.ndarray, rate: int, problem: str) -> str:
    """Fail unless these are the samples that soundfile has of a file, or ffmpeg, or there is a problem."""
    theirs = read_by_soundfile(content)
    if problem:
        assert "\n" not in problem
        assert not samples.size
        return "refused where soundfile reads" if theirs else "refused"
    assert np.isfinite(samples).all()
    if theirs is None:  # it wants more of a header than the samples need
        if not shutil.which("ffmpeg"):
            return "read where soundfile refuses"
        np.testing.assert_allclose(samples.ravel(), read_by_ffmpeg(content), atol=1e-6)
        return "as ffmpeg, where soundfile refuses"
    assert rate == theirs[1]
    np.testing.assert_allclose(samples, theirs[0], rtol=1e-6, atol=1e-7)
    return "as soundfile"


@pytest.fixture(scope="module")
def decode():
    return tf.function(decode_wav, input_signature=[tf.TensorSpec([], tf.string)])


def decoded(decode, content: bytes) -> tuple[np.ndarray, int, str]:
    samples, rate, problem = decode(content)
    return samples.numpy(), int(rate), problem.numpy().decode()


def test_whole_files(cases, decode):
    def check(content: bytes) -> str:
        outcome = check_like_soundfile(content, *decoded(decode, content))
        assert outcome == "as soundfile"
        return outcome

    cases.try_all("whole WAV files", 20, wav_files(), check)


def test_damaged_files(cases, decode, damaged):
    cases.try_all(
        "damaged WAV files",
        60,
        damaged(wav_files()),
        lambda content: check_like_soundfile(content, *decoded(decode, content)),
    )


@pytest.fixture
def exported(cases, tmp_path) -> Path:
    """A small model that answers to sound."""
    if cases.are_few:
        pytest.skip("an export takes long; the normal tests try the part of its graph that reads WAV files")
    keras.utils.set_random_seed(0)
    spec, genres = FeatureSpec(n_mels=8), ("Blues", "Jazz")
    model = build_model(
        ModelSettings(kind="cnn-any-length", filters=(2,), pools=(2,)),
        bands=spec.n_mels,
        time=None,
        classes=genres,
        targets=(),
        spec=spec,
        feature="mel",
        band_mean=np.full(spec.n_mels, -40.0),
        band_variance=np.full(spec.n_mels, 20.0**2),
    )
    return export_savedmodel(
        model,
        tmp_path,
        "tiny",
        description={"feature_spec": spec.to_dict()},
        names={"genre": genres},
        spec=spec,
        audio_model=lambda served: AudioModel(served, {"genre": genres}, InputSettings("mel"), None, spec),
    )


def test_damaged_files_in_the_exported_signature(cases, exported, decode, damaged):
    files = st.lists(
        wav_files(seconds=0.6) | damaged(wav_files(seconds=0.6)), min_size=TOGETHER, max_size=TOGETHER
    )

    with ServedModel(exported) as model:

        def check(contents: list[bytes]) -> str:
            answers = model.predict({"audio": np.array(contents, object)}, "audio")
            answered = 0
            for row, content in enumerate(contents):
                problem = str(answers["error"][row])
                probabilities = answers["probabilities"][row]
                assert np.isfinite(probabilities).all()
                samples, rate, reason = decoded(decode, content)
                assert problem if reason else True, f"an answer to a file with: {reason}"
                if problem:
                    assert not probabilities.any()
                    continue
                answered += 1
                mono = samples.mean(axis=1)[None]
                alone = model.predict(
                    {"waveform": mono, "lengths": np.int32([mono.size]), "rate": np.int32([rate])}, "waveform"
                )
                np.testing.assert_allclose(probabilities, alone["probabilities"][0], atol=1e-5)
            cases.count("files to the signature `audio`", "answered", answered)
            cases.count("files to the signature `audio`", "refused", TOGETHER - answered)
            return "finite, or with a reason"

        cases.try_all("requests to the signature `audio`", 3, files, check)
