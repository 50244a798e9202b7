"""Sound in, answer out: equal to the offline path, and what cannot be answered says why alone."""

import base64
import io
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf

from keras_mir.models.answers import predict_source
from keras_mir.models.audio_model import AudioModel, note_for
from keras_mir.models.build import build_model
from keras_mir.models.report import Dataset
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.datasets.base import Examples
from pipelines.errors import UserError
from pipelines.extraction.features import extract
from pipelines.input.cache import cache_examples
from pipelines.ops.portable import portable
from pipelines.settings import InputSettings
from pipelines.source import Source
from pipelines.spec import FeatureSpec
from pipelines.synthetic.render import render_clip

SPEC = FeatureSpec()
CLASSES = ("Blues", "Jazz", "Rock")


def model_for(settings, frames=None, classes=CLASSES, targets=()):
    keras.utils.set_random_seed(0)
    bands = SPEC.bands(settings.feature)
    return build_model(
        ModelSettings(kind="lstm", units=8, layers=1),
        bands=SPEC.width(settings.feature),
        time=frames,
        classes=classes,
        targets=targets,
        spec=SPEC,
        feature=settings.feature,
        band_mean=np.repeat([-80.0, 0.0], [SPEC.n_mels, SPEC.n_chroma])[bands],
        band_variance=np.repeat([80.0**2, 1.0], [SPEC.n_mels, SPEC.n_chroma])[bands],
    )


@pytest.fixture(scope="module")
def clip():
    return np.asarray(render_clip("Rock", 3, 8.0).audio, np.float32)


@pytest.fixture(scope="module")
def beat_answers():
    settings = InputSettings("mel", sync="beat")
    model = model_for(settings)
    return AudioModel(model, {"genre": CLASSES}, settings, None, SPEC)


@pytest.fixture(scope="module")
def ask_wav(beat_answers):
    """Compiled, as it is served."""
    asked = tf.function(beat_answers.from_wav, input_signature=[tf.TensorSpec([None], tf.string)])
    return lambda *files: {name: value.numpy() for name, value in asked(tf.constant(files)).items()}


@pytest.fixture(scope="module")
def ask(beat_answers):
    signature = [
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None], tf.int32),
    ]
    asked = tf.function(beat_answers.from_waveform, input_signature=signature)

    def call(waveform, lengths=None, rate=22050):
        waveform = np.atleast_2d(np.asarray(waveform, np.float32))
        n = len(waveform)
        lengths = np.full(n, waveform.shape[1]) if lengths is None else np.asarray(lengths)
        outputs = asked(waveform, lengths.astype(np.int32), np.broadcast_to(rate, n).astype(np.int32))
        return {name: value.numpy() for name, value in outputs.items()}

    return call


def wav(samples, rate=22050, subtype="PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("feature", "sync", "frames"),
    [
        ("mel", "beat", None),
        pytest.param("fused", "beat", None, marks=pytest.mark.slow),
        pytest.param("chroma", "none", 100, marks=pytest.mark.slow),
        pytest.param("mel", "none", 600, marks=pytest.mark.slow),
    ],
)
def test_the_answer_is_that_of_the_offline_path(clip, tmp_path, feature, sync, frames):
    settings = InputSettings(feature, sync=sync, frames=frames or "batch")
    model = model_for(settings, frames)
    soundfile.write(tmp_path / "clip.wav", clip, 22050, subtype="FLOAT")
    made = extract(tmp_path / "clip.wav", SPEC)
    # What `evaluate` reads, from a file as `prepare` writes it.
    np.save(tmp_path / "clip.npy", made.beat_fused if sync == "beat" else made.fused)
    table = pd.DataFrame({"id": ["clip"], "path": [str(tmp_path / "clip.npy")], "beats": ""})
    examples = Examples(table, "clips", synced=sync == "beat")
    cached = cache_examples(examples, settings, tmp_path / "cache")
    expected = predict_source(model, Source(cached, {}, None, settings, frames, SPEC))["genre"]
    outputs = AudioModel(model, {"genre": CLASSES}, settings, frames, SPEC).from_wav(
        tf.constant([(tmp_path / "clip.wav").read_bytes()])
    )
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=2e-4)
    if sync == "beat":
        count = int(outputs["beat_counts"][0])
        np.testing.assert_allclose(outputs["beat_times"][0, :count], made.beats * 512 / 22050, atol=1e-4)
        assert 50 < outputs["tempo"][0] < 220


@pytest.mark.slow
@pytest.mark.parametrize(("feature", "sync", "frames"), [("fused", "none", 100), ("mel", "beat", None)])
def test_the_form_for_other_runtimes_answers_as_the_served_one(clip, feature, sync, frames):
    model = model_for(InputSettings(feature, sync=sync, frames=frames or "batch"), frames)
    answers = AudioModel(model, {"genre": CLASSES}, InputSettings(feature, sync=sync), frames, SPEC)

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, None], tf.float32),
            tf.TensorSpec([1], tf.int32),
            tf.TensorSpec([1], tf.int32),
        ],
        autograph=False,
    )
    def for_others(waveform, lengths, rate):
        with portable():
            return answers.from_clip(waveform, lengths, rate)

    silence, longer = np.zeros(22050, np.float32), np.tile(clip, 1 + 34 * 22050 // len(clip))
    for samples, length in (
        (clip, len(clip)),
        (longer, len(longer)),
        (silence, 22050),
        (clip, len(clip) + 1),
    ):
        asked = (samples[None].astype(np.float32), np.array([length], np.int32), np.array([22050], np.int32))
        got, expected = for_others(*asked), answers.from_waveform(*map(tf.constant, asked))
        assert got.keys() == expected.keys()
        for name, value in expected.items():
            if value.dtype.is_floating:
                assert got[name].shape == value.shape
                np.testing.assert_allclose(got[name], value, atol=1e-4 * max(1, np.abs(value).max(initial=0)))
            else:
                np.testing.assert_array_equal(got[name], value)
    (reason,) = for_others(*asked[:1], np.array([len(clip)], np.int32), np.array([44100], np.int32))["error"]
    assert reason == b"a sample rate other than the model's, 22050 Hz"


@pytest.mark.slow
def test_other_rates_channels_and_widths_change_little(clip, ask_wav):
    import librosa

    fast = librosa.resample(clip, orig_sr=22050, target_sr=44100)
    stereo = np.stack([fast, fast], axis=1) * 0.9
    outputs = ask_wav(wav(clip), wav(stereo, 44100, "PCM_24"), wav(clip, subtype="PCM_32"))
    assert list(outputs["error"]) == [b""] * 3
    for row in (1, 2):
        np.testing.assert_allclose(outputs["probabilities"][row], outputs["probabilities"][0], atol=0.02)


def test_one_bad_clip_says_what_is_wrong_and_leaves_the_others_alone(clip, ask_wav):
    alone = ask_wav(wav(clip))["probabilities"][0]
    broken = np.array(clip)
    broken[100] = np.nan
    outputs = ask_wav(b"junk", wav(clip), wav(clip)[:4000], wav(broken, subtype="FLOAT"), wav(clip[:600]))
    errors = [error.decode() for error in outputs["error"]]
    assert errors[1] == ""
    for error, reason in zip(
        (errors[0], *errors[2:]),
        ("not a WAV", "cut off", "NaN or infinite", "shorter than 0.5 s"),
        strict=True,
    ):
        assert reason in error
    np.testing.assert_allclose(outputs["probabilities"][1], alone, atol=1e-5)
    bad = [0, 2, 3, 4]
    assert not outputs["probabilities"][bad].any()
    assert list(outputs["windows"]) == [0, 1, 0, 0, 0]
    assert (outputs["beat_times"][bad] == -1).all()
    assert [genre for row, genre in enumerate(outputs["genre"]) if row in bad] == [b""] * 4


def test_channels_that_cancel_each_other_are_not_called_silent(clip, ask_wav):
    outputs = ask_wav(wav(np.stack([clip, -clip], axis=1)), wav(np.zeros((22050, 2))))
    assert [error.decode().split(":")[0] for error in outputs["error"]] == [
        "silent when mixed to mono",
        "silent",
    ]


@pytest.mark.slow
def test_an_answer_that_is_no_number_is_none(clip):
    settings = InputSettings("mel", sync="beat")
    model = model_for(settings)
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    outputs = AudioModel(model, {"genre": CLASSES}, settings, None, SPEC).from_wav(tf.constant([wav(clip)]))
    assert outputs["error"].numpy() == [b"the model's answer is no number"]
    assert outputs["genre"].numpy() == [b""]
    assert not outputs["probabilities"].numpy().any()
    assert outputs["windows"].numpy() == [0]


@pytest.mark.parametrize(
    ("waveform", "rate", "reason"),
    [
        (np.zeros(22050), 22050, "silent"),
        (np.full(22050, np.inf), 22050, "NaN or infinite"),
        (np.full(22050, 1e30), 22050, "samples of 1e+30, and full scale is 1"),
        (np.ones(600), 22050, "shorter than"),
        (np.ones(22050), 0, "sample rate outside 1000 to 768000 Hz"),
        (np.ones(22050), -5, "sample rate"),
        (np.ones(1000 * 1201), 1000, "longer than 20 minutes: send it in parts"),
    ],
)
def test_what_cannot_be_answered_says_why(ask, waveform, rate, reason):
    outputs = ask(waveform, rate=rate)
    assert reason in outputs["error"][0].decode()
    assert all(np.isfinite(value).all() for value in outputs.values() if value.dtype.kind == "f")


@pytest.mark.parametrize("length", [-5, 0, 22051, 2**31 - 1])
def test_a_length_that_cannot_be_has_no_answer(clip, ask, length):
    outputs = ask(np.stack([clip, clip])[:, :22050], lengths=[22050, length])
    assert outputs["error"].tolist() == [b"", b"a length that cannot be: less than 1, or more than there is"]
    assert outputs["genre"][1] == b""
    assert not outputs["probabilities"][1].any()


def test_every_clip_has_one_length_and_one_rate(clip, beat_answers):
    for lengths, rates in (([900, 800], [22050]), ([900], [22050, 8000])):
        with pytest.raises(tf.errors.InvalidArgumentError):
            beat_answers.from_waveform(clip[None], tf.constant(lengths), tf.constant(rates))


@pytest.mark.slow
def test_a_long_clip_among_very_many_is_refused_alone(ask_wav, clip):
    files = [wav(np.ones(1000 * 600) / 2, 1000, "PCM_U8"), wav(clip), *[b""] * 600]
    outputs = ask_wav(*files)
    assert outputs["error"][0] == b"too long among so many clips: send fewer"
    assert outputs["error"][1] == b""
    assert outputs["window_probabilities"].shape[1] == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory was used")
def test_a_batch_takes_no_more_memory_than_its_clips_alone(audio_models, clip):
    """One of three minutes at 1,000 Hz, which takes a hundred megabytes, beside very short ones."""
    program = """
import pickle, sys
from pathlib import Path
import numpy as np
from keras_mir.models.session import ServedModel

def peak(*files):
    assert set(model.predict({"audio": np.array(files, object)}, "audio")["error"]) == {""}
    return Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]

long, short = pickle.load(sys.stdin.buffer)
with ServedModel(Path(sys.argv[1])) as model:
    peak(short)  # makes kernels and keeps them
    print(peak(short), peak(long), peak(long, *[short] * 15))
"""
    files = wav(np.sin(np.arange(180_000)) / 2, 1000, "PCM_U8"), wav(clip[:22050])
    command = [sys.executable, "-c", program, str(audio_models / "tiny" / "1")]
    ended = subprocess.run(command, input=pickle.dumps(files), stdout=subprocess.PIPE, check=True)
    before, alone, together = map(int, ended.stdout.split())
    assert alone - before > 50_000, "too little to measure"  # kilobytes
    # Filled up to the longest, they would take fifteen times as much.
    assert together - before < 1.5 * (alone - before)


def test_a_file_in_base64_is_told_how_to_be_sent(ask_wav, clip):
    sent = base64.b64encode(wav(clip))
    assert ask_wav(sent)["error"][0] == b'a WAV file in base64, as text: send it as {"b64": "..."}'


def test_what_is_past_the_end_does_not_matter(clip, ask):
    padded = np.concatenate([clip, np.full(5000, np.nan, np.float32)])
    here, there = ask(clip), ask(padded, lengths=[len(clip)])
    assert there["error"][0] == b""
    np.testing.assert_allclose(there["probabilities"], here["probabilities"], atol=1e-5)
    np.testing.assert_array_equal(there["beat_times"], here["beat_times"])


def test_long_audio_is_the_mean_of_its_windows_and_has_one_run_of_beats(clip, ask):
    song = np.tile(clip, 9)  # 72 s
    outputs = ask(np.stack([song, np.pad(clip, (0, len(song) - len(clip)))]), lengths=[len(song), len(clip)])
    assert list(outputs["windows"]) == [3, 1]
    np.testing.assert_allclose(outputs["window_starts"][0], [0, 21, 42], atol=0.01)
    each = outputs["window_probabilities"]
    np.testing.assert_allclose(outputs["probabilities"][0], each[0].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(each[0, 0], ask(song[: 30 * 22050])["probabilities"][0], atol=1e-5)
    assert not each[1, 1:].any()
    beats = outputs["beat_times"][0, : outputs["beat_counts"][0]]
    assert (np.diff(beats) > 0).all()
    assert beats[0] < 3
    assert beats[-1] > 68


def test_a_model_of_generated_music_says_so_with_every_answer(clip):
    settings = InputSettings("mel")
    note = note_for(Dataset("synthetic", synthetic=True, licence=""))
    assert note == "trained on generated music: what it says of recorded music means nothing"
    made = AudioModel(model_for(settings), {"genre": CLASSES}, settings, None, SPEC, note)
    assert made.answer_wav([wav(clip), b"junk"])["note"].tolist() == [note, note]
    assert note_for(Dataset("mine", synthetic=False, licence="")) == ""


@pytest.mark.slow
def test_files_are_answered_from_python_as_the_graph_answers(beat_answers, ask_wav, clip):
    files = [wav(clip), b"junk", wav(clip, 11025)]
    answers, outputs = beat_answers.answer_wav(files), ask_wav(*files)
    assert answers.keys() == outputs.keys()
    assert answers["classes"].tolist() == [list(CLASSES)] * 3
    assert answers["note"].tolist() == [""] * 3
    assert answers["genre"].tolist() == [genre.decode() for genre in outputs["genre"]]
    np.testing.assert_array_equal(answers["probabilities"], outputs["probabilities"])


def test_affect_models_answer_by_the_names_of_their_targets(clip):
    settings = InputSettings("mel")
    model = model_for(settings, classes=None, targets=("valence", "energy"))
    answers = AudioModel(model, {}, settings, None, SPEC)
    outputs = answers.from_waveform(clip[None], tf.constant([len(clip)]), tf.constant([22050]))
    assert set(outputs) == {"error", "note", "windows", "window_starts", "valence", "energy"} | {
        "window_valence",
        "window_energy",
    }
    assert outputs["valence"].shape == (1,)
    assert outputs["window_energy"].shape == (1, 1)


@pytest.mark.parametrize("name", ["tempo", "starts", "window_valence", "note", "probabilities"])
def test_a_target_may_not_hide_another_output(name):
    with pytest.raises(UserError, match=rf"target '{name}': .* rename the column"):
        model_for(InputSettings("mel"), classes=None, targets=("valence", name))
    features = keras.Input((None, SPEC.n_mels), name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    outputs = {name: keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(features))}
    model = keras.Model({"features": features, "lengths": lengths}, outputs)
    with pytest.raises(UserError, match=rf"target '{name}': .* rename the column"):
        AudioModel(model, {}, InputSettings("mel"), None, SPEC)
