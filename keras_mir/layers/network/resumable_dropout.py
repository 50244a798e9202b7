"""Dropout that continues where it stopped."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("keras_mir")
class ResumableDropout(keras.layers.Dropout):
    """Dropout whose random state is saved with the weights.

    Keras leaves a dropout layer's seed out of `.weights.h5`, so a resumed training would
    drop other units than one that was never interrupted. A mask passes on.

    Call arguments:
        inputs: A tensor of any shape.
        training: Whether to drop anything.

    Returns:
        A tensor of the same shape.

    Args:
        rate: Fraction of the inputs to drop, in [0, 1).
        **kwargs: As for `keras.layers.Dropout`.
    """

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        if self.rate > 0:
            store["seed"] = keras.ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store: Any) -> None:
        if self.rate > 0:
            self.seed_generator.state.assign(store["seed"])
