"""Draw the pictures of README and site: `python docs/figures.py`, from the repository's root.

All sound is generated: the synthetic corpus's clip, or a tone where that shows more. `layers/NAME.png` is
what goes into the layer `NAME` beside what comes out.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from keras_mir import layers
from pipelines import figures
from pipelines.extraction import pictures
from pipelines.extraction.features import Extraction, features
from pipelines.synthetic.render import render_clip

KEPT = Path(__file__).parent / "figures"
RATE, SECONDS = 22050, 6.0
DPI = 80


@cache
def clip(genre: str = "Rock", seed: int = 3) -> np.ndarray:
    """Six seconds of the synthetic corpus, float32 `(samples,)`."""
    return np.asarray(render_clip(genre, seed, SECONDS).audio, np.float32)


@cache
def spectrum() -> np.ndarray:
    """Its STFT, `(1, frames, 1025, 2)`."""
    return np.asarray(layers.STFT()(clip()[None]))


@cache
def made() -> Extraction:
    """Its features."""
    return features(clip(), RATE)


def image(axes: Axes, values: np.ndarray, title: str, *, up: str = "", along: str = "frame") -> None:
    """Values `(time, bands)`, with time to the right."""
    axes.imshow(np.asarray(values).T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest")
    axes.set(title=title, xlabel=along, ylabel=up)


def curve(axes: Axes, values: np.ndarray, title: str, *, along: str = "second", up: str = "") -> None:
    """Samples, over seconds."""
    values = np.asarray(values)
    axes.plot(np.linspace(0, len(values) / RATE, len(values)), values, color=figures.TRAIN, linewidth=0.5)
    axes.set(title=title, xlabel=along, ylabel=up, xlim=(0, len(values) / RATE))


def bars(axes: Axes, values: np.ndarray, title: str, names: Any = None) -> None:
    """Numbers side by side."""
    values = np.asarray(values).ravel()
    axes.bar(range(len(values)), values, color=figures.TRAIN)
    axes.set(title=title)
    if names is not None:
        axes.set_xticks(range(len(values)), names)


def magnitude(values: np.ndarray) -> np.ndarray:
    """Of a spectrum with the parts of its numbers in the last axis, in dB."""
    return 20 * np.log10(np.maximum(np.hypot(values[..., 0], values[..., 1]), 1e-3))


def lengths(*frames: int) -> np.ndarray:
    return np.array(frames, np.int32)


def noise(frames: int, bands: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 1, (1, frames, bands)).astype(np.float32)


def stft(left: Axes, right: Axes) -> None:
    curve(left, clip(), "audio (samples,)")
    image(right, magnitude(spectrum()[0]), "spectrum, in dB", up="bin")


def mel_power(left: Axes, right: Axes) -> None:
    image(left, magnitude(spectrum()[0]), "spectrum, in dB", up="bin")
    image(right, np.asarray(layers.MelPower()(spectrum()))[0] ** 0.25, "power ** 0.25", up="mel band")


def decibels(left: Axes, right: Axes) -> None:
    power = np.asarray(layers.MelPower()(spectrum()))
    image(left, power[0], "power", up="mel band")
    image(right, layers.Decibels()(power)[0], "dB below the loudest", up="mel band")


def log_compression(left: Axes, right: Axes) -> None:
    power = np.asarray(layers.MelPower()(spectrum()))
    image(left, power[0], "power", up="mel band")
    image(right, layers.LogCompression()(power)[0], "log10(1 + factor * power)", up="mel band")


def log_mel(left: Axes, right: Axes) -> None:
    curve(left, clip(), "audio (samples,)")
    image(right, layers.LogMel()(clip()[None])[0], "mel in dB", up="mel band")


def chroma(left: Axes, right: Axes) -> None:
    curve(left, clip("Jazz"), "audio (samples,)")
    image(right, layers.ChromaCQT()(clip("Jazz")[None])[0], "chroma")
    right.set_yticks(range(12), pictures.PITCH_CLASSES, fontsize=7)


def percussive(left: Axes, right: Axes) -> None:
    curve(left, clip(), "audio (samples,)")
    curve(right, layers.Percussive()(spectrum())[0], "its drums")
    right.set_ylim(left.get_ylim())


def beat_tracker(left: Axes, right: Axes) -> None:
    drums = layers.Percussive()(spectrum())
    found = layers.BeatTracker()(drums)
    curve(left, drums[0], "the drums of a clip")
    right.plot(np.asarray(found["onset_envelope"][0]), color=figures.NEUTRAL, linewidth=0.8)
    for beat in np.asarray(found["beats"][0]):
        right.axvline(beat, color=figures.VALIDATION, linewidth=1, linestyle="--")
    tempo = float(found["tempo"][0])
    right.set(title=f"onset envelope and beats, {tempo:.0f} a minute", xlabel="frame")


def beat_sync(left: Axes, right: Axes) -> None:
    fused = made().fused.T[None]
    image(left, fused[0, :, :128], "mel, frame by frame", up="mel band")
    for beat in made().beats:
        left.axvline(beat, color="white", linewidth=0.6)
    synced = layers.BeatSync()([fused, made().beats[None].astype(np.int32)])["features"]
    image(right, synced[0, :, :128], "the median between beats", along="beat", up="mel band")


def front_end(left: Axes, right: Axes) -> None:
    curve(left, clip(), "audio (samples,)")
    answer = layers.FrontEnd("fused", "beat")(clip()[None])["features"][0]
    scaled = np.concatenate([np.asarray(answer[:, :128]) / 80 + 1, answer[:, 128:]], axis=1)
    image(right, scaled, 'FrontEnd("fused", "beat")', along="beat", up="128 mel, 12 chroma")


def resample(left: Axes, right: Axes) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(80) / 8000).astype(np.float32)
    answer, _ = layers.Resample(RATE)([tone[None], lengths(8000)])
    left.plot(np.arange(80) / 8, tone, ".-", color=figures.TRAIN)
    right.plot(np.arange(answer.shape[1]) / 22.05, np.asarray(answer[0]), ".-", color=figures.TRAIN)
    left.set(title="440 Hz at 8,000 samples a second", xlabel="millisecond")
    right.set(title="at 22,050", xlabel="millisecond")


def down_mix(left: Axes, right: Axes) -> None:
    stereo = np.stack([clip(), np.roll(clip(), RATE)], axis=1)
    curve(left, stereo[:, 0], "two channels")
    curve(left, stereo[:, 1] - 2, "two channels")
    left.set_yticks([0, -2], ["left", "right"])
    curve(right, layers.DownMix()(stereo[None])[0], "their mean")


def bidirectional_lstm(left: Axes, right: Axes) -> None:
    keras.utils.set_random_seed(0)
    image(left, made().beat_fused[:128].T, "a step a beat", along="beat", up="mel band")
    layer = layers.BidirectionalLSTM(16, return_sequences=True)
    image(right, layer(made().beat_fused.T[None] / 80)[0], "16 units each way", along="beat", up="unit")


def norm_relu_pool(left: Axes, right: Axes) -> None:
    values = np.random.default_rng(0).normal(0, 1, (1, 16, 16, 1)).astype(np.float32)
    image(left, values[0, :, :, 0], "(16, 16), about 0", up="band")
    answer = layers.NormReluPool(2)(values, training=False)
    image(right, answer[0, :, :, 0], "the greatest of 2 x 2, from 0 on", up="band")


def input_pooling(left: Axes, right: Axes) -> None:
    mel = np.asarray(layers.LogMel()(clip()[None]))
    image(left, mel[0], "128 bands", up="mel band")
    image(right, layers.InputPooling(4, 2, 128)(mel)[0], "means of 4 frames, 2 bands", up="band")


def time_pooling(left: Axes, right: Axes) -> None:
    values = noise(24, 8)[..., None] * np.linspace(0.2, 1, 8, dtype=np.float32)[:, None]
    image(left, values[0, :, :, 0], "8 bands", up="band")
    answer = layers.TimePooling(("mean", "max", "std"))(values)
    bars(right, answer, "mean, maximum, deviation of each band")


def attention_pooling(left: Axes, right: Axes) -> None:
    values = noise(24, 8)
    values[0, 8:12] += np.linspace(2, 0, 8, dtype=np.float32)
    image(left, values[0], "24 frames, of which 4 say much", up="band")
    layer = layers.AttentionPooling(1)
    layer.build([values.shape, (1,)])
    layer.set_weights([np.ones((8, 1)), np.full(1, -10.0), np.full(1, 8.0)])  # as if it had learnt that
    bars(right, layer(values), "the mean that heeds those most")


def kernel_ridge(left: Axes, right: Axes) -> None:
    points = np.array([-2.0, -1.0, 0.5, 2.0], np.float32)[:, None]
    x = np.linspace(-4, 4, 200, dtype=np.float32)[:, None]
    layer = layers.KernelRidge(points=4, gamma=2.0)
    layer.build(x.shape)
    coefficients = np.array([0.6, -0.8, 1.0, 0.5], np.float32)[:, None]
    left.vlines(points, 0, coefficients, color=figures.TRAIN, linewidth=3)
    left.set(title="points and their coefficients", xlabel="x")
    layer.set_weights([points, coefficients, np.zeros(1, np.float32)])
    right.plot(x, layer(x), color=figures.TRAIN)
    right.set(title="a Gaussian about each, summed", xlabel="x")
    for axes in (left, right):
        axes.axhline(0, color=figures.NEUTRAL)
        axes.set(xlim=(-4, 4), ylim=(-1, 1.2))


def frame_mask(left: Axes, right: Axes) -> None:
    batch = np.concatenate([noise(20, 6, seed) for seed in range(3)])
    image(left, batch.reshape(3, 20, 6)[:, :, 0].T, "3 clips of 20, 13 and 7 frames")
    image(right, np.asarray(layers.FrameMask()([batch, lengths(20, 13, 7)])).T, "true for music")
    for axes in (left, right):
        axes.set_yticks(range(3), ("clip 1", "clip 2", "clip 3"))


def length_mask(left: Axes, right: Axes) -> None:
    features = noise(20, 8)
    image(left, features[0], "20 frames, 13 of them music", up="band")
    masked = layers.LengthMask()([features, lengths(13)])
    image(right, masked[0], "the same, with a Keras mask", up="band")
    right.axvspan(12.5, 19.5, color=figures.NEUTRAL, alpha=0.8, hatch="//")


def zero_past_length(left: Axes, right: Axes) -> None:
    features = noise(20, 8)
    image(left, features[0], "20 frames, 13 of them music", up="band")
    image(right, layers.ZeroPastLength()([features, lengths(13)])[0], "0 after them", up="band")


def pad_time(left: Axes, right: Axes) -> None:
    features = noise(18, 8)
    image(left, features[0], "18 frames", up="band")
    image(right, layers.PadTime(8)(features)[0], "24, a multiple of 8", up="band")


def pooled_lengths(left: Axes, right: Axes) -> None:
    frames = lengths(40, 33, 20, 3)
    names = ("clip 1", "clip 2", "clip 3", "clip 4")
    bars(left, frames, "frames", names)
    bars(right, layers.PooledLengths(4)(frames), "after pooling by 4", names)


def resumable_dropout(left: Axes, right: Axes) -> None:
    keras.utils.set_random_seed(0)
    features = noise(20, 8)
    image(left, features[0], "features", up="band")
    image(right, layers.ResumableDropout(0.3)(features, training=True)[0], "3 in 10 dropped", up="band")


def temperature(left: Axes, right: Axes) -> None:
    logits = np.array([[3.0, 1.0, 0.0, -1.0]], np.float32)
    layer = layers.Temperature()
    names = ("Rock", "Pop", "Jazz", "Folk")
    bars(left, layer(logits), "at temperature 1", names)
    layer.set_weights([np.asarray(2.0, np.float32)])
    bars(right, layer(logits), "at temperature 2", names)
    for axes in (left, right):
        axes.set(ylim=(0, 1), ylabel="probability")


LAYERS: Mapping[str, Callable[[Axes, Axes], None]] = {
    "FrontEnd": front_end,
    "LogMel": log_mel,
    "STFT": stft,
    "MelPower": mel_power,
    "Decibels": decibels,
    "LogCompression": log_compression,
    "ChromaCQT": chroma,
    "Percussive": percussive,
    "BeatTracker": beat_tracker,
    "BeatSync": beat_sync,
    "Resample": resample,
    "DownMix": down_mix,
    "BidirectionalLSTM": bidirectional_lstm,
    "NormReluPool": norm_relu_pool,
    "InputPooling": input_pooling,
    "TimePooling": time_pooling,
    "AttentionPooling": attention_pooling,
    "KernelRidge": kernel_ridge,
    "FrameMask": frame_mask,
    "LengthMask": length_mask,
    "ZeroPastLength": zero_past_length,
    "PadTime": pad_time,
    "PooledLengths": pooled_lengths,
    "ResumableDropout": resumable_dropout,
    "Temperature": temperature,
}


def draw_layer(name: str) -> Figure:
    """What goes into a layer, and what comes out of it, side by side."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    LAYERS[name](left, right)
    return figure


def draw_clip(folder: Path) -> None:
    """One clip of the synthetic corpus, frame by frame and beat by beat."""
    rendered = render_clip("Rock", 3)
    whole = features(rendered.audio, RATE)
    title = f"synthetic rock, {rendered.tempo:.0f} beats a minute"
    picture = pictures.spectrogram(whole.fused, whole.spec, beats=whole.beats, title=title)
    figures.save(picture, folder / "clip.png")
    picture = pictures.spectrogram(
        whole.beat_fused,
        whole.spec,
        beats=whole.beats,
        synced=True,
        frames=whole.fused.shape[1],
        title="the median between beats",
    )
    figures.save(picture, folder / "clip_by_beat.png")


def main() -> None:
    """All of them but `scaling.png`, which `python -m benchmarks.scaling` measures and draws."""
    parser = argparse.ArgumentParser(description="Draw the pictures of README and site.")
    parser.add_argument("--out", type=Path, default=KEPT, metavar="FOLDER", help="where to; %(default)s")
    folder = parser.parse_args().out
    draw_clip(folder)
    (folder / "layers").mkdir(parents=True, exist_ok=True)
    for name in LAYERS:
        drawn = io.BytesIO()
        draw_layer(name).savefig(drawn, dpi=DPI)
        # Of as many colours as an eye tells apart at this size, which is a third of the bytes.
        picture = Image.open(drawn).convert("RGB").quantize(64)
        picture.save(folder / "layers" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
