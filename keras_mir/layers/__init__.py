"""Keras layers of the package.

All take `(batch, time, ...)` tensors, alone or in a list with their `lengths`: `(batch,)` integers,
in frames, or in samples where time is samples. Without lengths every clip is as long as the batch.
All are registered with Keras under `keras_mir`, so a saved model loads once this module is imported.
"""

from keras_mir.layers.audio.beat_sync import BeatSync
from keras_mir.layers.audio.beat_tracker import BeatTracker
from keras_mir.layers.audio.chroma import ChromaCQT
from keras_mir.layers.audio.decibels import Decibels
from keras_mir.layers.audio.down_mix import DownMix
from keras_mir.layers.audio.front_end import FrontEnd
from keras_mir.layers.audio.log_mel import LogMel
from keras_mir.layers.audio.mel_power import MelPower
from keras_mir.layers.audio.percussive import Percussive
from keras_mir.layers.audio.resample import Resample
from keras_mir.layers.audio.stft import STFT
from keras_mir.layers.network.bidirectional_lstm import BidirectionalLSTM
from keras_mir.layers.network.masks import FrameMask, LengthMask, PadTime, PooledLengths, ZeroPastLength
from keras_mir.layers.network.norm_relu_pool import NormReluPool
from keras_mir.layers.network.resumable_dropout import ResumableDropout
from keras_mir.layers.network.time_pooling import TimePooling

__all__ = [
    "STFT",
    "BeatSync",
    "BeatTracker",
    "BidirectionalLSTM",
    "ChromaCQT",
    "Decibels",
    "DownMix",
    "FrameMask",
    "FrontEnd",
    "LengthMask",
    "LogMel",
    "MelPower",
    "NormReluPool",
    "PadTime",
    "Percussive",
    "PooledLengths",
    "Resample",
    "ResumableDropout",
    "TimePooling",
    "ZeroPastLength",
]
