"""Keras layers of the package, one a file.

All take `(batch, time, ...)` tensors and, where they need to know where a clip ends, its
`lengths`: `(batch,)` int32, in frames, or in samples where time is samples. All are registered
with Keras under `keras_mir`, so a saved model loads once this module is imported.
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
from keras_mir.layers.network.band_scaling import BandScaling
from keras_mir.layers.network.bidirectional_lstm import BidirectionalLSTM
from keras_mir.layers.network.frame_mask import FrameMask
from keras_mir.layers.network.length_mask import LengthMask
from keras_mir.layers.network.masked_batch_normalization import MaskedBatchNormalization
from keras_mir.layers.network.norm_relu_pool import NormReluPool
from keras_mir.layers.network.pad_time import PadTime
from keras_mir.layers.network.pooled_lengths import PooledLengths
from keras_mir.layers.network.resumable_dropout import ResumableDropout
from keras_mir.layers.network.time_pooling import TimePooling
from keras_mir.layers.network.zero_past_length import ZeroPastLength

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
