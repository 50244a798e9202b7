"""The chromagram in the graph: librosa's, and what any chromagram must do."""

import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.layers import ChromaCQT
from keras_mir.layers.audio.chroma import estimate_tuning
from pipelines.synthetic.render import render_clip

RATE = 22050
PITCH_CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def chroma(audio, sample_rate=RATE, hop_length=512, n_chroma=12):
    """One clip's chroma, `(frames, n_chroma)`."""
    layer = ChromaCQT(sample_rate, hop_length, n_chroma)
    return np.asarray(layer([audio[np.newaxis], np.array([len(audio)], np.int32)]))[0]


def reference(audio, sample_rate=RATE, hop_length=512, n_chroma=12):
    return librosa.feature.chroma_cqt(y=audio, sr=sample_rate, hop_length=hop_length, n_chroma=n_chroma).T


def tones(frequencies, seconds=2.0, sample_rate=RATE):
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return sum(0.3 * np.sin(2 * np.pi * frequency * time) for frequency in frequencies).astype(np.float32)


@pytest.fixture(scope="module")
def song():
    return render_clip("Folk", seed=2, duration_s=4.0, sample_rate=RATE).audio


@pytest.mark.parametrize(("genre", "seed"), [("Jazz", 3), ("Rock", 0), ("Classical", 1)])
def test_equals_librosa_on_music(genre, seed):
    audio = render_clip(genre, seed, duration_s=4.0, sample_rate=RATE).audio
    difference = np.abs(chroma(audio) - reference(audio))
    assert difference.mean() < 2e-4
    assert difference.max() < 0.01


@pytest.mark.parametrize("cents", [-45, -20, 5, 30])
def test_equals_librosa_on_a_detuned_chord(cents):
    audio = tones(2 ** (cents / 1200) * librosa.note_to_hz(["C3", "E4", "A4", "G5"]), seconds=4.0)
    difference = np.abs(chroma(audio) - reference(audio))
    assert difference.mean() < 1e-3


@pytest.mark.parametrize(
    ("sample_rate", "hop_length", "n_chroma", "tolerance"),
    [
        (16000, 512, 12, 5e-4),
        (44100, 1024, 12, 5e-4),  # halved once before the first octave
        (11025, 256, 36, 1e-3),
        (22050, 441, 12, 2e-3),  # librosa can't halve an odd hop, and analyses low octaves at full rate
        (8400, 512, 12, 1e-2),  # the highest filters end at the Nyquist frequency itself
    ],
)
def test_equals_librosa_at_other_rates_and_hops(sample_rate, hop_length, n_chroma, tolerance):
    audio = render_clip("Jazz", seed=3, duration_s=3.0, sample_rate=sample_rate).audio
    ours = chroma(audio, sample_rate, hop_length, n_chroma)
    librosas = reference(audio, sample_rate, hop_length, n_chroma)
    assert ours.shape == librosas.shape
    assert np.abs(ours - librosas).mean() < tolerance


@pytest.mark.parametrize("cents", [0, 4, -11, 30])
def test_tuning_is_the_offset_of_the_notes(cents):
    audio = tones(2 ** (cents / 1200) * librosa.note_to_hz(["A5", "E6", "A6", "C#7"]))
    bins = 36 * cents / 1200
    offset = bins - np.floor(bins + 0.5)
    tuning = estimate_tuning(tf.constant(audio[np.newaxis]), tf.constant([len(audio)]), RATE, 36)
    assert float(tuning[0]) == pytest.approx(offset, abs=0.04)  # a parabola is not quite a main lobe
    assert float(tuning[0]) == pytest.approx(
        librosa.estimate_tuning(y=audio, sr=RATE, bins_per_octave=36), abs=1e-6
    )


@pytest.mark.parametrize("note", range(12))
def test_a_tone_lights_its_pitch_class(note):
    frames = chroma(tones(librosa.note_to_hz([PITCH_CLASSES[note] + "4"]), seconds=1.0))[5:-5]
    np.testing.assert_array_equal(frames[:, note], 1.0)
    assert np.delete(frames, note, axis=1).max() < 0.2


def test_octaves_coincide():
    steady = [
        chroma(tones(librosa.note_to_hz([f"A{octave}"])))[20:-20].mean(axis=0) for octave in range(2, 8)
    ]
    np.testing.assert_allclose(steady, np.broadcast_to(steady[0], (6, 12)), atol=0.02)


def test_detuned_tone_keeps_its_pitch_class():
    frames = chroma(tones([2 ** (30 / 1200) * 440.0]))[20:-20]
    assert (frames.argmax(axis=1) == PITCH_CLASSES.index("A")).all()


def test_silence_is_zero():
    np.testing.assert_array_equal(chroma(np.zeros(RATE, np.float32)), 0.0)


def test_loudness_does_not_matter(song):
    np.testing.assert_allclose(chroma(1e-4 * song), chroma(song), atol=1e-3)


@pytest.mark.parametrize("samples", [1, 2, 511, 512, 513, 3000])
def test_short_clips(song, samples):
    frames = chroma(song[20000 : 20000 + samples])
    assert frames.shape == (1 + samples // 512, 12)
    assert np.isfinite(frames).all()
    assert frames.min() >= 0
    assert frames.max() <= 1


def test_each_clip_is_as_if_alone(song):
    lengths = np.array([len(song), 30001, 700, 0], np.int32)
    batch = np.stack([song] * 4)
    for clip, length in zip(batch, lengths, strict=True):
        clip[length:] = np.nan
    together = np.asarray(ChromaCQT()([batch, lengths]))
    for clip, length in zip(together[:3], lengths, strict=False):
        alone = chroma(song[:length])
        np.testing.assert_allclose(clip[: len(alone)], alone, atol=1e-4)
        np.testing.assert_array_equal(clip[len(alone) :], 0.0)
    np.testing.assert_array_equal(together[3, 1:], 0.0)


def test_in_a_pipeline_of_clips_of_any_length(song):
    layer = ChromaCQT()
    lengths = tf.data.Dataset.from_tensor_slices([[30000], [1]])
    outputs = list(lengths.map(lambda length: layer([tf.constant(song)[tf.newaxis, : length[0]], length])))
    for output, length in zip(outputs, (30000, 1), strict=True):
        np.testing.assert_allclose(output[0], chroma(song[:length]), atol=1e-5)


@pytest.mark.slow
def test_served_by_a_session_with_stock_ops_alone(song, tmp_path):
    audio, lengths = keras.Input((None,), name="audio"), keras.Input((), dtype="int32", name="lengths")
    keras.Model([audio, lengths], ChromaCQT()([audio, lengths])).export(tmp_path / "model", verbose=False)
    batch, counts = np.stack([song, song]), np.array([len(song), 30000], np.int32)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "model"))
        signature = loaded.signature_def["serving_default"]
        feed = {signature.inputs["audio"].name: batch, signature.inputs["lengths"].name: counts}
        (answer,) = session.run([output.name for output in signature.outputs.values()], feed)
        functions = [
            node.op for function in graph.as_graph_def().library.function for node in function.node_def
        ]
    np.testing.assert_allclose(answer, ChromaCQT()([batch, counts]), atol=1e-4)
    assert not {op for op in functions if "PyFunc" in op or "Xla" in op}


@pytest.mark.parametrize("settings", [{"sample_rate": 8000}, {"hop_length": 0}, {"n_chroma": 10}])
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ChromaCQT(**settings)
