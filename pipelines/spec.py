"""What a feature is: one specification shared by extraction, pipelines and exported models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from pipelines.errors import UserError

Feature = Literal["mel", "chroma", "fused"]
FEATURES: tuple[Feature, ...] = ("mel", "chroma", "fused")


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

    def bands(self, feature: Feature) -> slice:
        """The band columns of `feature` in a fused array of shape `(time, n_bands)`."""
        return {
            "mel": slice(0, self.n_mels),
            "chroma": slice(self.n_mels, self.n_bands),
            "fused": slice(0, self.n_bands),
        }[feature]

    def width(self, feature: Feature) -> int:
        """Number of bands of `feature`."""
        bands = self.bands(feature)
        return int(bands.stop - bands.start)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable copy; `from_dict` undoes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """Rebuild a spec.

        Raises:
            UserError: If `values` has a key that no attribute has.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise UserError(f"feature spec: unknown key {unknown[0]!r}; it was written by another version")
        return cls(**values)
