"""Tempo of an onset envelope with TensorFlow ops: the lag librosa finds, without its FFT a frame.

librosa multiplies the 8 seconds around every frame t by a Hann window h, takes the autocorrelation
R_t of that stretch, scales it to R_t(0) = 1 and averages over frames. With x the envelope, N the
length of the window and w_t = 1 / R_t(0), the average is, but for the number of frames,

    S(k) = sum_m x(m) x(m + k) sum_t w_t h(m - t) h(m + k - t).

h is a sum of three exponentials, so h(n) h(n + k) = sum_c g_c(k) exp(2 pi i c n / N), c from -2 to
2, for n from 0 to N - k - 1. The sum over t is then a difference of two running sums of
w_t exp(-2 pi i c t / N), at m and N - k frames earlier, and S is a sum of cross-correlations of x
with x times such a running sum: a dozen FFTs of the whole envelope instead of one for each frame.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.ops.portable import irfft, is_portable, log1p, rfft, wide
from pipelines.spec import FeatureSpec

START_BPM = 120.0  # centre of the log-normal prior over tempo
TEMPO_OCTAVES = 1.0  # standard deviation of that prior, in octaves
MAX_TEMPO = 320.0  # BPM
TEMPOGRAM_SECONDS = 8.0  # length of the autocorrelation window

_TINY = np.finfo(np.float64).tiny
_ROUNDING = 1000 * np.finfo(np.float64).eps  # far more than the sums' relative rounding errors


def tempo(envelope: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Tempo by the strongest period of the local autocorrelation, under a prior.

    Equals `librosa.feature.tempo(onset_envelope=envelope)`.

    Args:
        envelope: float32 `(time,)`, not all zero.
        spec: What the envelope was made with.

    Returns:
        Scalar of the type `wide()`, in beats per minute.
    """
    window = stretch(spec)
    bpm, log_prior = _prior(window, spec)
    frames = tf.shape(envelope)[0]
    faded = _fade_ends(envelope, window // 2)

    def score(autocorrelation: tf.Tensor) -> tf.Tensor:
        return log1p(1e6 * autocorrelation) + tf.cast(log_prior, wide())

    def by_stretch() -> tf.Tensor:
        return tf.argmax(score(_mean_autocorrelation_by_stretch(faded, frames, window)))

    if is_portable():
        return tf.gather(tf.constant(bpm, wide()), by_stretch())
    mean, error = _mean_autocorrelation(faded, frames, window)
    best = tf.argmax(score(mean))
    # Differences of running sums lose digits where loud and quiet passages alternate: where
    # rounding could tell (or has left no numbers), each stretch is transformed on its own.
    rivals = score(mean + error) >= tf.gather(score(mean - error), best)
    best = tf.cond(
        tf.equal(tf.math.count_nonzero(rivals), 1),
        lambda: best,
        by_stretch,
    )
    return tf.gather(tf.constant(bpm), best)


def stretch(spec: FeatureSpec) -> int:
    """Frames of a window; a period is shorter."""
    return int(TEMPOGRAM_SECONDS * spec.sample_rate) // spec.hop_length


def _prior(window: int, spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """BPM of every lag and its log prior; lag 0 and tempi of `MAX_TEMPO` and above are out."""
    lags = np.arange(1, window)
    bpm = np.concatenate([[np.inf], 60.0 * spec.sample_rate / (spec.hop_length * lags)])
    with np.errstate(invalid="ignore"):
        log_prior = -0.5 * ((np.log2(bpm) - np.log2(START_BPM)) / TEMPO_OCTAVES) ** 2
    log_prior[: int(np.argmax(bpm < MAX_TEMPO))] = -np.inf
    return bpm, log_prior


def _fade_ends(envelope: tf.Tensor, half: int) -> tf.Tensor:
    """The envelope with half a window before and after, float64 `(time + 2 half,)`."""

    def ramp(edge: tf.Tensor) -> tf.Tensor:
        # The ends fade to zero instead of stopping, which the window would take for an onset.
        return tf.cast(tf.cast(edge, wide()) * tf.range(half, dtype=wide()) / half, tf.float32)

    ends = [ramp(envelope[0]), envelope, tf.reverse(ramp(envelope[-1]), [0])]
    return tf.cast(tf.concat(ends, axis=0), wide())


def _hann(window: int) -> np.ndarray:
    hann: np.ndarray = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    return hann


def _mean_autocorrelation(faded: tf.Tensor, frames: tf.Tensor, window: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean over frames of the scaled autocorrelations, by the sums that the module explains.

    From the faded envelope, `(frames + window,)` or one less, to float64 `(window,)`, and a bound of
    its error; neither is a number where a stretch is silent.
    """
    size = tf.shape(faded)[0]
    n_fft = 1024 * ((size + window) // 1024 + 1)  # no lag wraps around, and few prime factors
    missing = n_fft - size

    power = tf.square(faded)
    filtered = tf.math.conj(tf.signal.rfft(tf.constant(_hann(window) ** 2), [n_fft])) * tf.signal.rfft(
        power, [n_fft]
    )
    weight = 1.0 / tf.maximum(tf.signal.irfft(filtered, [n_fft])[:frames], _TINY)  # w_t

    harmonic = np.arange(3.0)[:, None]  # c; -1 and -2 give the conjugates of 1 and 2
    turn = 2.0 * np.pi / window
    angle = turn * harmonic * tf.cast(tf.range(size) % window, tf.float64)
    phase = tf.complex(tf.cos(angle), tf.sin(angle))  # (3, size)
    weights = tf.cast(tf.pad(weight, [[0, size - frames]]), tf.complex128)
    running = tf.cumsum(weights * tf.math.conj(phase), axis=-1)
    a_window_ago = tf.pad(running, [[0, 0], [window, 0]])[:, :size]

    plain = tf.cast(faded, tf.complex128)
    now, ago = plain * phase * running, plain * phase * a_window_ago
    rows = tf.concat([tf.math.conj(now), ago, plain[None]], axis=0)  # (7, size)
    spectra = tf.signal.fft(tf.pad(rows, [[0, 0], [0, missing]]))
    now, ago, plain = tf.math.conj(spectra[:3]), spectra[3:6], spectra[6]
    correlations = tf.signal.ifft(tf.concat([now * plain, ago * tf.math.conj(plain)], axis=0))[:, :window]

    lag = np.arange(window)
    shift = np.exp(1j * turn * lag)
    factor = np.stack(
        [0.25 + 0.125 * np.cos(turn * lag), -0.25 * (1.0 + shift), 0.125 * shift]
    )  # g_c, c and -c
    terms = factor * (correlations[:3] - np.exp(-1j * turn * harmonic * lag) * correlations[3:])
    mean = tf.math.real(tf.reduce_sum(terms, axis=0)) / tf.cast(frames, tf.float64)
    return mean, _ROUNDING * tf.reduce_sum(power) * tf.reduce_max(weight)


def _mean_autocorrelation_by_stretch(faded: tf.Tensor, frames: tf.Tensor, window: int) -> tf.Tensor:
    """The same, by the FFT of every stretch; those that are silent count as zero."""
    n_fft = 1 << int(np.ceil(np.log2(2 * window - 1)))
    stretches = tf.signal.frame(faded, window, 1)[:frames] * tf.cast(_hann(window), wide())  # (time, window)
    energy = tf.reduce_sum(tf.square(stretches), axis=-1, keepdims=True)
    tiny = np.finfo(wide().as_numpy_dtype).tiny
    stretches = stretches / tf.sqrt(tf.where(energy < tiny, tf.ones_like(energy), energy))
    spectrum = rfft(tf.pad(stretches, [[0, 0], [0, n_fft - window]]))
    power = tf.reduce_mean(tf.reduce_sum(tf.square(spectrum), axis=-1), axis=0)
    return irfft(tf.stack([power, tf.zeros_like(power)], axis=-1))[:window]
