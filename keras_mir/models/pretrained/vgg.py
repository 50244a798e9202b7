"""The VGG that was published beside musicnn: five blocks of small filters over a patch of 3 s.

J. Pons and X. Serra (2019). The code that comes with the checkpoints has one set of pools for both; the
graphs that were trained have two, which are these.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_mir.models.pretrained.musicnn import BANDS, PATCH, load_layers, norm
from keras_mir.models.pretrained.networks import Weights

Pool = tuple[tuple[int, int], tuple[int, int]]  # window and step, each over time and bands

_FILTERS = 128
_LAST: tuple[Pool, ...] = (((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4)))
MTT_POOLS: tuple[Pool, ...] = (((4, 1), (2, 2)), ((2, 2), (2, 2)), *_LAST)
MSD_POOLS: tuple[Pool, ...] = (((4, 1), (4, 1)), ((1, 4), (1, 4)), *_LAST)


def pooled_network(weights: Weights, pools: Sequence[Pool]) -> keras.Model:
    """All up to its last layer.

    Args:
        weights: Weights of the checkpoint.
        pools: Block by block.

    Returns:
        A frozen model from `(batch, 187, 96)` float32, compressed mel, to `(batch, 256)` float32.
    """
    patches = keras.Input((PATCH, BANDS), dtype="float32", name="patches")
    x = norm(0)(keras.layers.Reshape((PATCH, BANDS, 1), name="channel")(patches))
    for number, (window, step) in enumerate(pools, start=1):
        convolution = keras.layers.Conv2D(_FILTERS, 3, padding="same", activation="relu", name=f"{number}CNN")
        x = norm(number)(convolution(x))
        x = keras.layers.MaxPooling2D(window, step, name=f"pool_{number}")(x)
    model = keras.Model(patches, keras.layers.Flatten(name="pooled")(x), name="vgg")
    load_layers(model, weights)
    model.trainable = False
    return model
