"""Music genre recognition, tagging and affect regression with Keras 3 and tf.data.

    import keras_mir as km

    model = km.train("lstm-beat-mel", data="DATA", epochs=50)
    model.report.accuracy, model.history, model.keras
    model.predict("song.mp3").genre
    model.export("saved_models")
    km.similar("song.mp3", "vectors.parquet")

What is used is imported when it is used first: importing the package imports nothing heavy.
"""

import warnings
from importlib import import_module
from typing import Any

from keras_mir.command_line.name_clash import refuse_name_clash
from keras_mir.command_line.quiet import import_tensorflow_quietly
from keras_mir.command_line.when_imported import when_imported

# Where each public name is.
_PUBLIC = {
    "train": "keras_mir.fit.run",
    "cross_validate": "keras_mir.fit.cross_validation",
    "load": "keras_mir.models.trained_model",
    "TrainedModel": "keras_mir.models.trained_model",
    "Predictor": "keras_mir.predict.predictor",
    "features": "pipelines.extraction.features",
    "FeatureSpec": "pipelines.spec",
    "Recipe": "keras_mir.recipes.recipe",
    "__version__": "pipelines.version",
}
_PACKAGES = ("layers", "recipes", "similar")

__all__ = ["FeatureSpec", "Predictor", "Recipe", "TrainedModel", "__version__", "cross_validate", "features"]
__all__ += ["layers", "load", "recipes", "similar", "train"]

refuse_name_clash()
import_tensorflow_quietly()
# tqdm, which a library of librosa's imports, would say so in notebooks that have no ipywidgets.
warnings.filterwarnings("ignore", "IProgress not found")
# Keras loads models with the package's layers once these are imported; which imports Keras, so not now.
when_imported(("keras", "tensorflow"), lambda: import_module("keras_mir.layers"))


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC and name not in _PACKAGES:
        raise AttributeError(f"module 'keras_mir' has no attribute {name!r}")
    if name in _PACKAGES:
        return import_module(f"keras_mir.{name}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
