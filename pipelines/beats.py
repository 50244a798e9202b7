"""Beat tracking and beat synchronisation with TensorFlow ops.

The tracker is the dynamic program of D. P. W. Ellis, "Beat Tracking by Dynamic Programming",
Journal of New Music Research 36(1), 2007, with the choices librosa makes in ``onset.
onset_strength``, ``feature.tempo`` and ``beat.beat_track``: it finds the frames librosa finds
when given the same mel spectrogram. Arithmetic follows librosa's: envelopes in float32, the
rest in float64.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.spec import FeatureSpec

START_BPM = 120.0  # centre of the log-normal prior over tempo
TEMPO_OCTAVES = 1.0  # standard deviation of that prior, in octaves
MAX_TEMPO = 320.0  # BPM
TEMPOGRAM_SECONDS = 8.0  # length of the autocorrelation window
TIGHTNESS = 100.0  # how closely beats keep to the tempo

_AMIN = 1e-10  # power below which the dB scale stops


def onset_envelope(mel: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Spectral flux of a mel spectrogram: the mean rise in dB from frame to frame.

    Equals ``librosa.onset.onset_strength(S=mel.T)``.

    Args:
        mel: ``(time, n_mels)`` float32, in dB.
        spec: What the spectrogram was made with.

    Returns:
        float32 ``(time,)``; frame t is delayed by half a window, as librosa does, to line up
        with the audio.
    """
    rise = tf.reduce_mean(tf.nn.relu(mel[1:] - mel[:-1]), axis=-1)
    delay = 1 + spec.n_fft // (2 * spec.hop_length)
    return tf.pad(rise, [[delay, 0]])[: tf.shape(mel)[0]]


def tempo(envelope: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Tempo by the strongest period of the local autocorrelation, under a prior.

    Equals ``librosa.feature.tempo(onset_envelope=envelope)``.

    Args:
        envelope: float32 ``(time,)``, not all zero.
        spec: What the envelope was made with.

    Returns:
        float64 scalar, in beats per minute.
    """
    window = int(TEMPOGRAM_SECONDS * spec.sample_rate) // spec.hop_length  # frames
    bpm, log_prior = _tempo_prior(window, spec)
    autocorrelation = _local_autocorrelation(envelope, window)  # (time, window)
    peak = tf.reduce_max(tf.abs(autocorrelation), axis=-1, keepdims=True)
    normalised = autocorrelation / tf.where(peak < np.finfo(np.float64).tiny, tf.ones_like(peak), peak)
    mean = tf.reduce_mean(normalised, axis=0)  # (window,)
    best = tf.argmax(tf.math.log1p(1e6 * mean) + log_prior)
    return tf.gather(tf.constant(bpm), best)


def track_beats(envelope: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Beat frames of an onset envelope.

    Equals ``librosa.beat.beat_track(onset_envelope=envelope)[1]``.

    Args:
        envelope: float32 ``(time,)``.
        spec: What the envelope was made with.

    Returns:
        int32 ``(n,)``, increasing; empty if the envelope is zero or shorter than 4 frames.
    """
    frames = tf.shape(envelope)[0]
    audible = tf.logical_and(frames >= 4, tf.reduce_any(envelope > 0))
    return tf.cond(audible, lambda: _track(envelope, spec), lambda: tf.zeros([0], tf.int32))


def fixed_step_beats(frames: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Boundaries every half second (120 BPM), for clips in which no beat is found.

    Silence, noise swells and very quiet recordings have no beats. One column for a whole clip
    would be no sequence at all, so such clips are cut at the tempo the tracker's prior is
    centred on.

    Args:
        frames: Number of frames of the clip, an integer scalar.
        spec: What the features were made with.

    Returns:
        int32 ``(n,)``.
    """
    step = spec.half_second
    return tf.range(step, tf.maximum(frames, step), step)


def beat_sync(fused: tf.Tensor, beats: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Median of every band between beats.

    Equals ``librosa.util.sync(..., aggregate=np.median)``, chroma as it is and mel as power,
    turned to dB relative to its loudest bin afterwards.

    Args:
        fused: ``(time, bands)`` float32; the first ``n_mels`` bands are dB. ``bands`` is
            ``n_bands``, or ``n_mels`` for mel alone.
        beats: int32 ``(n,)`` increasing frames; those outside the clip are ignored.
        spec: What the features were made with.

    Returns:
        float32 ``(steps, bands)``. n beats after frame 0 give n + 1 steps.
    """
    frames = tf.shape(fused)[0]
    inside = tf.boolean_mask(beats, tf.logical_and(beats > 0, beats < frames))
    bounds = tf.concat([[0], inside, [frames]], axis=0)
    lower, upper = _medians(fused, bounds)
    mel = 0.5 * (_db_to_power(lower[:, : spec.n_mels]) + _db_to_power(upper[:, : spec.n_mels]))
    rest = 0.5 * (lower[:, spec.n_mels :] + upper[:, spec.n_mels :])
    return tf.concat([_power_to_db(mel, spec.top_db), rest], axis=-1)


def _tempo_prior(window: int, spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """BPM of every lag and its log prior; lag 0 and tempi of ``MAX_TEMPO`` and above are out."""
    lags = np.arange(1, window)
    bpm = np.concatenate([[np.inf], 60.0 * spec.sample_rate / (spec.hop_length * lags)])
    with np.errstate(invalid="ignore"):
        log_prior = -0.5 * ((np.log2(bpm) - np.log2(START_BPM)) / TEMPO_OCTAVES) ** 2
    log_prior[: int(np.argmax(bpm < MAX_TEMPO))] = -np.inf
    return bpm, log_prior


def _local_autocorrelation(envelope: tf.Tensor, window: int) -> tf.Tensor:
    """Autocorrelation of Hann-windowed stretches centred on every frame, ``(time, window)``."""
    half = window // 2
    frames = tf.shape(envelope)[0]

    def ramp(edge: tf.Tensor) -> tf.Tensor:
        # The ends fade to zero instead of stopping, which the window would hear as an onset.
        return tf.cast(edge, tf.float64) * tf.range(half, dtype=tf.float64) / half

    padded = tf.concat(
        [
            tf.cast(ramp(envelope[0]), tf.float32),
            envelope,
            tf.reverse(tf.cast(ramp(envelope[-1]), tf.float32), [0]),
        ],
        axis=0,
    )
    stretches = tf.signal.frame(padded, window, 1)[:frames]  # (time, window)
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    size = 1 << int(np.ceil(np.log2(2 * window - 1)))
    spectrum = tf.signal.rfft(tf.cast(stretches, tf.float64) * hann, [size])
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    return tf.signal.irfft(tf.cast(power, tf.complex128), [size])[:, :window]


def _track(envelope: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    period = tf.round(spec.frame_rate * 60.0 / tempo(envelope, spec))  # frames per beat
    local = _local_score(envelope, period)
    cumulative, backlink = _link_beats(local, period)
    beats = _backtrack(backlink, _last_beat(cumulative))
    return _trim(beats, local)


def _local_score(envelope: tf.Tensor, period: tf.Tensor) -> tf.Tensor:
    """The envelope in units of its deviation, smoothed by a Gaussian of 1/32 beat."""
    count = tf.cast(tf.shape(envelope)[0], tf.float64)
    wide = tf.cast(envelope, tf.float64)
    deviation = tf.sqrt(tf.reduce_sum((wide - tf.reduce_mean(wide)) ** 2) / (count - 1.0))
    normalised = envelope / tf.cast(deviation, tf.float32)
    # librosa's sum leaves out frame 0, in which a spectral flux is always 0.
    normalised = tf.pad(normalised[1:], [[1, 0]])
    reach = tf.range(-period, period + 1.0, dtype=tf.float64)
    gaussian = tf.exp(-0.5 * (reach * 32.0 / period) ** 2)
    padding = tf.cast(period, tf.int32)
    padded = tf.pad(tf.cast(normalised, tf.float64), [[padding, padding]])
    stretches = tf.signal.frame(padded, tf.shape(gaussian)[0], 1)  # (time, 2 period + 1)
    return tf.linalg.matvec(stretches, gaussian)


def _link_beats(local: tf.Tensor, period: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Best score of a beat sequence that ends at each frame, and the beat before it.

    A frame's predecessor lies half a period to two periods back, so frames of one half period
    do not depend on each other: the program advances by half a period, not by a frame.

    Returns:
        ``cumulative`` float64 ``(time,)`` and ``backlink`` int32 ``(time,)``, -1 for none.
    """
    frames = tf.shape(local)[0]
    block = tf.cast(tf.round(period / 2.0), tf.int32)
    reach = tf.cast(2.0 * period, tf.int32)
    lags = tf.range(block, reach + 1)
    log_period = tf.cast(tf.math.log(period), tf.float64)
    penalty = TIGHTNESS * (tf.math.log(tf.cast(lags, tf.float64)) - log_period) ** 2
    # Where in the last `reach` scores the candidates of each frame of a block are.
    candidates = reach + tf.range(block)[:, None] - lags[None, :]  # (block, lags)

    blocks = (frames + block - 1) // block
    padded = tf.reshape(tf.pad(local, [[0, blocks * block - frames]]), (blocks, block))
    nothing = tf.constant(-np.inf, tf.float64)

    def advance(
        index: tf.Tensor, recent: tf.Tensor, scores: tf.TensorArray, links: tf.TensorArray
    ) -> tuple[tf.Tensor, ...]:
        score = tf.gather(recent, candidates) - penalty  # (block, lags)
        best = tf.reduce_max(score, axis=-1)
        found = best > nothing
        lag = tf.gather(lags, tf.argmax(score, axis=-1))
        here = padded[index] + tf.where(found, best, tf.zeros_like(best))
        link = tf.where(found, index * block + tf.range(block) - lag, -1)
        recent = tf.concat([recent, here], axis=0)[block:]
        return index + 1, recent, scores.write(index, here), links.write(index, link)

    _, _, scores, links = tf.while_loop(
        lambda index, *_: index < blocks,
        advance,
        (
            tf.constant(0),
            tf.fill([reach], nothing),
            tf.TensorArray(tf.float64, blocks, element_shape=[None]),
            tf.TensorArray(tf.int32, blocks, element_shape=[None]),
        ),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None]),
            tf.TensorShape(None),
            tf.TensorShape(None),
        ),
    )
    cumulative = tf.reshape(scores.stack(), [-1])[:frames]
    backlink = tf.reshape(links.stack(), [-1])[:frames]
    # Frames before the first audible one start no sequence.
    first = tf.argmax(local >= 0.01 * tf.reduce_max(local), output_type=tf.int32)
    return cumulative, tf.where(tf.range(frames) < first, -1, backlink)


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


def _backtrack(backlink: tf.Tensor, tail: tf.Tensor) -> tf.Tensor:
    size = tf.shape(backlink)[0]
    _, count, beats = tf.while_loop(
        lambda frame, *_: frame >= 0,
        lambda frame, count, beats: (backlink[frame], count + 1, beats.write(count, frame)),
        (tail, tf.constant(0), tf.TensorArray(tf.int32, size, element_shape=[])),
    )
    return tf.reverse(beats.stack()[:count], [0])


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


def _medians(values: tf.Tensor, bounds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The lower and upper middle values of every band in every segment.

    All segments are sorted at once: the key is the segment's number, and the value within it.

    Args:
        values: ``(time, bands)`` float32.
        bounds: int32 ``(segments + 1,)``, from 0 to ``time``.

    Returns:
        Two float32 ``(segments, bands)``; the same where a segment has an odd length.
    """
    lengths = bounds[1:] - bounds[:-1]
    segment = tf.repeat(tf.range(tf.shape(lengths)[0]), lengths)  # (time,)
    wide = tf.cast(tf.transpose(values), tf.float64)  # (bands, time)
    span = tf.reduce_max(wide) - tf.reduce_min(wide) + 1.0
    order = tf.argsort(wide + span * tf.cast(segment, tf.float64), axis=-1)
    ascending = tf.gather(tf.transpose(values), order, batch_dims=1)
    lower = tf.gather(ascending, bounds[:-1] + (lengths - 1) // 2, axis=1)
    upper = tf.gather(ascending, bounds[:-1] + lengths // 2, axis=1)
    return tf.transpose(lower), tf.transpose(upper)


def _db_to_power(db: tf.Tensor) -> tf.Tensor:
    return tf.pow(tf.constant(10.0, db.dtype), 0.1 * db)


def _power_to_db(power: tf.Tensor, top_db: float) -> tf.Tensor:
    log = tf.math.log(tf.maximum(power, _AMIN)) * (10.0 / np.log(10.0))
    relative = log - tf.reduce_max(log)
    return tf.maximum(relative, -top_db)
