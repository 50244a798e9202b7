"""The pipeline's own steps: read, track, synchronise, in all cores."""

from __future__ import annotations

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import Results


class BeatSyncing:
    """A data set of beat-synchronous spectrograms, running, as the rival's processes are."""

    def __init__(self, inputs: Inputs, clips: int) -> None:
        import tensorflow as tf

        from pipelines.input.steps import BeatSync, ReadFused, fuse
        from pipelines.spec import FeatureSpec

        spec = FeatureSpec()
        paths = [str(path) for path in inputs.spectrograms(clips)]
        self._clips = len(paths)  # fewer, if the music has fewer
        run = fuse([ReadFused((spec.n_bands,), spec), BeatSync(spec)])
        self._dataset = (
            tf.data.Dataset.from_tensor_slices(paths)
            .repeat()
            .map(lambda path: run({"path": path, "beats": ""})["features"], tf.data.AUTOTUNE)
        )
        self._stream = iter(self._dataset)
        self.run()

    def run(self) -> None:
        """Go through all clips. It starts with as many in work, one a core, as it leaves in work."""
        for _ in range(self._clips):
            next(self._stream)

    def result(self) -> Results:
        """`(steps, bands)` of every clip."""
        return {f"{i:03d}": np.asarray(value) for i, value in enumerate(self._dataset.take(self._clips))}


def prepare(inputs: Inputs, clips: int) -> BeatSyncing:
    """Build the data set."""
    return BeatSyncing(inputs, clips)
