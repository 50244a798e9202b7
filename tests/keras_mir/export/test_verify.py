"""What is written answers as the model does, in every signature, where there is nothing but TensorFlow."""

import ast
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_mir.export import run_alone
from keras_mir.export.verify import (
    Check,
    FreshProcess,
    compare,
    expect,
    feature_batches,
    sound_batches,
    sounds,
    wav_files,
)
from keras_mir.models.audio_model import AudioModel
from keras_mir.models.folders import KERAS_MODEL
from keras_mir.models.trained_model import load_keras
from pipelines.errors import UserError
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec

GENRES = ("Blues", "Jazz", "Metal")
PATH = Path("m/1")
PROBABILITIES = np.array([[0.7, 0.3], [0.0, 0.0]], np.float32)
EXPECTED = {
    "probabilities": PROBABILITIES,
    "classes": np.array([[b"a", b"b"]] * 2, object),
    "genre": np.array([b"a", b""], object),
    "error": np.array([b"", b"silent"], object),
    "windows": np.array([1, 0], np.int32),
}
CHECK = Check("audio", {}, ("tone", "silence"), EXPECTED, 1e-3)


def test_the_same_answers_pass():
    compare(PATH, CHECK, EXPECTED)
    compare(PATH, CHECK, {**EXPECTED, "probabilities": PROBABILITIES + 5e-4})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probabilities": PROBABILITIES + 0.01}, "differ by 0.01 in 'probabilities'"),
        ({"probabilities": PROBABILITIES[:1]}, r"no output 'probabilities' of shape \(2, 2\)"),
        ({"genre": np.array([b"b", b""], object)}, "not the class of highest probability"),
        ({"error": np.array([b"", b""], object)}, "differ in 'error'"),
        ({"windows": np.array([2, 0])}, "differ in 'windows'"),
    ],
)
def test_other_answers_are_refused_by_signature_and_output(changes, message):
    with pytest.raises(UserError, match=f"m/1: signature 'audio'.*{message}"):
        compare(PATH, CHECK, {**EXPECTED, **changes})


def test_a_model_that_cannot_answer_a_tone_or_answers_silence_is_refused():
    swapped = dataclasses.replace(CHECK, names=("silence", "tone"))
    with pytest.raises(UserError, match="says of a clip of silence: nothing"):
        compare(PATH, swapped, EXPECTED)
    with pytest.raises(UserError, match="says of a clip of tone: silent"):
        compare(PATH, dataclasses.replace(swapped, names=("tone", "tone")), EXPECTED)


def test_the_clips_are_of_many_kinds_and_one_file_is_damaged():
    clips = sounds()
    assert {rate for _, rate in clips.values()} == {16000, 22050, 44100}
    files = wav_files(clips)
    assert set(files) == {"damaged", *clips}
    assert len(files["damaged"]) < len(files["noise"])


@pytest.mark.slow
def test_the_process_answers_in_every_signature_and_has_nothing_of_ours(audio_models):
    tree = ast.parse(Path(run_alone.__file__).read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= {"numpy", "tensorflow"} | sys.stdlib_module_names
    files = np.array(list(wav_files(sounds()).values()), object)
    features = {"features": np.zeros((1, 3, 40), np.float32), "lengths": np.array([3], np.int32)}
    with FreshProcess() as process:
        served = process.ask(
            audio_models / "tiny" / "1", [("audio", {"audio": files}), ("embedding", features)]
        )
    assert [bool(error) for error in served[0]["error"]] == [True, True, False, False, False]
    assert list(served[0]["note"]) == [b""] * 5  # trained on nothing, so not on generated music
    assert served[1]["embedding"].shape == (1, 16)


@pytest.mark.slow
def test_another_model_and_another_sample_rate_than_what_was_written_are_refused(audio_models):
    path = audio_models / "tiny" / "1"
    model, spec = load_keras(path / KERAS_MODEL), FeatureSpec(n_mels=40)
    batches = [*feature_batches(model, spec), *sound_batches()]
    with FreshProcess() as process:
        served = process.ask(path, [(batch.signature, batch.feed) for batch in batches])

    def verify_against(spec):
        written = AudioModel(model, {"genre": GENRES}, InputSettings("mel", sync="beat"), None, spec)
        for check, outputs in zip(expect(batches, model, written), served, strict=True):
            compare(path, check, outputs)

    verify_against(spec)
    with pytest.raises(UserError, match=r"signature 'waveform'.* differ"):
        verify_against(dataclasses.replace(spec, sample_rate=16000))
    weights = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([-weight for weight in weights])
    with pytest.raises(UserError, match=r"signature 'serving_default'.* differ by .* 'probabilities'"):
        verify_against(spec)


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path):
    with (
        FreshProcess() as process,
        pytest.raises(UserError, match=r"1: .* process of its own \(.*") as error,
    ):
        process.ask(tmp_path / "1", [])
    assert "\n" not in str(error.value)
