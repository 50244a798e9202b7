"""An epoch of a recipe's training steps, on batches from its input pipeline or from memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import Results

EPOCHS = 1000  # more than will be run


class Epochs:
    """Epoch after epoch of training."""

    def __init__(self, inputs: Inputs, recipe: str, batches_from: Literal["pipeline", "memory"]) -> None:
        from keras_mir.data import TRAIN, load_data
        from keras_mir.named_recipes import named_recipe
        from keras_mir.recipe_model import compile_model, new_model
        from keras_mir.training import set_up
        from pipelines.build import training_batches
        from pipelines.datasets.load import load_examples

        settings = named_recipe(recipe)
        synced = settings.input.sync == "beat"
        data = load_data(
            load_examples(inputs.features(), "genre", prefer_synced=synced), settings, inputs.folder / "cache"
        )
        set_up(0, settings.train.mixed_precision)
        self._model = new_model(settings, data)
        compile_model(self._model, settings, data, soft=False)
        dataset, self._steps = training_batches(
            data.sources[TRAIN], settings.train.batch_size, 0, range(EPOCHS), settings.augment
        )
        self._stream = iter(dataset)
        self._kept = list(islice(self._stream, self._steps)) if batches_from == "memory" else None

    def run(self) -> None:
        """Train for an epoch."""
        for _ in self._losses():
            pass

    def result(self) -> Results:
        """The losses of the first epoch; to be asked for before any other."""
        return {"losses": np.array(list(self._losses()))}

    def _losses(self) -> Iterable[float]:
        batches: Any = self._kept if self._kept is not None else islice(self._stream, self._steps)
        for inputs, labels, *_ in batches:
            losses: list[float] | float = self._model.train_on_batch(inputs, labels)
            yield float(losses[0] if isinstance(losses, list) else losses)


def prepare(inputs: Inputs, recipe: str, batches_from: Literal["pipeline", "memory"]) -> Epochs:
    """Fill the cache and build the model."""
    return Epochs(inputs, recipe, batches_from)
