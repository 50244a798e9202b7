"""Keras layers of the package.

All take `(batch, time, ...)` tensors; those for which the end of a clip matters take them alone or in
a list with their `lengths`: `(batch,)` integers, in frames, or in samples where time is samples.
Without lengths every clip is as long as the batch; a length below 1 counts as 1, and what lies past
it is ignored. Layers over sound compute in float32 under any precision policy.
All are registered with Keras under `keras_mir`, so a saved model loads once this module is imported.
"""

from keras_mir.layers.audio.beats import BeatSync, BeatTracker
from keras_mir.layers.audio.chroma import ChromaCQT
from keras_mir.layers.audio.front_end import FrontEnd
from keras_mir.layers.audio.mel import STFT, Decibels, LogCompression, LogMel, MelPower
from keras_mir.layers.audio.percussive import Percussive
from keras_mir.layers.audio.resample import DownMix, Resample
from keras_mir.layers.network.bidirectional_lstm import BidirectionalLSTM
from keras_mir.layers.network.kernel_ridge import KernelRidge
from keras_mir.layers.network.masks import FrameMask, LengthMask, PadTime, PooledLengths, ZeroPastLength
from keras_mir.layers.network.pooling import (
    AttentionPooling,
    InputPooling,
    NormReluPool,
    TimePooling,
)
from keras_mir.layers.network.resumable_dropout import ResumableDropout
from keras_mir.layers.network.temperature import Temperature

__all__ = [
    "STFT",
    "AttentionPooling",
    "BeatSync",
    "BeatTracker",
    "BidirectionalLSTM",
    "ChromaCQT",
    "Decibels",
    "DownMix",
    "FrameMask",
    "FrontEnd",
    "InputPooling",
    "KernelRidge",
    "LengthMask",
    "LogCompression",
    "LogMel",
    "MelPower",
    "NormReluPool",
    "PadTime",
    "Percussive",
    "PooledLengths",
    "Resample",
    "ResumableDropout",
    "Temperature",
    "TimePooling",
    "ZeroPastLength",
]
