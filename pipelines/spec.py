"""What a feature is: one specification shared by extraction, pipelines and exported models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from pipelines.errors import ArgumentError, UserError

SPECTROGRAMS = ("mel", "chroma", "fused")
VECTORS = "vectors"  # of the user's own
# Vectors that a pretrained network makes, and how many numbers each has.
EMBEDDINGS = {"musicnn-mtt": 1506, "musicnn-msd": 1506, "vgg-mtt": 256, "vgg-msd": 256}
FEATURES = (*SPECTROGRAMS, *EMBEDDINGS, VECTORS)

# A band that hardly changes in training must not have what little it does blown up: a clip that is
# different would reach the model as a value in the thousands.
_SMALLEST_MEL_DEVIATION = 1.0  # dB
_SMALLEST_CHROMA_DEVIATION = 0.01
_SMALLEST_VECTOR_DEVIATION = 1e-3

# Beyond these no value can be what a spec says; float16 and other people's arithmetic round a little.
# float16 holds the limits exactly, so that a model whose weights are rounded to it has the same.
_MEL_TOLERANCE = 1.0  # dB
_CHROMA_TOLERANCE = 1 / 64
_LARGEST_VECTOR_VALUE = 1e6
_LARGEST_SETTING = 1 << 24


@dataclass(frozen=True)
class FeatureSpec:
    """Parameters of a fused spectrogram: mel bands in dB, then chroma.

    A model only makes sense together with the parameters its input was made with, so this
    object is written beside prepared features and into every exported model.

    Attributes:
        sample_rate: Sampling rate of the audio, in Hz.
        n_fft: Length of the Fourier window, in samples.
        hop_length: Step between frames, in samples.
        n_mels: Number of mel bands; rows `0 .. n_mels - 1` of a fused array.
        n_chroma: Number of pitch classes; the last rows of a fused array.
        top_db: Dynamic range in dB; the loudest mel bin of a clip is 0, the floor `-top_db`.
    """

    sample_rate: int = 22050
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    n_chroma: int = 12
    top_db: float = 80.0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "hop_length", "n_mels", "n_chroma"):
            least = 0 if name in ("n_mels", "n_chroma") else 1
            _check_whole(name, getattr(self, name), least)
        if type(self.top_db) not in (int, float) or not 0 < self.top_db < math.inf:
            raise ArgumentError("top_db", self.top_db, "give a number of dB above 0")

    @property
    def n_bands(self) -> int:
        """Rows of a fused array."""
        return self.n_mels + self.n_chroma

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def half_second(self) -> int:
        """Frames of half a second, one beat at 120 BPM: the step where no beat is found."""
        return max(1, round(0.5 * self.frame_rate))

    def bands(self, feature: str) -> slice:
        """The band columns of `feature` in a fused array of shape `(time, n_bands)`."""
        return {
            "mel": slice(0, self.n_mels),
            "chroma": slice(self.n_mels, self.n_bands),
            "fused": slice(0, self.n_bands),
        }[feature]

    def width(self, feature: str) -> int:
        """Number of bands of `feature`."""
        bands = self.bands(feature)
        return int(bands.stop - bands.start)

    def lowest(self, feature: str) -> tuple[float, ...]:
        """The quietest value of every band: `-top_db` of mel, 0 of chroma."""
        return ((-self.top_db,) * self.n_mels + (0.0,) * self.n_chroma)[self.bands(feature)]

    def limits(self, n_rows: int) -> np.ndarray:
        """The least and the greatest value, `(2, n_rows)`, of each row of a file: mel, chroma, or both."""
        mel = [(math.floor(-self.top_db) - _MEL_TOLERANCE, _MEL_TOLERANCE)] * self.n_mels
        chroma = [(-_CHROMA_TOLERANCE, 1 + _CHROMA_TOLERANCE)] * self.n_chroma
        rows = {self.n_chroma: chroma, self.n_mels: mel, self.n_bands: mel + chroma}[n_rows]
        return np.array(rows, np.float32).T

    def smallest_deviation(self, feature: str) -> np.ndarray:
        """The least standard deviation, `(bands,)`, that a band is taken to have."""
        least = [_SMALLEST_MEL_DEVIATION] * self.n_mels + [_SMALLEST_CHROMA_DEVIATION] * self.n_chroma
        return np.array(least[self.bands(feature)])

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable copy; `from_dict` undoes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeatureSpec:
        """Rebuild a spec.

        Raises:
            UserError: If `values` has a key that no attribute has, or a value that none can have.
        """
        return cls(**_known(cls, values))


@dataclass(frozen=True)
class VectorSpec:
    """What vectors are, of which a clip has one or several in order.

    Attributes:
        maker: The pretrained network that made them, or `vectors` for those a user brought.
        n_bands: How many numbers each has.
        made_from: What the network was given: `audio`; `mel`, a spectrogram in dB below the clip's loudest
            bin; or `mel and level`, that bin's level besides. Empty for a user's.
        sample_rate: Sample rate of the sound that a model on these vectors takes, in Hz; 0 if it takes none.
    """

    maker: str
    n_bands: int
    made_from: str = ""
    sample_rate: int = 0

    def __post_init__(self) -> None:
        _check_whole("n_bands", self.n_bands, 1)
        _check_whole("sample_rate", self.sample_rate, 0)

    def bands(self, feature: str) -> slice:
        """All of them."""
        return slice(0, self.n_bands)

    def width(self, feature: str) -> int:
        """How many numbers a vector has."""
        return self.n_bands

    def lowest(self, feature: str) -> tuple[float, ...]:
        """What fills up where a clip has no more vectors: zeros."""
        return (0.0,) * self.n_bands

    def limits(self, n_rows: int) -> np.ndarray:
        """The least and the greatest value, `(2, n_rows)`, that a number of a vector may have."""
        return np.outer([-_LARGEST_VECTOR_VALUE, _LARGEST_VECTOR_VALUE], np.ones(n_rows)).astype(np.float32)

    def smallest_deviation(self, feature: str) -> np.ndarray:
        """The least standard deviation, `(n_bands,)`, that a number of a vector is taken to have."""
        return np.full(self.n_bands, _SMALLEST_VECTOR_DEVIATION)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable copy; `spec_from_dict` undoes it."""
        return asdict(self)


Spec = FeatureSpec | VectorSpec


def spec_from_dict(values: Mapping[str, Any]) -> Spec:
    """The spec that a `to_dict` gave.

    Raises:
        UserError: If `values` has a key that no attribute has, or a value that none can have.
    """
    return VectorSpec(**_known(VectorSpec, values)) if "maker" in values else FeatureSpec.from_dict(values)


def _check_whole(name: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value <= _LARGEST_SETTING:
        raise ArgumentError(name, value, f"give a whole number from {least} to {_LARGEST_SETTING}")


def _known(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):  # as a damaged file has it
        raise UserError(f"feature spec: {str(values)[:40]!r} is no table of settings")
    unknown = sorted(set(values) - {field.name for field in fields(kind)})
    if unknown:
        raise UserError(f"feature spec: unknown key {unknown[0]!r}; it was written by another version")
    return dict(values)
