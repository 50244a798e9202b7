"""From sound, or from a spectrogram of it, to a pretrained network's vectors."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.models.pretrained.front_end import (
    AUDIO,
    MEL,
    MEL_AND_LEVEL,
    ClipVectors,
    PatchVectors,
    PretrainedFrontEnd,
    embedding_spec,
    network_input,
)
from keras_mir.models.pretrained.musicnn import BANDS, PATCH
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.pretrained.rebuilt import REBUILT
from pipelines.extraction.features import features
from pipelines.spec import EMBEDDINGS, FeatureSpec
from pipelines.synthetic.render import render_clip

SPEC = FeatureSpec()


@pytest.fixture(scope="module")
def clip():
    return render_clip("Rock", 0, 7.0).audio


def as_published(audio):
    """What the network's authors give it, `(patches, 187, 96)`."""
    mel = librosa.feature.melspectrogram(y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    frames = np.log10(10000 * mel + 1).T
    return frames[: len(frames) // PATCH * PATCH].reshape(-1, PATCH, BANDS).astype(np.float32)


def test_every_network_has_a_feature_of_its_name():
    assert list(NETWORKS) == list(REBUILT) == list(EMBEDDINGS)


def test_sound_becomes_the_vectors_of_the_published_input(musicnn, clip):
    audio = librosa.resample(clip, orig_sr=22050, target_sr=16000)
    weights = NETWORKS["musicnn-mtt"].weights()
    expected = REBUILT["musicnn-mtt"].pooled_network(weights).predict_on_batch(as_published(audio))
    made = PretrainedFrontEnd(embedding_spec("musicnn-mtt", AUDIO, SPEC))(
        [audio[None], np.array([len(audio)], np.int32)]
    )
    assert made["lengths"].numpy().tolist() == [len(expected)] == [2]
    np.testing.assert_allclose(made["features"][0], expected, atol=1e-3)


def test_a_file_of_another_rate_and_two_channels_becomes_the_same(musicnn, clip):
    vectors = ClipVectors(embedding_spec("musicnn-mtt", AUDIO, SPEC))
    alone = vectors(clip, 22050)
    assert (alone.shape, alone.dtype) == ((2, 1506), np.float32)
    both = vectors(np.stack([clip, clip]), 22050)
    np.testing.assert_allclose(both, alone, atol=1e-3)
    higher = librosa.resample(clip, orig_sr=22050, target_sr=44100)
    difference = vectors(higher, 44100) - alone
    assert np.linalg.norm(difference) < 0.01 * np.linalg.norm(alone)


def test_a_clip_shorter_than_a_patch_is_repeated_and_padding_changes_nothing(musicnn):
    network = PatchVectors("musicnn-mtt")
    mel = np.random.default_rng(0).uniform(0, 3, (1, 2 * PATCH + 50, BANDS)).astype(np.float32)
    short = np.tile(mel[:, :100], (1, 2, 1))[:, :PATCH]
    lengths = np.array([PATCH, 100, 2 * PATCH + 50], np.int32)
    batch = np.concatenate([mel, mel, mel])
    made = network(batch, lengths)
    assert made["lengths"].numpy().tolist() == [1, 1, 2]
    whole = network(mel, np.array([mel.shape[1]], np.int32))["features"]
    np.testing.assert_allclose(made["features"][0, 0], whole[0, 0], atol=1e-5)
    np.testing.assert_allclose(
        made["features"][1, 0], network(short, lengths[:1])["features"][0, 0], atol=1e-5
    )
    np.testing.assert_allclose(made["features"][2], whole[0], atol=1e-5)


def test_a_spectrogram_is_read_as_the_network_would_have_heard_it(clip):
    """In bands, in time, in dynamics and, where that is known, in level."""
    audio = librosa.resample(clip, orig_sr=22050, target_sr=16000)
    direct = as_published(audio).reshape(-1, BANDS)
    power = librosa.feature.melspectrogram(y=clip, sr=22050)
    mel = (10 * np.log10(np.maximum(power / power.max(), 1e-8))).T[None].astype(np.float32)
    made, lengths = network_input(tf.constant(mel), np.array([mel.shape[1]], np.int32), SPEC)
    assert abs(int(lengths[0]) - len(audio) / 256) <= 2
    frames = min(len(direct), int(lengths[0]))
    correlation = np.corrcoef(made[0, :frames].numpy().ravel(), direct[:frames].ravel())[0, 1]
    assert correlation > 0.95
    # The same 20 dB quieter has the same spectrogram, but for its level.
    quiet = as_published(0.1 * audio).reshape(-1, BANDS)[:frames]
    level = tf.constant([10 * np.log10(power.max()) - 20], tf.float32)
    levelled, _ = network_input(tf.constant(mel), np.array([mel.shape[1]], np.int32), SPEC, level)
    near, far = (np.abs(x[0, :frames].numpy() - quiet).mean() for x in (levelled, made))
    assert near < 0.25 * far
    # A tone's loudest band is the one of its pitch, whichever front end.
    for hertz in (200.0, 1000.0, 5000.0):
        tone = librosa.tone(hertz, sr=22050, length=22050).astype(np.float32)
        power = librosa.feature.melspectrogram(y=tone, sr=22050)
        db = (10 * np.log10(np.maximum(power / power.max(), 1e-8))).T[None].astype(np.float32)
        bands, _ = network_input(tf.constant(db), np.array([db.shape[1]], np.int32), SPEC)
        wanted = as_published(librosa.tone(hertz, sr=16000, length=64000)).reshape(-1, BANDS)
        assert abs(int(bands[0, 20].numpy().argmax()) - int(wanted[60].argmax())) <= 1


@pytest.mark.parametrize("made_from", [MEL, MEL_AND_LEVEL])
def test_a_model_on_spectrograms_makes_the_same_of_sound(made_from, musicnn, clip):
    """What `fit` reads of a prepared data set, and what the exported model makes of its audio."""
    spec = embedding_spec("musicnn-mtt", made_from, SPEC)
    quiet = 0.1 * clip  # 20 dB below, which only its level tells
    made = PretrainedFrontEnd(spec)([quiet[None], np.array([len(clip)], np.int32)])
    extracted = features(quiet, 22050, beats=np.array([0]))
    mel = tf.constant(extracted.fused[:128].T[None])
    level = tf.constant([extracted.level], tf.float32) if made_from == MEL_AND_LEVEL else None
    read = network_input(mel, tf.constant([mel.shape[1]]), SPEC, level)
    expected = PatchVectors("musicnn-mtt")(*read)
    np.testing.assert_array_equal(made["lengths"], expected["lengths"])
    np.testing.assert_allclose(made["features"], expected["features"], atol=1e-2)
