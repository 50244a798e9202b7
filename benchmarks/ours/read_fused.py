"""The pipeline's first step: gzip and .npy decoded by TensorFlow ops."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.inputs import Inputs, forget
from benchmarks.row import Results


class Reading:
    """A data set of spectrograms `(time, bands)` float32, running, as the rival's processes are."""

    def __init__(self, inputs: Inputs, clips: int) -> None:
        import tensorflow as tf

        from pipelines.input.steps import ReadFused
        from pipelines.spec import FeatureSpec

        self._paths = inputs.fused_files(clips)
        read = ReadFused((FeatureSpec().n_bands,), FeatureSpec())
        self._dataset = (
            tf.data.Dataset.from_tensor_slices([str(path) for path in self._paths])
            .repeat()
            .map(lambda path: read({"path": path})["features"], tf.data.AUTOTUNE)
        )
        self._stream = iter(self._dataset)
        self.run()

    def run(self) -> float:
        """Read all files, which the system has to fetch anew.

        It starts with as many read ahead, one a core, as it leaves read ahead.
        """
        forget(self._paths)
        start = perf_counter()
        for _ in self._paths:
            next(self._stream)
        return perf_counter() - start

    def result(self) -> Results:
        """All arrays."""
        return {
            f"{index:03d}": np.asarray(array)
            for index, array in enumerate(self._dataset.take(len(self._paths)))
        }


def prepare(inputs: Inputs, clips: int) -> Reading:
    """Build the data set."""
    return Reading(inputs, clips)
