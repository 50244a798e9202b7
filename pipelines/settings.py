"""What a user may choose about the input of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipelines.errors import ArgumentError
from pipelines.limits import MAX_FRAMES
from pipelines.spec import FEATURES, SPECTROGRAMS, Spec, VectorSpec

_MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class InputSettings:
    """From a feature file to a batch.

    Attributes:
        feature: What a model reads: `mel`, `chroma` or `fused` (mel, then chroma); vectors that a
            pretrained network makes of a clip, by its name; or `vectors` of your own.
        sync: `"none"`, or `"beat"` for one step per beat. A beat-synchronous folder is used
            as it is; otherwise beats come from the data set where it has them, and are
            tracked where it has none.
        frames: Steps of an example: a number, `"longest"` of the training data, or `"batch"`
            for the longest of each batch. Longer examples are cut, shorter ones padded; the
            answer for a longer clip is the mean over windows that cover it.
        crop: Where training examples are cut: at the `"start"`, or at `"random"`, anew in every
            epoch.
        padding: What is added at the end: `"zero"` (the paper's; in dB that is the loudest
            level) or `"floor"` (silence).
        bucket: Batch training examples of similar length together; needs `frames = "batch"`.
    """

    feature: str = field(default="mel", metadata={"choices": FEATURES})
    sync: Literal["none", "beat"] = "none"
    frames: int | Literal["batch", "longest"] = "batch"
    crop: Literal["start", "random"] = "start"
    padding: Literal["zero", "floor"] = "floor"
    bucket: bool = False

    def __post_init__(self) -> None:
        if self.feature not in FEATURES:
            raise ArgumentError("feature", self.feature, f"choose {', '.join(FEATURES)}")
        _one_of("sync", self.sync, ("none", "beat"))
        _one_of("crop", self.crop, ("start", "random"))
        _one_of("padding", self.padding, ("zero", "floor"))
        if isinstance(self.frames, str):
            _one_of("frames", self.frames, ("batch", "longest"))
        elif not 1 <= self.frames <= MAX_FRAMES:
            raise ArgumentError("frames", self.frames, f"give 1 to {MAX_FRAMES}, or batch or longest")
        if self.feature not in SPECTROGRAMS and self.sync == "beat":
            raise ArgumentError("sync", self.sync, f"{self.feature} has no beats; choose none")
        if self.bucket and self.frames != "batch":
            problem = f"examples of {self.frames} frames need no buckets; choose batch as frames"
            raise ArgumentError("bucket", None, problem)

    def file_widths(self, spec: Spec) -> tuple[int, ...]:
        """The numbers of rows a feature file may have for these settings."""
        if isinstance(spec, VectorSpec):
            return (spec.n_bands,)
        alone = {"mel": (spec.n_mels,), "chroma": (spec.n_chroma,), "fused": ()}[self.feature]
        if self.sync == "beat" and self.feature == "chroma":
            alone = ()  # beats are tracked on the mel half
        return (*alone, spec.n_bands)


@dataclass(frozen=True)
class AugmentSettings:
    """Changes made to training examples only, drawn anew in every epoch. Off by default.

    Attributes:
        freq_mask: Widest band mask of SpecAugment, in bands; 0 for none.
        time_mask: Longest time mask of SpecAugment, in steps; 0 for none.
        mixup: Parameter of the beta distribution of mixup; 0 for none.
        level: By how many dB, at most, the level of a clip is raised or lowered; 0 for none.
        shift: By how many bands, at most, mel is shifted up or down; 0 for none.
        label_smoothing: Share of a class label that is spread over all classes; 0 for none.
        augment: Further augmentations that are registered, as `name=strength`.
    """

    freq_mask: int = 0
    time_mask: int = 0
    mixup: float = 0.0
    level: float = 0.0
    shift: int = 0
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("freq_mask", "time_mask", "mixup", "level", "shift", "label_smoothing"):
            if getattr(self, name) < 0:
                raise ArgumentError(name, getattr(self, name), "give 0 for none, or a positive number")
        if self.label_smoothing >= 1:
            raise ArgumentError("label_smoothing", self.label_smoothing, "give a share below 1")
        object.__setattr__(self, "augment", tuple(self.augment))  # a recipe file gives a list
        numbers_by_name("augment", self.augment)

    def strength(self, name: str) -> float:
        """Strength of an augmentation in `augment`; 0 if it is not there."""
        return numbers_by_name("augment", self.augment).get(name, 0.0)


def check_seed(seed: int, argument: str = "seed") -> None:
    """Refuse what numpy, scikit-learn and Keras do not all take for a seed.

    Raises:
        ArgumentError: If it is negative, or needs more than 32 bits.
    """
    if not 0 <= seed <= _MOST_SEED:
        raise ArgumentError(argument, seed, f"give a number from 0 to {_MOST_SEED}")


def numbers_by_name(setting: str, texts: Sequence[str], number: str = "number") -> dict[str, float]:
    """What is written as `name=number`, or as a number of another name.

    Raises:
        ArgumentError: If one is not.
    """
    numbers = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if name in numbers:
            raise ArgumentError(setting, text, f"{name} is there twice; leave one out")
        try:
            numbers[name] = float(value)
        except ValueError:
            name = ""
        if not name or not math.isfinite(numbers[name]):
            raise ArgumentError(setting, text, f"write name={number}, such as valence=2")
    return numbers


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ArgumentError(name, value, f"choose {' or '.join(choices)}")
