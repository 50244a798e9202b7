"""How each pretrained network is rebuilt; a new one is an entry here, and one in `networks.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from keras_mir.models.pretrained import musicnn, vgg
from keras_mir.models.pretrained.networks import Weights


@dataclass(frozen=True)
class Rebuilt:
    """A network in two parts: what it makes of a patch of 3 s, and what follows.

    Attributes:
        pooled_network: From a checkpoint's weights to a frozen model from patches to vectors.
        tag_layer: What its last layer, which gives the tags, is called in the checkpoint.
        dense_layers: Makes the layers between the two.
    """

    pooled_network: Callable[[Weights], keras.Model]
    tag_layer: str
    dense_layers: Callable[[], list[Any]] = list


_MUSICNN = Rebuilt(musicnn.pooled_network, "dense_1", musicnn.dense_layers)

REBUILT = {
    "musicnn-mtt": _MUSICNN,
    "musicnn-msd": _MUSICNN,
    "vgg-mtt": Rebuilt(partial(vgg.pooled_network, pools=vgg.MTT_POOLS), "dense"),
    "vgg-msd": Rebuilt(partial(vgg.pooled_network, pools=vgg.MSD_POOLS), "dense"),
}
