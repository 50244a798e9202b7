"""Pictures of features carry the right numbers on their axes."""

import librosa
import numpy as np
import pytest

from pipelines.extraction import pictures
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
FRAMES = 1292  # 30 s


def fused(frames=FRAMES):
    rng = np.random.default_rng(0)
    return np.vstack([-80 * rng.random((128, frames)), rng.random((12, frames))]).astype(np.float32)


def tick_labels(axis):
    return dict(zip([t.get_text() for t in axis.get_ticklabels()], axis.get_ticklocs(), strict=True))


def cells(axes):
    return axes.collections[0].get_array()


def test_time_axis_is_the_clips_length_in_seconds(drawn):
    mel, chroma = drawn(pictures.spectrogram(fused(), SPEC))

    for axes in (mel, chroma):
        start, end = axes.get_xlim()
        assert start == 0
        assert end == pytest.approx(FRAMES * 512 / 22050, abs=512 / 22050)
    assert chroma.get_xlabel() == "time (s)"


@pytest.mark.parametrize(
    "spec", [SPEC, FeatureSpec(sample_rate=44100, n_mels=96), FeatureSpec(sample_rate=16000)]
)
def test_mel_rows_are_librosas_band_centres(spec):
    centres = librosa.mel_frequencies(spec.n_mels + 2, fmin=0, fmax=spec.sample_rate / 2)[1:-1]
    rows = [pictures.mel_row(hertz, spec) for hertz in centres]
    np.testing.assert_allclose(rows, np.arange(spec.n_mels), atol=1e-6)


def test_a_440_hz_tone_is_drawn_at_440_hz_and_a(drawn):
    tone = librosa.tone(440.0, sr=22050, duration=2.0)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=tone, sr=22050), ref=np.max)
    chroma = np.zeros((12, mel.shape[1]))
    chroma[9] = 1.0  # A
    mel_axes, chroma_axes = drawn(pictures.spectrogram(np.vstack([mel, chroma]), SPEC))

    brightest = int(cells(mel_axes)[:, 20].argmax())
    edges = mel_axes.collections[0].get_coordinates()[:, 0, 1]
    assert edges[brightest] < pictures.mel_row(440.0, SPEC) < edges[brightest + 1]
    low, high = mel_axes.get_ylim()
    assert low < high  # low frequencies at the bottom
    ticks = tick_labels(mel_axes.yaxis)
    assert ticks["250"] < brightest < ticks["500"]
    assert ticks["1000"] == pytest.approx(pictures.mel_row(1000, SPEC))
    assert tick_labels(chroma_axes.yaxis)["A"] == int(cells(chroma_axes)[:, 20].argmax())


def test_frequencies_above_the_highest_band_get_no_tick(drawn):
    (axes,) = drawn(pictures.spectrogram(fused(20)[:128], FeatureSpec(sample_rate=8000)))
    assert list(tick_labels(axes.yaxis)) == ["250", "500", "1000", "2000"]


@pytest.mark.parametrize(("rows", "panels"), [(slice(0, 128), 1), (slice(128, 140), 1), (slice(0, 140), 2)])
def test_mel_chroma_or_both(rows, panels, drawn):
    figure = pictures.spectrogram(fused(50)[rows], SPEC, title="clip 7")
    assert len(drawn(figure)) == panels
    assert figure.get_suptitle() == "clip 7"


def test_steps_between_beats_are_placed_in_time(drawn):
    beats = np.array([20, 43, 90])
    (axes,) = drawn(pictures.spectrogram(fused(4)[:128], SPEC, beats=beats, synced=True, frames=120))

    edges = axes.collections[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, np.array([0, 20, 43, 90, 120]) * 512 / 22050)


def test_a_beat_on_the_first_frame_starts_the_first_step(drawn):
    (axes,) = drawn(pictures.spectrogram(fused(2)[:128], SPEC, beats=np.array([0, 30]), synced=True))

    edges = axes.collections[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, np.array([0, 30, 60]) * 512 / 22050)


def test_steps_without_beats_are_counted(drawn):
    axes = drawn(pictures.spectrogram(fused(62), SPEC, synced=True))[-1]

    assert axes.get_xlim() == (0, 62)
    assert axes.get_xlabel().startswith("step")


def test_beats_mark_a_spectrogram_of_frames(drawn):
    (axes,) = drawn(pictures.spectrogram(fused()[:128], SPEC, beats=np.array([43, 86])))

    marks = [segment[0][0] for segment in axes.collections[1].get_segments()]
    np.testing.assert_allclose(marks, [43 * 512 / 22050, 86 * 512 / 22050])


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="50 bands"):
        pictures.spectrogram(np.zeros((50, 10)), SPEC)
    with pytest.raises(ValueError, match="5 steps"):
        pictures.spectrogram(fused(5), SPEC, beats=np.array([3, 6]), synced=True)
