"""Pictures of a clip's features: mel, chroma and beats, or vectors. See `pipelines.figures`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.figures import NEUTRAL, new_figure
from pipelines.spec import FeatureSpec

PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_MEL_TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)  # Hz; an octave apart


def spectrogram(
    features: np.ndarray,
    spec: FeatureSpec,
    *,
    beats: np.ndarray | None = None,
    synced: bool = False,
    frames: int | None = None,
    title: str = "",
) -> Figure:
    """A clip's mel spectrogram, chromagram, or both.

    Args:
        features: `(bands, time)`: mel in dB, chroma, or mel then chroma.
        spec: What they were made with.
        beats: int `(n,)` beat frames. They are marked in a spectrogram of frames, and place
            the steps of a beat-synchronous one in time.
        synced: Whether the columns are beat-synchronous. Without `beats` the time axis then
            counts steps.
        frames: Length of the clip, where the last step of a beat-synchronous spectrogram ends;
            by default that step is as long as the one before.
        title: Title of the figure.

    Raises:
        ValueError: If the number of bands is not that of `spec`, or the steps do not fit the beats.
    """
    edges, label = column_edges(features.shape[1], spec, beats if synced else None, synced, frames)
    rows = len(features)
    if rows not in (spec.n_mels, spec.n_chroma, spec.n_bands):
        known = f"{spec.n_mels} (mel), {spec.n_chroma} (chroma) or {spec.n_bands}"
        raise ValueError(f"{rows} bands; expected {known}")
    mel, chroma = np.split(features, [0 if rows == spec.n_chroma else spec.n_mels])
    heights = [3.0] * bool(len(mel)) + [1.6] * bool(len(chroma))
    figure = new_figure(8.0, sum(heights) + 0.8)
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    if len(mel):
        draw_mel(panels[0], mel, edges, spec)
    if len(chroma):
        draw_chroma(panels[-1], chroma, edges, spec)
    if beats is not None and not synced:
        mark_beats(panels[0], beats, spec)
    panels[-1].set_xlabel(label)
    figure.align_ylabels()
    if title:
        figure.suptitle(title)
    return figure


def vectors(values: np.ndarray, title: str = "") -> Figure:
    """A clip's vectors, one above the other as its time goes on.

    Args:
        values: `(size, vectors)`.
        title: Title of the figure.
    """
    figure = new_figure(8.0, 3.8)
    axes = figure.subplots()
    largest = np.abs(values).max(initial=0.0) or 1.0
    image = axes.imshow(
        values.T, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-largest, vmax=largest
    )
    figure.colorbar(image, ax=axes)
    axes.set(xlabel="number of the vector", ylabel="vector")
    if title:
        figure.suptitle(title)
    return figure


def draw_mel(axes: Axes, mel: np.ndarray, edges: np.ndarray, spec: FeatureSpec) -> None:
    """Draw mel bands `(n_mels, time)` in dB, with their scale, between column edges `(time + 1,)`."""
    _draw_bands(axes, mel, edges, "magma", (-spec.top_db, 0.0), "dB")
    hertz = [f for f in _MEL_TICKS if 0 <= mel_row(f, spec) <= spec.n_mels - 1]
    axes.set_yticks([mel_row(f, spec) for f in hertz], [str(f) for f in hertz])
    axes.set_ylabel("frequency (Hz, mel)")


def draw_chroma(axes: Axes, chroma: np.ndarray, edges: np.ndarray, spec: FeatureSpec) -> None:
    """Draw pitch classes `(n_chroma, time)`, as `draw_mel` does."""
    _draw_bands(axes, chroma, edges, "cividis", (0.0, 1.0), "energy")
    per_class, rest = divmod(spec.n_chroma, len(PITCH_CLASSES))
    if per_class and not rest:
        axes.set_yticks(range(0, spec.n_chroma, per_class), PITCH_CLASSES, fontsize=8)
    axes.set_ylabel("pitch class")


def mark_beats(axes: Axes, beats: np.ndarray, spec: FeatureSpec) -> None:
    """Mark beat frames `(n,)` above a spectrogram: lines through it would hide what they point at."""
    above = axes.get_xaxis_transform()
    axes.vlines(np.asarray(beats) / spec.frame_rate, 1.01, 1.05, NEUTRAL, transform=above, clip_on=False)
    axes.text(0, 1.06, "beats", transform=axes.transAxes, fontsize="small")


def mel_row(hertz: float, spec: FeatureSpec) -> float:
    """Where a frequency lies among the rows of a mel spectrogram: row r is centred on band r.

    The bands' centres are equally spaced on Slaney's mel scale ("Auditory Toolbox", 1998), librosa's
    default, with the first and last band's outer edges at 0 Hz and at half the sampling rate.
    """
    spacing = _hertz_to_mel(spec.sample_rate / 2) / (spec.n_mels + 1)
    return _hertz_to_mel(hertz) / spacing - 1


def _hertz_to_mel(hertz: float) -> float:
    linear = 3 * hertz / 200  # 15 mel at 1 kHz; above it, 27 mel for a factor of 6.4
    return linear if hertz < 1000 else float(15 + 27 * np.log(hertz / 1000) / np.log(6.4))


def column_edges(
    columns: int, spec: FeatureSpec, beats: np.ndarray | None, synced: bool, frames: int | None
) -> tuple[np.ndarray, str]:
    """Where columns begin and end, `(columns + 1,)`, and the label of that axis; see `spectrogram`."""
    if not synced:
        return np.arange(columns + 1) / spec.frame_rate, "time (s)"
    if beats is None:
        return np.arange(columns + 1), "step (one beat each)"
    starts = np.union1d([0], beats)  # what comes before the first beat is a step too
    end = frames or starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)
    if len(starts) != columns:
        raise ValueError(f"{columns} steps do not fit {len(starts) - 1} beats after the start")
    return np.append(starts, end) / spec.frame_rate, "time (s)"


def _draw_bands(
    axes: Axes, bands: np.ndarray, edges: np.ndarray, colours: str, limits: tuple[float, float], label: str
) -> None:
    rows = np.arange(len(bands) + 1) - 0.5  # so that row r is centred on r
    # Rasterised: a path for each of 165,000 cells would make a PDF of tens of megabytes.
    image = axes.pcolormesh(
        edges, rows, bands, cmap=colours, vmin=limits[0], vmax=limits[1], shading="flat", rasterized=True
    )
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.01)
