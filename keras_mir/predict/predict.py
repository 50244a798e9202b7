"""A trained model, made ready to be asked about songs."""

from __future__ import annotations

from keras_mir.models.servable import ServableModel
from keras_mir.predict.predictor import Predictor


def predict(model: ServableModel) -> Predictor:
    """What answers for a model: an exported one as it is served, any other in Keras."""
    return Predictor(model.exported or model)
