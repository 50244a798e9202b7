"""Beat tracking with TensorFlow ops.

The tracker is the dynamic program of D. P. W. Ellis, "Beat Tracking by Dynamic Programming",
Journal of New Music Research 36(1), 2007, with the choices librosa makes in `onset.
onset_strength`, `feature.tempo` and `beat.beat_track`: it finds the frames librosa finds
when given the same mel spectrogram. Arithmetic follows librosa's: envelopes in float32, the
rest in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from pipelines.ops.portable import dilation, is_portable, wide
from pipelines.ops.tempo import stretch, tempo
from pipelines.spec import FeatureSpec

TIGHTNESS = 100.0  # how closely beats keep to the tempo
_NONE = -1e30  # the score of no frame
_UNROLLED = 4  # steps of a recurrence in one turn of its loop; a turn costs as much as three


def onset_envelope(mel: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Spectral flux of a mel spectrogram: the mean rise in dB from frame to frame.

    Equals `librosa.onset.onset_strength(S=mel.T)`.

    Args:
        mel: `(time, n_mels)` float32, in dB.
        spec: What the spectrogram was made with.

    Returns:
        float32 `(time,)`; frame t is delayed by half a window, as librosa does, to line up
        with the audio.
    """
    rise = tf.reduce_mean(tf.nn.relu(mel[1:] - mel[:-1]), axis=-1)
    delay = 1 + spec.n_fft // (2 * spec.hop_length)
    return tf.pad(rise, [[delay, 0]])[: tf.shape(mel)[0]]


def track_beats(envelope: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Beat frames of an onset envelope.

    Equals `librosa.beat.beat_track(onset_envelope=envelope)[1]`.

    Args:
        envelope: float32 `(time,)`.
        spec: What the envelope was made with.

    Returns:
        int32 `(n,)`, increasing; empty, in the portable form a -1, if the envelope is zero or shorter than
        4 frames.
    """
    frames = tf.shape(envelope)[0]
    audible = tf.logical_and(frames >= 4, tf.reduce_any(envelope > 0))
    # A branch cannot give an empty tensor in LiteRT: there no beat is a -1.
    none = tf.fill([1 if is_portable() else 0], -1)
    return tf.cond(audible, lambda: _track(envelope, spec), lambda: none)


def fixed_step_beats(frames: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Boundaries every half second (120 BPM), for clips in which no beat is found.

    Silence, noise swells and very quiet recordings have no beats. One column for a whole clip
    would be no sequence at all, so such clips are cut at the tempo the tracker's prior is
    centred on.

    Args:
        frames: Number of frames of the clip, an integer scalar.
        spec: What the features were made with.

    Returns:
        int32 `(n,)`.
    """
    step = spec.half_second
    return tf.range(step, tf.maximum(frames, step), step)


def _track(envelope: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    period = tf.round(spec.frame_rate * 60.0 / tempo(envelope, spec))  # frames per beat
    local = _local_score(envelope, period, spec)
    step = _Step.of(period)
    cumulative = _best_scores(local, step)
    # Frames before the first audible one start no sequence.
    audible = tf.cast(local >= 0.01 * tf.reduce_max(local), tf.int32)  # ONNX's argmax is not of bool
    first = tf.argmax(audible, output_type=tf.int32)
    beats = _backtrack(cumulative, _last_beat(cumulative), first, step)
    return _trim(beats, local)


def _local_score(envelope: tf.Tensor, period: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """The envelope in units of its deviation, smoothed by a Gaussian of 1/32 beat."""
    count = tf.cast(tf.shape(envelope)[0], wide())
    exact = tf.cast(envelope, wide())
    deviation = tf.sqrt(tf.reduce_sum((exact - tf.reduce_mean(exact)) ** 2) / (count - 1.0))
    normalised = envelope / tf.cast(deviation, tf.float32)
    # librosa's sum leaves out frame 0, in which a spectral flux is always 0.
    normalised = tf.cast(tf.pad(normalised[1:], [[1, 0]]), wide())
    # Past a period the Gaussian is 0. Other runtimes want a filter of a fixed length.
    end = tf.constant(float(stretch(spec)), wide()) if is_portable() else period
    reach = tf.range(-end, end + 1.0, dtype=wide())
    gaussian = tf.exp(-0.5 * (reach * 32.0 / period) ** 2)
    smooth = tf.nn.conv1d(normalised[None, :, None], gaussian[:, None, None], stride=1, padding="SAME")
    return smooth[0, :, 0]


@dataclass(frozen=True)
class _Step:
    """From a beat to the one before it.

    Attributes:
        shortest: Half a period, in frames, int32 scalar.
        longest: Two periods.
        penalty: float64 `(longest - shortest + 1,)`, what a step of each length costs.
    """

    shortest: tf.Tensor
    longest: tf.Tensor
    penalty: tf.Tensor

    @classmethod
    def of(cls, period: tf.Tensor) -> _Step:
        shortest = tf.maximum(tf.cast(tf.round(period / 2.0), tf.int32), 1)
        longest = tf.cast(2.0 * period, tf.int32)
        steps = tf.cast(tf.range(shortest, longest + 1), wide())
        return cls(shortest, longest, TIGHTNESS * (tf.math.log(steps) - tf.math.log(period)) ** 2)


def _best_scores(local: tf.Tensor, step: _Step) -> tf.Tensor:
    """Best score of a beat sequence that ends at each frame, float64 `(time,)`.

    A beat lies at least half a period after the one before it, so frames of one half period do not
    depend on each other: the program advances by half a period, not by a frame. The score of a
    frame's predecessor less the penalty of the step from it, at its maximum, is a dilation.
    """
    frames, block = tf.shape(local)[0], step.shortest
    turns = tf.maximum((frames + (_UNROLLED - 1) * block - 1) // (_UNROLLED * block), 1)
    missing = (1 + turns * _UNROLLED) * block - frames
    kernel = tf.reverse(-step.penalty, [0])[None, :, None]
    # Time is the width of an image one pixel high, for the dilation. The first block has no predecessors.
    ahead = tf.reshape(tf.pad(local, [[0, missing]]), (1, 1, -1, 1))
    nothing = tf.fill([1, 1, step.longest, 1], tf.constant(_NONE, wide()))
    recent = tf.concat([nothing, ahead[:, :, :block]], axis=2)[:, :, block:]
    width, begins = tf.shape(recent), [tf.stack([0, 0, i * block, 0]) for i in range(_UNROLLED + 1)]
    block_shape = tf.stack([1, 1, block, 1])

    def next_blocks(
        turn: tf.Tensor, begin: tf.Tensor, recent: tf.Tensor, scores: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        for i in range(_UNROLLED):
            window = tf.slice(recent, begins[i], width) if i else recent
            best = dilation(window, kernel)
            recent = tf.concat([recent, tf.slice(ahead, begin, block_shape) + best], axis=2)
            begin += begins[1]
        scores = tf.concat([scores, tf.reshape(recent, [-1])[step.longest :]], axis=0)
        return turn + 1, begin, tf.slice(recent, begins[_UNROLLED], width), scores

    *_, scores = tf.while_loop(
        lambda turn, *_: turn < turns,
        next_blocks,
        (0, begins[1], recent, local[:block]),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([4]),
            tf.TensorShape([None] * 4),
            tf.TensorShape([None]),
        ),
    )
    return scores[:frames]


def _last_beat(cumulative: tf.Tensor) -> tf.Tensor:
    """The last local maximum that reaches half the median of all of them."""
    rising = cumulative[1:] > cumulative[:-1]
    falling = tf.concat([cumulative[1:-1] >= cumulative[2:], [True]], axis=0)
    peak = tf.concat([[False], tf.logical_and(rising, falling)], axis=0)
    heights = tf.sort(tf.boolean_mask(cumulative, peak))
    count = tf.shape(heights)[0]

    def last() -> tf.Tensor:
        threshold = 0.25 * (heights[(count - 1) // 2] + heights[count // 2])
        good = tf.where(tf.logical_and(peak, cumulative >= threshold))
        return tf.cast(good[-1, 0], tf.int32)

    return tf.cond(count > 0, last, lambda: tf.shape(cumulative)[0] - 1)


def _backtrack(scores: tf.Tensor, last: tf.Tensor, first: tf.Tensor, step: _Step) -> tf.Tensor:
    """The best sequence that ends at the frame `last`; frames before `first` have no predecessor."""
    end = tf.shape(scores)[0] - 1
    # Places count back from the end, so that of equal predecessors the argmax finds the nearest.
    back = tf.pad(scores[::-1], [[0, _UNROLLED * step.longest]], constant_values=tf.cast(_NONE, wide()))
    start = end - tf.maximum(first, step.shortest)  # the last place that has a predecessor
    candidates = tf.shape(step.penalty)

    def previous(place: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for _ in range(_UNROLLED):
            score = tf.slice(back, place + step.shortest, candidates) - step.penalty
            place += step.shortest + tf.argmax(score, output_type=tf.int32)
            places = tf.concat([places, place], axis=0)
        return place, places

    place = tf.reshape(end - last, [1])
    _, places = tf.while_loop(
        lambda place, _: place[0] <= start,
        previous,
        (place, place),
        shape_invariants=(tf.TensorShape([1]), tf.TensorShape([None])),
    )
    linked = tf.concat([[True], places[:-1] <= start], axis=0)
    return end - tf.boolean_mask(places, linked)[::-1]


def _trim(beats: tf.Tensor, local: tf.Tensor) -> tf.Tensor:
    """Drop beats before the first and after the last frame with a fair onset."""
    strengths = tf.pad(tf.gather(local, beats), [[3, 3]])
    # Full convolution with a five-point Hann window [0, 1/2, 1, 1/2, 0], less its first two values.
    smooth = 0.5 * strengths[:-2] + strengths[1:-1] + 0.5 * strengths[2:]
    smooth = smooth[2:]
    threshold = 0.5 * tf.sqrt(tf.reduce_mean(smooth**2))
    strong = tf.where(local > threshold)[:, 0]
    first, last = tf.cast(strong[0], tf.int32), tf.cast(strong[-1], tf.int32)
    return tf.boolean_mask(beats, tf.logical_and(beats >= first, beats <= last))
