"""The LSTM that is converted gives the numbers of the one that was trained."""

import keras
import numpy as np
import pytest

from keras_mir.layers import BidirectionalLSTM
from keras_mir.models.rebuild import LoopedLSTM


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_same_numbers(return_sequences, masked):
    keras.utils.set_random_seed(0)
    sequences = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(np.float32)
    mask = np.arange(7) < np.array([[7], [4], [1]])
    trained = BidirectionalLSTM(4, return_sequences=return_sequences, use_cudnn=False)
    looped = LoopedLSTM(4, return_sequences=return_sequences)
    for layer in (trained, looped):
        layer.build(sequences.shape)
    looped.set_weights(trained.get_weights())
    mask = mask if masked else None
    expected, got = (np.asarray(layer(sequences, mask=mask)) for layer in (trained, looped))
    if return_sequences and masked:  # what a masked frame gives is not defined
        expected, got = expected[mask], got[mask]
    np.testing.assert_allclose(got, expected, atol=1e-6)
