"""The pipeline's first step: gzip and .npy decoded by TensorFlow ops."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.inputs import Inputs, forget
from benchmarks.row import Results


class Reading:
    """A data set of spectrograms `(time, bands)` float32."""

    def __init__(self, inputs: Inputs, clips: int) -> None:
        import tensorflow as tf

        from pipelines.spec import FeatureSpec
        from pipelines.steps import ReadFused

        self._paths = inputs.fused_files(clips)
        read = ReadFused((FeatureSpec().n_bands,))
        dataset = tf.data.Dataset.from_tensor_slices([str(path) for path in self._paths])
        self._dataset = dataset.map(lambda path: read({"path": path})["features"], tf.data.AUTOTUNE)

    def run(self) -> float:
        """Read all files, which the system has to fetch anew."""
        forget(self._paths)
        start = perf_counter()
        for _ in self._dataset:
            pass
        return perf_counter() - start

    def result(self) -> Results:
        """All arrays."""
        return {f"{index:03d}": np.asarray(array) for index, array in enumerate(self._dataset)}


def prepare(inputs: Inputs, clips: int) -> Reading:
    """Build the data set."""
    return Reading(inputs, clips)
