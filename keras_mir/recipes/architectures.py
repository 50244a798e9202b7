"""The kinds of model there are.

A new one is a module with a function like those named here, and one more entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.errors import UserError

if TYPE_CHECKING:
    from keras_mir.recipes.model_settings import ModelSettings

Frames = int | Literal["batch", "longest"]  # as `InputSettings.frames`


@dataclass(frozen=True)
class Architecture:
    """How a kind of model is built, and what is said of it.

    Attributes:
        embedding: The function that builds it, as `module:function`; the module is imported only
            then. It is called with `features`, a symbolic tensor `(batch, time, bands)`, `lengths`
            `(batch,)` int32 in frames, the `ModelSettings`, and `use_cudnn`, which is `"auto"`, or
            False where cuDNN must stay out of the graph. It returns a tensor `(batch, size)`,
            made by a layer named `embedding`, on which the heads are put.
        summary: What it is in a word or two, for a table.
        sentence: What it is, as the beginning of a sentence that goes on with what it does.
        check: Refuses input that the model cannot read, by a `UserError`. It is given the settings,
            the frames of an example as `InputSettings` has them, and the number of bands, or
            None where that is not known yet.
    """

    embedding: str
    summary: Callable[[ModelSettings], str]
    sentence: Callable[[ModelSettings], str]
    check: Callable[[ModelSettings, Frames, int | None], None] = lambda settings, frames, bands: None


def _check_fixed_length(settings: ModelSettings, frames: Frames, bands: int | None) -> None:
    if frames == "batch":
        raise UserError(
            f"model kind {settings.kind!r} needs a fixed number of frames; "
            "fix the length or use cnn-any-length"
        )
    if isinstance(frames, int):
        _check_size(settings, frames, "frames")
    _check_bands(settings, frames, bands)


def _check_bands(settings: ModelSettings, frames: Frames, bands: int | None) -> None:
    if bands is not None:
        _check_size(settings, bands, "bands")


def _check_size(settings: ModelSettings, size: int, name: str) -> None:
    """Refuse what pooling would leave nothing of."""
    least = math.prod(settings.pools)
    if size < least:
        raise UserError(
            f"model kind {settings.kind!r}: {size} {name} are too few for pools "
            f"{','.join(map(str, settings.pools))}; give at least {least}, or smaller pools"
        )


def _lstm(settings: ModelSettings) -> str:
    layers = f"{settings.layers} layer{'s' * (settings.layers != 1)}"
    return f"A bidirectional LSTM, {layers} of {settings.units} units in each direction,"


def _cnn(settings: ModelSettings) -> str:
    blocks = f"{len(settings.filters)} convolution block{'s' * (len(settings.filters) != 1)}"
    return f"A CNN, {blocks} of {', '.join(map(str, settings.filters))} channels,"


ARCHITECTURES: dict[str, Architecture] = {
    "lstm": Architecture("keras_mir.models.lstm:lstm", lambda s: f"BiLSTM {s.layers}x{s.units}", _lstm),
    "cnn": Architecture("keras_mir.models.cnn:cnn", lambda _: "CNN", _cnn, _check_fixed_length),
    "cnn-any-length": Architecture(
        "keras_mir.models.cnn:cnn_any_length", lambda _: "CNN, pooled", _cnn, _check_bands
    ),
}
