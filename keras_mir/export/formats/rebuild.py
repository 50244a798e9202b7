"""A trained model built anew for where it will run."""

from __future__ import annotations

from typing import Any

import keras

from keras_mir.export.formats.looped_lstm import LoopedLSTM
from keras_mir.layers import BidirectionalLSTM


def for_serving(model: keras.Model) -> keras.Model:
    """The same model in float32 and without cuDNN, as TF Serving's CPU binary can run it."""
    return _rebuilt(model, {})


def for_converting(model: keras.Model) -> keras.Model:
    """The same model in float32, of operations that other runtimes have."""
    return _rebuilt(model, {BidirectionalLSTM: LoopedLSTM})


def _rebuilt(model: keras.Model, instead: dict[type, Any]) -> keras.Model:
    def again(layer: Any) -> Any:
        config = layer.get_config()
        # Between layers of different precision Keras has cast operations, which are no layers.
        dtype = layer.compute_dtype if isinstance(layer, keras.layers.Layer) else config.get("dtype")
        if dtype in ("float16", "bfloat16"):
            config["dtype"] = "float32"
        if isinstance(layer, BidirectionalLSTM):
            config["use_cudnn"] = False
        return instead.get(type(layer), type(layer)).from_config(config)

    rebuilt = keras.models.clone_model(model, clone_function=again)
    rebuilt.set_weights(model.get_weights())
    return rebuilt
