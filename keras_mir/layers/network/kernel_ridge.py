"""A regression that was fitted in closed form, as a layer."""

from typing import Any, ClassVar

import keras
from keras import ops

from keras_mir.layers.base import Axes, BaseLayer, Shape, Size


@keras.saving.register_keras_serializable("keras_mir")
class KernelRidge(BaseLayer):
    """Kernel ridge regression with a Gaussian kernel.

    It gives `intercept + sum_i coefficients_i exp(-gamma |x - point_i|^2)`: what scikit-learn's
    `KernelRidge(kernel="rbf")` does, whose `X_fit_` and `dual_coef_` are its weights, and an intercept.
    See K. Murphy, "Machine Learning: A Probabilistic Perspective" (2012), 14.4.3. Training leaves the
    weights as they are; far from all points it gives the intercept.

    Call arguments:
        inputs: `(batch, ..., size)`.

    Returns:
        `(batch, ..., outputs)`.

    Args:
        points: How many points it was fitted to.
        outputs: How many values it gives.
        gamma: Of the kernel, one over a squared distance.

    Raises:
        ValueError: If one of them is not above 0.
    """

    takes: ClassVar[dict[str, Axes]] = {"features": ("batch", "...")}

    def __init__(self, points: int, outputs: int = 1, gamma: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min(points, outputs, gamma) <= 0:
            raise ValueError(f"points {points}, outputs {outputs}, gamma {gamma}: give numbers above 0")
        self.points = points
        self.outputs = outputs
        self.gamma = gamma

    def build(self, input_shape: Any) -> None:
        def weight(name: str, initial: str, *shape: Size) -> Any:
            return self.add_weight(
                shape=shape, initializer=initial, name=name, trainable=False, autocast=False
            )

        size = self.first_shape(input_shape)[-1]
        self.support = weight("support", "glorot_uniform", self.points, size)
        self.coefficients = weight("coefficients", "glorot_uniform", self.points, self.outputs)
        self.intercept = weight("intercept", "zeros", self.outputs)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(self.named(inputs)["features"], "float32")  # squares leave the range of float16
        squares = ops.sum(ops.square(x), axis=-1, keepdims=True) + ops.sum(ops.square(self.support), axis=-1)
        distances = squares - 2.0 * ops.matmul(x, ops.transpose(self.support))
        kernel = ops.exp(-self.gamma * ops.maximum(distances, 0.0))  # (batch, ..., points)
        return ops.cast(ops.matmul(kernel, self.coefficients) + self.intercept, self.compute_dtype)

    def _shapes(self, *shape: Size) -> Shape:
        return (*shape[:-1], self.outputs)
