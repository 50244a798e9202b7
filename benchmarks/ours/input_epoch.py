"""Epochs of training input: shuffled, batched, prefetched."""

from __future__ import annotations

from itertools import islice
from time import perf_counter
from typing import Literal

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import Results

EPOCHS = 10_000  # more than will be run


class Epochs:
    """Epoch after epoch of one data set."""

    def __init__(self, inputs: Inputs, sync: Literal["none", "beat"], batch_size: int, epochs: int) -> None:
        from pipelines.datasets.load import load_examples
        from pipelines.input.build import training_batches
        from pipelines.input.cache import cache_examples
        from pipelines.settings import InputSettings
        from pipelines.source import Source

        settings = InputSettings(feature="fused", sync=sync, padding="zero", bucket=False)
        examples = load_examples(inputs.features(), "genre", prefer_synced=sync == "beat")
        cached = cache_examples(examples, settings, inputs.folder / "cache")
        labels = {"genre": np.zeros(len(cached.paths), np.int32)}
        source = Source(cached, labels, None, settings, None, examples.spec)
        dataset, self._batches = training_batches(source, batch_size, 0, range(EPOCHS))
        self._epochs = epochs
        self._stream = iter(dataset)

    def run(self) -> float:
        """Go through so many epochs on end; the seconds of one."""
        start = perf_counter()
        for _ in islice(self._stream, self._epochs * self._batches):
            pass
        return (perf_counter() - start) / self._epochs

    def result(self) -> Results:
        """Length and sum of every example, in the order of the sums."""
        lengths, sums = [], []
        for inputs, _ in islice(self._stream, self._batches):
            lengths += inputs["lengths"].numpy().tolist()
            sums += inputs["features"].numpy().sum(axis=(1, 2), dtype=np.float64).tolist()
        order = np.argsort(sums)
        return {"lengths": np.array(lengths)[order], "sums": np.array(sums)[order]}


def prepare(inputs: Inputs, sync: Literal["none", "beat"], batch_size: int, epochs: int) -> Epochs:
    """Fill the cache and build the data set."""
    return Epochs(inputs, sync, batch_size, epochs)
