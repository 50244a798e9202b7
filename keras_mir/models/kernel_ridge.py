"""A network and a kernel ridge regression on feature statistics that answer together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_mir.layers import KernelRidge, TimePooling

REGRESSION = "kernel_ridge"  # the layer


def with_kernel_ridge(
    model: keras.Model, fitted: Any, ranges: Mapping[str, tuple[float, float]]
) -> keras.Model:
    """A model whose affect values are the means of a network's and of a kernel ridge regression's.

    Both err, and not alike: the network follows the music, and learns much of a few hundred clips by heart;
    the regression knows mean and deviation of each band, and no more. It was fitted to whole clips, and is
    asked about the stretches that the network is asked about.

    Args:
        model: The network, trained.
        fitted: scikit-learn's `TransformedTargetRegressor` of a `StandardScaler` and a
            `KernelRidge(kernel="rbf")`, with a `StandardScaler` of its values, fitted to means and deviations
            over time, `(clips, 2 * bands)`.
        ranges: By target, in the order of the regression's values, the least and the greatest it may give.

    Returns:
        A model with the inputs and the outputs of the network.
    """
    scaler, regression, values = fitted.regressor_[0], fitted.regressor_[-1], fitted.transformer_
    features, lengths = model.input["features"], model.input["lengths"]
    reshape = keras.layers.Reshape((-1, features.shape[2], 1), dtype="float32", name="statistics_channel")
    pooling = TimePooling(("mean", "std"), epsilon=0.0, dtype="float32", name="statistics")
    x = pooling([reshape(features), lengths])
    x = keras.layers.Normalization(
        mean=scaler.mean_, variance=scaler.scale_**2, dtype="float32", name="scaled_statistics"
    )(x)
    points, coefficients = regression.X_fit_, regression.dual_coef_.reshape(len(regression.X_fit_), -1)
    gamma = regression.gamma or 1.0 / points.shape[1]  # as scikit-learn has it where none is given
    ridge = KernelRidge(len(points), len(ranges), gamma, dtype="float32", name=REGRESSION)
    rated = ridge(x)
    ridge.set_weights([points, coefficients * values.scale_, values.mean_])
    outputs = dict(model.output)
    for column, (target, (least, greatest)) in enumerate(ranges.items()):
        rating = keras.ops.clip(rated[:, column : column + 1], least, greatest)
        mean = keras.layers.Average(dtype="float32", name=f"mean_{target}")
        outputs[target] = mean([outputs[target], rating])
    return keras.Model(model.input, outputs, name=model.name)
