"""What a model is built from: the architectures there are, and their settings.

A new architecture is a module with a function like those named here, and one more entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from pipelines.errors import ArgumentError, UserError
from pipelines.spec import EMBEDDINGS
from pipelines.wording import counted

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
        seconds: What a frame of 32 examples takes in training, on two cores: a guess, by which the time
            that is left is told.
        searched: Settings of its own that `fit --tune` varies; `recipes.search_space` has their ranges.
    """

    embedding: str
    summary: Callable[[ModelSettings], str]
    sentence: Callable[[ModelSettings], str]
    check: Callable[[ModelSettings, Frames, int | None], None] = lambda settings, frames, bands: None
    seconds: Callable[[ModelSettings], float] = lambda settings: 3e-3
    searched: tuple[str, ...] = ()


def _check_fixed_length(settings: ModelSettings, frames: Frames, bands: int | None) -> None:
    if frames == "batch":
        raise UserError(
            f"model kind {settings.kind!r} needs a fixed number of frames; "
            "fix the length or use cnn-any-length"
        )
    if isinstance(frames, int):
        _check_size(settings, frames, "frames", settings.input_pool[0])
    _check_bands(settings, frames, bands)


def _check_bands(settings: ModelSettings, frames: Frames, bands: int | None) -> None:
    if bands is not None:
        _check_size(settings, bands, "bands", settings.input_pool[1])


def _check_size(settings: ModelSettings, size: int, name: str, input_pool: int) -> None:
    """Refuse what pooling would leave nothing of."""
    pools = (input_pool, *settings.pools) if input_pool > 1 else settings.pools
    least = math.prod(pools)
    if size < least:
        raise UserError(
            f"model kind {settings.kind!r}: {size} {name} are too few for pools "
            f"{','.join(map(str, pools))}; give at least {least}, or smaller pools"
        )


def _check_musicnn(settings: ModelSettings, frames: Frames, bands: int | None) -> None:
    sizes = {name: size for name, size in EMBEDDINGS.items() if name.startswith(settings.kind)}
    if bands is not None and bands not in sizes.values():
        raise UserError(
            f"model kind {settings.kind!r} reads what musicnn makes; choose feature {' or '.join(sizes)}"
        )


def _lstm(settings: ModelSettings) -> str:
    layers = counted(settings.layers, "layer")
    return f"A bidirectional LSTM, {layers} of {settings.units} units in each direction,"


def _cnn(settings: ModelSettings) -> str:
    blocks = counted(len(settings.filters), "convolution block")
    return f"A CNN, {blocks} of {', '.join(map(str, settings.filters))} channels,"


def _cnn_seconds(settings: ModelSettings) -> float:
    """By the products that its convolutions take, and what every frame takes besides."""
    work, share, before = 0.0, 1.0 / math.prod(settings.input_pool), 1
    for filters, pool in zip(settings.filters, settings.pools, strict=True):
        work += share * 9 * before * filters
        share, before = share / pool**2, filters
    return 3e-4 + 2.6e-7 * work


ARCHITECTURES: dict[str, Architecture] = {
    "lstm": Architecture(
        "keras_mir.models.lstm:lstm",
        lambda s: f"BiLSTM {s.layers}x{s.units}",
        _lstm,
        seconds=lambda s: 6e-8 * s.layers * s.units**2,
        searched=("units", "layers"),
    ),
    "cnn": Architecture(
        "keras_mir.models.cnn:cnn",
        lambda _: "CNN",
        _cnn,
        _check_fixed_length,
        seconds=_cnn_seconds,
        searched=("filters",),
    ),
    "cnn-any-length": Architecture(
        "keras_mir.models.cnn:cnn_any_length",
        lambda _: "CNN, pooled",
        _cnn,
        _check_bands,
        seconds=_cnn_seconds,
        searched=("filters",),
    ),
    "vectors": Architecture(
        "keras_mir.models.vectors:vectors",
        lambda _: "vector head",
        lambda s: f"A head on statistics ({', '.join(s.statistics)}) of the vectors of a clip",
        seconds=lambda _: 5e-4,
        searched=("discriminant",),
    ),
    "musicnn": Architecture(
        "keras_mir.models.vectors:musicnn",
        lambda _: "musicnn, tuned",
        lambda _: "The pretrained network musicnn, its dense layer trained further,",
        _check_musicnn,
        seconds=lambda _: 5e-4,
    ),
}

_MOST_UNITS, _MOST_LAYERS = 2**16, 100  # more is a slip, and would build for hours before memory ends

Normalise = Literal["bands", "none"]
Head = Literal["auto", "linear", "sigmoid"]


@dataclass(frozen=True)
class ModelSettings:
    """Architecture of a model; what is not said of a kind does not concern it.

    Attributes:
        kind: `lstm` (bidirectional), `cnn` (for one fixed length), `cnn-any-length`, a head on
            `vectors`, or one on those of `musicnn` with its dense layer trained as well.
        units: LSTM units in each direction.
        layers: Number of LSTM layers.
        filters: CNN channels, block by block.
        pools: CNN pooling windows, block by block, the same over time and bands.
        input_pool: Frames, and bands of mel, that are averaged before anything else.
        statistics: What a CNN of any length, or a head on vectors, keeps of time: some of mean, max, std,
            and attention, a mean whose weights are learnt.
        hidden: Units of one more dense layer before the head; 0 for none.
        dropout: Fraction dropped between LSTM layers and before each dense layer.
        l2: Strength of the L2 penalty on kernels, 0 for none. The published paper uses
            one without stating its strength.
        normalise: Each band to mean 0 and variance 1 over the training frames (`bands`), or
            features as they are (`none`, the paper's way).
        head: Activation of the affect outputs; `sigmoid` keeps them in (0, 1), and `auto` is
            `sigmoid` where all training values are from 0 to 1, else `linear`.
        discriminant: After the training, put a linear discriminant with this shrinkage of its covariance in
            the place of the genre head, where training clips are fewer than the head has inputs and nothing
            before it is trained; the training's settings then change no answer. 0 keeps the trained head.
        masks: Leave padded frames out. False reads them as music, the paper's way.
    """

    kind: str = field(default="lstm", metadata={"choices": ARCHITECTURES})
    units: int = 64
    layers: int = 2
    filters: tuple[int, ...] = (32, 64, 128, 256)
    pools: tuple[int, ...] = (2, 2, 4, 4)
    input_pool: tuple[int, ...] = (1, 1)
    statistics: tuple[str, ...] = ("mean", "max")
    hidden: int = 0
    dropout: float = 0.5
    l2: float = 1e-4
    normalise: Normalise = "bands"
    head: Head = "auto"
    discriminant: float = 0.0
    masks: bool = True

    def __post_init__(self) -> None:
        # A recipe file gives lists.
        for name in ("filters", "pools", "input_pool", "statistics"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        rules = [
            ("kind", self.kind in ARCHITECTURES, f"choose {_listed(tuple(ARCHITECTURES))}"),
            ("normalise", self.normalise in get_args(Normalise), f"choose {_listed(get_args(Normalise))}"),
            ("head", self.head in get_args(Head), f"choose {_listed(get_args(Head))}"),
            ("units", 1 <= self.units <= _MOST_UNITS, f"give 1 to {_MOST_UNITS}"),
            ("layers", 1 <= self.layers <= _MOST_LAYERS, f"give 1 to {_MOST_LAYERS}"),
            ("filters", min(self.filters, default=0) >= 1, "give 1 or more for each block"),
            ("pools", min(self.pools, default=0) >= 1, "give 1 or more for each block"),
            (
                "pools",
                len(self.pools) == len(self.filters),
                f"give one for each of {len(self.filters)} filters",
            ),
            (
                "input_pool",
                len(self.input_pool) == 2 and min(self.input_pool) >= 1,
                "give two numbers of 1 or more, of frames and of bands",
            ),
            (
                "statistics",
                bool(self.statistics) and set(self.statistics) <= {"mean", "max", "std", "attention"},
                "give some of mean, max, std and attention",
            ),
            ("hidden", 0 <= self.hidden <= _MOST_UNITS, f"give 0 for none, or 1 to {_MOST_UNITS} units"),
            ("dropout", 0 <= self.dropout < 1, "give a value from 0 to below 1"),
            ("discriminant", 0 <= self.discriminant < 1, "give 0 for none, or a shrinkage below 1"),
            ("l2", 0 <= self.l2 < float("inf"), "give 0 for none, or a positive strength"),
        ]
        for name, valid, remedy in rules:
            if not valid:
                value = getattr(self, name)
                shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
                raise ArgumentError(name, shown, remedy)

    @property
    def architecture(self) -> Architecture:
        """What the kind is built by, and what is said of it."""
        return ARCHITECTURES[self.kind]


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
