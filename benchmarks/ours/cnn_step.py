"""A training step of the paper's CNN, as `python -m keras_mir.fit` builds and trains it."""

from __future__ import annotations

import numpy as np

from benchmarks.cnn_task import BANDS, CLASSES, FILTERS, FRAMES, LEARNING_RATE, POOLS, make_task
from benchmarks.inputs import Inputs
from benchmarks.keras_step import KerasStep


def prepare(inputs: Inputs, batch_size: int) -> KerasStep:
    """Build the model."""
    import tensorflow as tf

    from keras_mir.models.build import build_model
    from keras_mir.recipes.model_settings import ModelSettings
    from pipelines.spec import FeatureSpec

    tf.config.experimental.enable_op_determinism()
    task = make_task(batch_size)
    settings = ModelSettings(
        kind="cnn", filters=FILTERS, pools=POOLS, masks=False, normalise="none", dropout=0.0, l2=0.0
    )
    model = build_model(
        settings,
        bands=BANDS,
        time=FRAMES,
        classes=[str(index) for index in range(CLASSES)],
        targets=(),
        spec=FeatureSpec(),
        feature="mel",
    )
    kernels = {
        f"kernel_{block}": (model.get_layer(f"conv_{block}").kernel, kernel)
        for block, kernel in enumerate(task.kernels, start=1)
    }
    return KerasStep(
        model,
        {**kernels, "dense": (model.get_layer("logits").kernel, task.dense)},
        {"features": task.features, "lengths": np.full(batch_size, FRAMES, np.int32)},
        task.labels,
        learning_rate=LEARNING_RATE,
    )
