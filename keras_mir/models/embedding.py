"""A model up to what it makes of a clip before it decides: vectors, and which model they are of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_mir.models.outputs import EMBEDDING

if TYPE_CHECKING:
    import keras

    from keras_mir.models.audio_model import AudioModel


@dataclass(frozen=True)
class Maker:
    """The model that vectors are of.

    Attributes:
        model: Where `load` finds it: a name, NAME/VERSION, or a folder.
        fingerprint: SHA-256 of its features and weights: the same only of models that make the same vectors.
        features: What it makes of sound before the network has it.
        note: What to know of it; mostly empty.
    """

    model: str
    fingerprint: str
    features: dict[str, Any]
    note: str = ""

    def __str__(self) -> str:
        """As people read it: a name may be that of several models, one after the other."""
        return f"{self.model} ({self.fingerprint[:8]})"


def embedding_of(model: keras.Model) -> keras.Model:
    """The same model, with the output of its layer `embedding` for outputs.

    Args:
        model: A model of `keras_mir.models`.

    Returns:
        From its inputs to `{"embedding": (batch, size)}`.
    """
    import keras  # not where vectors are only read

    return keras.Model(model.input, {EMBEDDING: model.get_layer(EMBEDDING).output})


def maker_of(place: str, audio_model: AudioModel) -> Maker:
    """Which model makes vectors; a run and its exports differ by their places alone.

    Args:
        place: Where `load` finds it.
        audio_model: What makes them.
    """
    digest = hashlib.sha256(json.dumps(audio_model.features, sort_keys=True).encode())
    for network in (*audio_model.networks, audio_model.model):
        for weight in network.get_weights():
            digest.update(repr(weight.shape).encode())
            digest.update(weight.astype("<f4").tobytes())
    return Maker(place, digest.hexdigest(), audio_model.features, audio_model.note)
