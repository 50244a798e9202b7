"""From a clip to its features."""

from __future__ import annotations

import numpy as np

from benchmarks.row import DifferenceError, Results, Row, Side
from pipelines.spec import FeatureSpec

CLIPS = 8


def same_features(ours: Results, theirs: Results) -> None:
    """Identical beats, mel within 1e-3 dB, chroma within 1e-3 on average.

    Raises:
        DifferenceError: If a clip differs by more.
    """
    n_mels = FeatureSpec().n_mels
    for name, array in ours.items():
        other = theirs[name]
        if array.shape != other.shape:
            raise DifferenceError(f"{name}: shapes {array.shape} and {other.shape}")
        if name.endswith("/beats"):
            if not (array == other).all():
                raise DifferenceError(f"{name}: beats are not the same")
            continue
        mel, chroma = np.abs(array - other)[:n_mels].max(), np.abs(array - other)[n_mels:].mean()
        if mel > 1e-3 or chroma > 1e-3:
            raise DifferenceError(f"{name}: mel differs by {mel:.2g} dB, chroma by {chroma:.2g} on average")


ROWS = (
    Row(
        name="extraction, clip to fused + beat-fused file",
        rival="the reference recipe (librosa), a process a core",
        wanted=4.0,
        ours=Side("benchmarks.ours.extraction", {"clips": CLIPS}),
        theirs=(Side("benchmarks.rivals.reference_extraction", {"clips": CLIPS}),),
        check=same_features,
        rounds=7,
        inputs=lambda inputs: inputs.clips(CLIPS),
    ),
)
