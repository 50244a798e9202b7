"""A pretrained network as it is: sound in, the probabilities of its tags out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import keras
from keras import Model

from keras_mir.models.audio_model import AudioModel
from keras_mir.models.embedding import embedding_of
from keras_mir.models.folders import FORMAT
from keras_mir.models.outputs import TAGS
from keras_mir.models.pretrained.front_end import AUDIO, PATCH_SECONDS, embedding_spec
from keras_mir.models.pretrained.musicnn import load_layers
from keras_mir.models.pretrained.networks import Network
from keras_mir.models.pretrained.rebuilt import REBUILT
from keras_mir.models.report import versions
from keras_mir.models.servable import ServableModel
from keras_mir.models.vectors import pooled
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec, VectorSpec


@dataclass(frozen=True)
class TaggerDescription:
    """What a tagger says of itself, in `keras_mir.json`.

    Attributes:
        network: The pretrained network.
        feature_spec: What its vectors are.
        versions: Versions of what it was exported with.
    """

    network: Network
    feature_spec: VectorSpec
    versions: dict[str, str | None] = field(default_factory=versions)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        network = {key: value for key, value in asdict(self.network).items() if key not in _OF_THE_WHEEL}
        return {
            "format": FORMAT,
            **network,
            "feature_spec": self.feature_spec.to_dict(),
            "versions": self.versions,
        }


_OF_THE_WHEEL = ("checkpoint", "digests")


class Tagger(ServableModel):
    """A pretrained network that answers to sound without any training; what `load` gives for its name.

    Args:
        network: The pretrained network.

    Raises:
        UserError: If its weights are not there.
    """

    def __init__(self, network: Network) -> None:
        network.check()
        self.name = network.name
        self.description = TaggerDescription(network, embedding_spec(network.name, AUDIO, FeatureSpec()))

    @property
    def tags(self) -> tuple[str, ...]:
        """What it knows, in the order of its probabilities."""
        return self.description.network.tags

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        return {TAGS: self.tags}

    @property
    def place(self) -> str:
        return self.name

    @cached_property
    def keras(self) -> Model:
        """From `{"features": (batch, patches, size), "lengths": (batch,)}` to `{"tags": (batch, 50)}`."""
        network, size = self.description.network, self.description.feature_spec.n_bands
        rebuilt = REBUILT[network.name]
        features = keras.Input((None, size), dtype="float32", name="features")
        lengths = keras.Input((), dtype="int32", name="lengths")
        x = features
        for layer in rebuilt.dense_layers():
            x = layer(x)
        tag_layer = keras.layers.Dense(
            len(network.tags), activation="sigmoid", dtype="float32", name=rebuilt.tag_layer
        )
        known = keras.ops.concatenate([tag_layer(x), x], axis=-1)  # (batch, patches, tags + size of x)
        means_and_maxima = pooled(known, lengths, ("mean", "max"), name="embedding")
        model = Model(
            {"features": features, "lengths": lengths},
            {TAGS: means_and_maxima[:, : len(network.tags)]},
            name="tagger",
        )
        load_layers(model, network.weights())
        return model

    def audio_model(self, model: Model | None = None) -> AudioModel:
        # Windows are the patches that the network was trained on.
        return AudioModel(
            model or self.keras,
            self.names,
            InputSettings(feature=self.name),
            None,
            self.description.feature_spec,
            patch_seconds=PATCH_SECONDS,
        )

    def embedding_model(self) -> AudioModel:
        # Its mean and maximum are over the patches of a window.
        settings = InputSettings(feature=self.name)
        return AudioModel(embedding_of(self.keras), {}, settings, None, self.description.feature_spec)

    def __repr__(self) -> str:
        return (
            f"Tagger {self.name!r}: {len(self.tags)} tags, trained on {self.description.network.trained_on}"
        )
