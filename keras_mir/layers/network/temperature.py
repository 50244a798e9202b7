"""From logits to probabilities that were calibrated after training."""

from typing import Any, ClassVar

import keras

from keras_mir.layers.base import Axes, BaseLayer


@keras.saving.register_keras_serializable("keras_mir")
class Temperature(BaseLayer):
    """Softmax of logits divided by a temperature.

    After Guo et al., "On Calibration of Modern Neural Networks" (2017). The temperature is a weight that
    training leaves at 1 and that is set afterwards: above 1 it makes a model less sure of itself, below 1
    surer. The likeliest class stays what it is.

    Call arguments:
        inputs: Logits `(batch, ..., classes)`.

    Returns:
        Probabilities of the same shape.
    """

    takes: ClassVar[dict[str, Axes]] = {"logits": ("batch", "...")}

    def build(self, input_shape: Any) -> None:
        self.temperature = self.add_weight(shape=(), initializer="ones", trainable=False, name="temperature")

    def call(self, inputs: Any) -> Any:
        # Keras's softmax remembers the logits, from which it computes the loss without rounding.
        return keras.activations.softmax(self.named(inputs)["logits"] / self.temperature)
