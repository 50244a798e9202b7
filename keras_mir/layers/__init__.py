"""Keras layers of the package, one a file.

All take `(batch, time, ...)` tensors and, where they need to know where a clip ends, its
`lengths`: `(batch,)` int32, in frames, or in samples where time is samples. All are registered
with Keras under `keras_mir`, so a saved model loads once this module is imported.
"""

from keras_mir.layers.band_scaling import BandScaling
from keras_mir.layers.beat_sync import BeatSync
from keras_mir.layers.beat_tracker import BeatTracker
from keras_mir.layers.bidirectional_lstm import BidirectionalLSTM
from keras_mir.layers.chroma import ChromaCQT
from keras_mir.layers.decibels import Decibels
from keras_mir.layers.down_mix import DownMix
from keras_mir.layers.frame_mask import FrameMask
from keras_mir.layers.front_end import FrontEnd
from keras_mir.layers.length_mask import LengthMask
from keras_mir.layers.log_mel import LogMel
from keras_mir.layers.masked_batch_normalization import MaskedBatchNormalization
from keras_mir.layers.mel_power import MelPower
from keras_mir.layers.norm_relu_pool import NormReluPool
from keras_mir.layers.pad_time import PadTime
from keras_mir.layers.percussive import Percussive
from keras_mir.layers.pooled_lengths import PooledLengths
from keras_mir.layers.resample import Resample
from keras_mir.layers.resumable_dropout import ResumableDropout
from keras_mir.layers.stft import STFT
from keras_mir.layers.time_pooling import TimePooling
from keras_mir.layers.zero_past_length import ZeroPastLength

__all__ = [
    "STFT",
    "BandScaling",
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
    "MaskedBatchNormalization",
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
