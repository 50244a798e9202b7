"""A recipe's training steps, on batches from its input pipeline or on the same batches from memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Literal

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import Results


class Epochs:
    """Epochs of training, one after another; a batch's shape differs from epoch to epoch."""

    def __init__(
        self,
        inputs: Inputs,
        recipe: str,
        batches_from: Literal["pipeline", "memory"],
        epochs: int,
        rounds: int,
    ) -> None:
        from keras_mir.data.load import TRAIN, load_data
        from keras_mir.fit.model import compile_model, new_model
        from keras_mir.fit.training import set_up
        from keras_mir.recipes.named import named_recipe
        from pipelines.datasets.load import load_examples
        from pipelines.input.build import training_batches

        settings = named_recipe(recipe)
        synced = settings.input.sync == "beat"
        data = load_data(
            load_examples(inputs.features(), "genre", prefer_synced=synced), settings, inputs.folder / "cache"
        )
        set_up(0, settings.train.mixed_precision)
        self._model = new_model(settings, data)
        every_epoch = range(1 + epochs * (1 + rounds))  # the first is compared, the next round warms up
        dataset, self._steps = training_batches(
            data.sources[TRAIN], settings.train.batch_size, 0, every_epoch, settings.augment
        )
        compile_model(self._model, settings, data, soft=False, steps=len(every_epoch) * self._steps)
        self._stream = iter(dataset if batches_from == "pipeline" else list(dataset))
        self._epochs = epochs

    def run(self) -> None:
        """Train for so many epochs."""
        for _ in self._losses(self._epochs):
            pass

    def result(self) -> Results:
        """The losses of the first epoch; to be asked for before any other."""
        return {"losses": np.array(list(self._losses(1)))}

    def _losses(self, epochs: int) -> Iterable[float]:
        for inputs, labels, *_ in islice(self._stream, epochs * self._steps):
            losses: list[float] | float = self._model.train_on_batch(inputs, labels)
            yield float(losses[0] if isinstance(losses, list) else losses)


def prepare(
    inputs: Inputs, recipe: str, batches_from: Literal["pipeline", "memory"], epochs: int, rounds: int
) -> Epochs:
    """Fill the cache and build the model."""
    return Epochs(inputs, recipe, batches_from, epochs, rounds)
