"""The tempo of any sound, for models that track no beats themselves."""

from __future__ import annotations

import keras

from keras_mir.models.audio_model import AudioModel
from keras_mir.models.outputs import EMBEDDING
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec


def tempo_tracker() -> AudioModel:
    """What tracks beats and tempo as beat-synchronous models do, and has nothing else to say."""
    spec, settings = FeatureSpec(), InputSettings("mel", sync="beat")
    inputs = {
        "features": keras.Input((None, spec.width("mel")), name="features"),
        "lengths": keras.Input((), dtype="int32", name="lengths"),
    }
    mean = keras.layers.GlobalAveragePooling1D(name=EMBEDDING)(inputs["features"])
    return AudioModel(keras.Model(inputs, {EMBEDDING: mean}), {}, settings, None, spec)
