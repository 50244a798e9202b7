"""One step a beat: the median of every band between beats, as `librosa.util.sync` takes it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.ops.segment_medians import segment_medians
from pipelines.spec import FeatureSpec

_AMIN = 1e-10  # power below which the dB scale stops


def beat_sync(fused: tf.Tensor, beats: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Median of every band between beats.

    Equals `librosa.util.sync(..., aggregate=np.median)`, chroma as it is and mel as power,
    turned to dB relative to its loudest bin afterwards.

    Args:
        fused: `(time, bands)` float32; the first `n_mels` bands are dB. `bands` is
            `n_bands`, or `n_mels` for mel alone.
        beats: int32 `(n,)` increasing frames; those outside the clip are ignored.
        spec: What the features were made with.

    Returns:
        float32 `(steps, bands)`. n beats after frame 0 give n + 1 steps.
    """
    frames = tf.shape(fused)[0]
    inside = tf.boolean_mask(beats, tf.logical_and(beats > 0, beats < frames))
    bounds = tf.concat([[0], inside, [frames]], axis=0)
    lower, upper = segment_medians(fused, bounds)
    mel = 0.5 * (_db_to_power(lower[:, : spec.n_mels]) + _db_to_power(upper[:, : spec.n_mels]))
    rest = 0.5 * (lower[:, spec.n_mels :] + upper[:, spec.n_mels :])
    return tf.concat([_power_to_db(mel, spec.top_db), rest], axis=-1)


def _db_to_power(db: tf.Tensor) -> tf.Tensor:
    return tf.pow(tf.constant(10.0, db.dtype), 0.1 * db)


def _power_to_db(power: tf.Tensor, top_db: float) -> tf.Tensor:
    log = tf.math.log(tf.maximum(power, _AMIN)) * (10.0 / np.log(10.0))
    relative = log - tf.reduce_max(log)
    return tf.maximum(relative, -top_db)
