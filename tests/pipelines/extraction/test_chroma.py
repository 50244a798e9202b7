"""The chromagram and the tuning against librosa's, and against the notes that were played."""

import librosa
import numpy as np
import pytest

from pipelines.extraction.chroma import BINS_PER_OCTAVE, chroma_cqt, estimate_tuning
from pipelines.synthetic.arrange import form_band
from pipelines.synthetic.render import perform
from pipelines.synthetic.styles import STYLES

NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def music(style, seconds=5.0, rate=22050):
    rng = np.random.default_rng(7)
    return perform(form_band(STYLES[style], rng), rng, seconds, rate).audio.astype(np.float32)


@pytest.mark.parametrize("style", ["Jazz", "Metal", "Electronic"])
@pytest.mark.parametrize(("rate", "hop_length"), [(22050, 512), (44100, 512), (16000, 500), (22050, 64)])
def test_equals_librosas(style, rate, hop_length):
    audio = music(style, rate=rate)
    found = chroma_cqt(audio, rate, hop_length, 12, 0.1)
    expected = librosa.feature.chroma_cqt(y=audio, sr=rate, hop_length=hop_length, tuning=0.1)
    assert found.shape == expected.shape
    # A bin at the edge of what librosa leaves out of a filter may fall on either side of it.
    assert np.abs(found - expected).mean() < 1e-4
    assert np.abs(found - expected).max() < 5e-3


@pytest.mark.parametrize("n_chroma", [12, 36])
def test_equals_librosas_for_any_number_of_classes(n_chroma):
    audio = music("Folk")
    found = chroma_cqt(audio, 22050, 512, n_chroma, 0.0)
    np.testing.assert_allclose(
        found, librosa.feature.chroma_cqt(y=audio, sr=22050, n_chroma=n_chroma, tuning=0.0), atol=1e-4
    )


@pytest.mark.parametrize("cents", [-40, 0, 17])
@pytest.mark.parametrize("note", ["A", "C#", "F"])
def test_a_note_lights_its_class_in_any_octave_and_tuning(note, cents):
    rate = 22050
    for octave in (2, 4, 6):
        pitch = librosa.note_to_hz(f"{note}{octave}") * 2 ** (cents / 1200)
        tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(2 * rate) / rate).astype(np.float32)
        chroma = chroma_cqt(tone, rate, 512, 12, 3 * cents / 100)
        assert NOTES[int(chroma[:, 40].argmax())] == note


def test_silence_has_no_class():
    assert not chroma_cqt(np.zeros(22050, np.float32), 22050, 512, 12, 0.0).any()


@pytest.mark.parametrize("style", sorted(STYLES))
def test_tuning_equals_librosas(style):
    audio = music(style)
    spectrum = np.abs(librosa.stft(audio))
    expected = librosa.estimate_tuning(y=audio, sr=22050, bins_per_octave=BINS_PER_OCTAVE)
    assert estimate_tuning(spectrum, 22050, BINS_PER_OCTAVE) == expected


def test_tuning_of_silence_is_none():
    assert estimate_tuning(np.zeros((1025, 30), np.float32), 22050, 12) == 0.0
