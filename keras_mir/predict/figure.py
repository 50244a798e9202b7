"""A picture of a prediction: the song's mel spectrogram, however long it is, and the answer below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_mir.predict.prediction import Prediction, ranked
from pipelines.datasets.base import Task
from pipelines.extraction.audio_files import decode_parts
from pipelines.extraction.pictures import draw_mel, mark_beats
from pipelines.figures import NEUTRAL, TRAIN, VALIDATION, new_figure
from pipelines.spec import FeatureSpec
from pipelines.wording import path_text

_COLUMNS = 1500  # about the most of a picture
_FRAMES_AT_ONCE = 1024
_FLOOR = 1e-10  # of the power, as in librosa
_MOST_CLASSES = 12  # shown, the likeliest
_LEGEND_COLUMNS = 5
_LINES = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def mel_overview(path: Path, duration: float, spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """Decode a song a little at a time and average the power of neighbouring frames.

    Args:
        path: An audio file.
        duration: Its length in seconds.
        spec: What the spectrogram is made with.

    Returns:
        float32 `(n_mels, columns)` in dB below the loudest, and where columns begin and end, in
        seconds, `(columns + 1,)`.

    Raises:
        UserError: If the file cannot be decoded.
    """
    per_column = max(1, math.ceil(duration * spec.frame_rate / _COLUMNS))
    frames = math.ceil(_FRAMES_AT_ONCE / per_column) * per_column  # so that a part is whole columns
    pooled = []
    for samples, rate in decode_parts(path, frames / spec.frame_rate):
        audio = librosa.resample(samples.mean(axis=0), orig_sr=rate, target_sr=spec.sample_rate)
        filled = np.pad(audio, (0, max(0, spec.n_fft - len(audio))))  # librosa warns of less
        power = librosa.feature.melspectrogram(
            y=filled, sr=spec.sample_rate, n_fft=spec.n_fft, hop_length=spec.hop_length, n_mels=spec.n_mels
        ).T  # (frames, n_mels)
        power = power[: max(1, round(len(audio) / spec.hop_length))]
        starts = np.arange(0, len(power), per_column)
        counts = np.diff(np.append(starts, len(power)))[:, None]
        pooled.append(np.add.reduceat(power, starts) / counts)
    mel = 10 * np.log10(np.maximum(np.concatenate(pooled), _FLOOR)).T  # (n_mels, columns)
    edges = np.minimum(np.arange(mel.shape[1] + 1) * per_column / spec.frame_rate, duration)
    return np.maximum(mel - mel.max(), -spec.top_db).astype(np.float32), edges


def prediction_figure(
    prediction: Prediction, mel: np.ndarray, edges: np.ndarray, spec: FeatureSpec
) -> Figure:
    """The mel spectrogram with beats, and below it genres, tags or affect, over time and for the whole.

    Args:
        prediction: What to show.
        mel: float32 `(n_mels, columns)` in dB below the loudest.
        edges: float `(columns + 1,)`, where columns begin and end, in seconds.
        spec: What the spectrogram was made with.
    """
    several = len(prediction.windows) > 1
    likeliest: dict[Task, list[str]] = {
        task: [name for name, _ in ranked(values)[:_MOST_CLASSES]]
        for task, values in prediction.heads.items()
        if task != "affect"
    }
    heights = [3.0]
    for names in likeliest.values():
        heights += [0.24 * len(names) + 0.4] * (1 + several)
    heights += [2.2] * bool(prediction.affect)
    figure = new_figure(9.0, sum(heights) + 0.9)
    spectrogram, *panels = figure.subplots(len(heights), 1, height_ratios=heights)
    draw_mel(spectrogram, mel, edges, spec)
    if prediction.beat_times:
        mark_beats(spectrogram, np.array(prediction.beat_times) * spec.frame_rate, spec)
    # Where one window's values give way to the next's: where that one starts.
    edges = np.array([*(window.start for window in prediction.windows), prediction.duration])
    free, over_time = iter(panels), [spectrogram]
    for task, names in likeliest.items():
        if several:
            over_time.append(next(free))
            _draw_classes(over_time[-1], prediction, task, names, edges)
        _draw_bars(next(free), prediction, task, names)
    if prediction.affect:
        over_time.append(next(free))
        _draw_affect(over_time[-1], prediction, edges)
    for axes in over_time:
        axes.set(xlim=(0, prediction.duration), xlabel="time (s)")
    title = [
        path_text(Path(prediction.path.name)) if prediction.path else "",
        prediction.genre,
        "" if prediction.tempo is None else f"{prediction.tempo:.0f} BPM",
    ]
    figure.suptitle(" · ".join(filter(None, title)))
    return figure


def _draw_bars(axes: Axes, prediction: Prediction, task: Task, classes: Sequence[str]) -> None:
    shares = [prediction.heads[task][name] for name in classes]
    thresholds = prediction.thresholds if task == "tags" else {}
    first = prediction.given_tags if thresholds else classes[: None if task == "tags" else 1]
    bars = axes.barh(classes, shares, color=[TRAIN if name in first else NEUTRAL for name in classes])
    for row, name in enumerate(classes):
        if name in thresholds:
            axes.vlines(thresholds[name], row - 0.4, row + 0.4, VALIDATION, linestyles=":")
    axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize="small")
    axes.invert_yaxis()  # the likeliest on top
    below = ", and the threshold of each tag" if thresholds else ""
    axes.set(xlabel=f"probability{below}", xlim=(0, 1.08))
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_classes(
    axes: Axes, prediction: Prediction, task: Task, classes: Sequence[str], edges: np.ndarray
) -> None:
    shares = np.array([[window.heads[task][name] for window in prediction.windows] for name in classes])
    rows = np.arange(len(classes) + 1) - 0.5
    image = axes.pcolormesh(edges, rows, shares, cmap="cividis", vmin=0, vmax=1)
    axes.figure.colorbar(image, ax=axes, label="probability", pad=0.01)
    axes.set_yticks(range(len(classes)), classes)
    axes.invert_yaxis()


def _draw_affect(axes: Axes, prediction: Prediction, edges: np.ndarray) -> None:
    colours = (TRAIN, VALIDATION, NEUTRAL)
    for number, (target, mean) in enumerate(prediction.affect.items()):
        axes.stairs(
            [window.affect[target] for window in prediction.windows],
            edges,
            baseline=None,
            color=colours[number % len(colours)],
            linestyle=_LINES[number % len(_LINES)],
            linewidth=2,
            label=f"{target} {mean:.2f}",
        )
    axes.set_ylabel("affect")
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    # Above: beside, it would push the colour bars of the other panels away from them.
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=_LEGEND_COLUMNS, fontsize="small", frameon=False
    )
