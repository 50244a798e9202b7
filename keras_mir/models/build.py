"""Settings to a Keras model, with fresh weights or on what a trained one has learnt."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_mir.layers import InputPooling, PooledLengths
from keras_mir.models.heads import add_heads
from keras_mir.models.outputs import GENRE
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError
from pipelines.spec import Spec


def build_model(
    settings: ModelSettings,
    *,
    bands: int,
    time: int | None,
    classes: Sequence[str] | None,
    targets: Sequence[str],
    tags: Sequence[str] = (),
    spec: Spec,
    feature: str,
    band_mean: Sequence[float] | np.ndarray | None = None,
    band_variance: Sequence[float] | np.ndarray | None = None,
    label_means: Mapping[str, Any] | None = None,
    use_cudnn: Literal["auto", False] = "auto",
) -> keras.Model:
    """Build a model with fresh weights; `keras.utils.set_random_seed` makes them repeatable.

    Args:
        settings: The architecture.
        bands: Width of the features.
        time: Number of frames of every batch, or None for any.
        classes: Genre names in index order, or None for a model without that head.
        targets: Affect targets, or empty.
        tags: In index order, or empty.
        spec: What the features were made with.
        feature: Which of its bands the model sees.
        band_mean: `(bands,)` mean over the training frames, for `normalise = "bands"`.
        band_variance: `(bands,)` variance over the training frames, likewise.
        label_means: As in `add_heads`.
        use_cudnn: False keeps cuDNN out of the graph; build so for export from a GPU.

    Returns:
        A model from `{"features": (batch, time, bands) float32, "lengths": (batch,) int32}`
        to `{"genre": (batch, n_classes), "tags": (batch, n_tags), <target>: (batch, 1), ...}`, all
        float32, as far as it has these heads.

    Raises:
        UserError: If the input is too small for the model, or its outputs cannot be had.
    """
    if bands != spec.width(feature):
        raise UserError(
            f"features have {bands} bands, but {feature} has {spec.width(feature)} in the feature spec"
        )
    architecture = settings.architecture
    architecture.check(settings, "batch" if time is None else time, bands)
    features = keras.Input((time, bands), dtype="float32", name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    x = features
    if settings.normalise == "bands":
        if band_mean is None or band_variance is None:
            raise UserError(
                "model setting normalise = 'bands' needs the training data's band means and variances"
            )
        # In float32 whatever the policy: at -80 dB, float16 has a step of 1/16 dB.
        x = keras.layers.Normalization(
            mean=np.asarray(band_mean, np.float32),
            variance=np.maximum(band_variance, spec.smallest_deviation(feature) ** 2).astype(np.float32),
            dtype="float32",
            name="band_statistics",
        )(features)
    x, read_lengths = _pooled(x, lengths, settings, spec, feature)
    embedding = pkgutil.resolve_name(architecture.embedding)(x, read_lengths, settings, use_cudnn=use_cudnn)
    outputs = add_heads(
        embedding, settings, classes=classes, targets=targets, tags=tags, label_means=label_means
    )
    return keras.Model(
        {"features": features, "lengths": lengths}, outputs, name=settings.kind.replace("-", "_")
    )


def _pooled(x: Any, lengths: Any, settings: ModelSettings, spec: Spec, feature: str) -> tuple[Any, Any]:
    """Features and lengths after `input_pool`; bands of chroma, or of vectors, are no neighbours."""
    frames, bands = settings.input_pool
    if (frames, bands) == (1, 1):
        return x, lengths
    mel = sum(lowest < 0 for lowest in spec.lowest(feature))
    pooling = InputPooling(frames, bands, mel, name="input_pooling")
    return pooling([x, lengths]), PooledLengths(frames, name="input_lengths")(lengths)


def with_auxiliary_genre(model: keras.Model, settings: ModelSettings, classes: Sequence[str]) -> keras.Model:
    """An affect model that learns the genre, too, from the layer its own heads stand on.

    Args:
        model: The affect model.
        settings: Its own.
        classes: The genres.

    Returns:
        A model with one more output, `genre` `(batch, n_classes)`; `keras.Model(it.input, own outputs)`
        undoes it.
    """
    below = model.get_layer("hidden_dropout" if settings.hidden else "dropout").output
    genre = keras.layers.Dense(len(classes), activation="softmax", dtype="float32", name=GENRE)(below)
    return keras.Model(model.input, {**model.output, GENRE: genre}, name=model.name)


def with_frozen_backbone(
    saved: keras.Model,
    settings: ModelSettings,
    *,
    classes: Sequence[str] | None,
    targets: Sequence[str],
    tags: Sequence[str] = (),
    label_means: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Cut a model at its embedding, freeze what is before, and put new heads after.

    The frozen part runs in inference mode during training too: batch normalisation uses its
    saved averages and nothing is dropped.

    Args:
        saved: A model with a layer named `embedding`. Its layers are taken over, not
            copied, and end up frozen.
        settings: Its `dropout`, `hidden`, `l2` and `head` count for the new heads.
        classes: Genre names in index order, or None for no such head.
        targets: Affect targets, or empty.
        tags: In index order, or empty.
        label_means: As in `add_heads`.

    Returns:
        A model with the inputs of `saved` and the new outputs; it has an `embedding` itself.

    Raises:
        UserError: If `saved` has no such layer, or the outputs cannot be had.
    """
    if "embedding" not in [layer.name for layer in saved.layers]:
        raise UserError(
            f"model {saved.name!r} has no layer named 'embedding' to build on; train one with this package"
        )
    embedding = saved.get_layer("embedding").output
    for layer in keras.Model(saved.input, embedding).layers:
        layer.trainable = False
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # a frozen layer would go on dropping
    outputs = add_heads(
        embedding, settings, classes=classes, targets=targets, tags=tags, label_means=label_means
    )
    return keras.Model(saved.input, outputs, name=f"{saved.name}_transfer")
