"""Settings to a Keras model."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_mir.models.heads import add_heads
from keras_mir.recipes.architectures import ARCHITECTURES
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError
from pipelines.spec import Feature, FeatureSpec

# A band that hardly changes in training must not have what little it does blown up: a clip that is
# different would reach the model as a value in the thousands.
SMALLEST_MEL_DEVIATION = 1.0  # dB
SMALLEST_CHROMA_DEVIATION = 0.01


def build_model(
    settings: ModelSettings,
    *,
    bands: int,
    time: int | None,
    classes: Sequence[str] | None,
    targets: Sequence[str],
    spec: FeatureSpec,
    feature: Feature,
    band_mean: Sequence[float] | np.ndarray | None = None,
    band_variance: Sequence[float] | np.ndarray | None = None,
    target_means: Mapping[str, float] | None = None,
    use_cudnn: Literal["auto", False] = "auto",
) -> keras.Model:
    """Build a model with fresh weights; `keras.utils.set_random_seed` makes them repeatable.

    Args:
        settings: The architecture.
        bands: Width of the features.
        time: Number of frames of every batch, or None for any.
        classes: Genre names in index order, or None for an affect model.
        targets: Affect targets, or empty for a genre model.
        spec: What the features were made with.
        feature: Which of its bands the model sees.
        band_mean: `(bands,)` mean over the training frames, for `normalise = "bands"`.
        band_variance: `(bands,)` variance over the training frames, likewise.
        target_means: Mean training value by target, where the outputs start.
        use_cudnn: False keeps cuDNN out of the graph; build so for export from a GPU.

    Returns:
        A model from `{"features": (batch, time, bands) float32, "lengths": (batch,) int32}`
        to `{"genre": (batch, n_classes) float32}` or `{<target>: (batch, 1) float32, ...}`.

    Raises:
        UserError: If the input is too small for the model, or its outputs cannot be had.
    """
    if bands != spec.width(feature):
        raise UserError(
            f"features have {bands} bands, but {feature} has {spec.width(feature)} in the feature spec"
        )
    architecture = ARCHITECTURES[settings.kind]
    architecture.check(settings, "batch" if time is None else time, bands)
    features = keras.Input((time, bands), dtype="float32", name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    x = _normalised(features, settings, spec, feature, band_mean, band_variance)
    embedding = pkgutil.resolve_name(architecture.embedding)(x, lengths, settings, use_cudnn=use_cudnn)
    outputs = add_heads(embedding, settings, classes=classes, targets=targets, target_means=target_means)
    return keras.Model(
        {"features": features, "lengths": lengths}, outputs, name=settings.kind.replace("-", "_")
    )


def _normalised(
    features: Any,
    settings: ModelSettings,
    spec: FeatureSpec,
    feature: Feature,
    band_mean: Sequence[float] | np.ndarray | None,
    band_variance: Sequence[float] | np.ndarray | None,
) -> Any:
    if settings.normalise == "none":
        return features
    if band_mean is None or band_variance is None:
        raise UserError(
            "model setting normalise = 'bands' needs the training data's band means and variances"
        )
    # In float32 whatever the policy: at -80 dB, float16 has a step of 1/16 dB.
    mean = np.asarray(band_mean, np.float32)
    smallest = np.repeat([SMALLEST_MEL_DEVIATION, SMALLEST_CHROMA_DEVIATION], [spec.n_mels, spec.n_chroma])
    variance = np.maximum(band_variance, smallest[spec.bands(feature)] ** 2).astype(np.float32)
    return keras.layers.Normalization(mean=mean, variance=variance, dtype="float32", name="band_statistics")(
        features
    )
