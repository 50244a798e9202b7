"""essentia: a folder of mp3 and ogg to mel, in a process a core, by calls or by its streaming network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import essentia
import essentia.standard
import essentia.streaming
import numpy as np

from benchmarks.folder_mel import BANDS, HOP, N_FFT, RATE, Making
from benchmarks.inputs import Inputs

How = Literal["standard", "streaming"]

# librosa's frames, centred from the first sample on, and its bands, of equal area on Slaney's scale.
_WINDOW = {"type": "hann", "size": N_FFT, "symmetric": False, "normalized": False, "zeroPhase": False}
_FRAMES = {"frameSize": N_FFT, "hopSize": HOP, "startFromZero": False}
_BANDS: dict[str, Any] = {
    "inputSize": 1 + N_FFT // 2,
    "sampleRate": RATE,
    "lowFrequencyBound": 0,
    "highFrequencyBound": RATE / 2,
    "numberBands": BANDS,
    "warpingFormula": "slaneyMel",
    "weighting": "linear",
    "normalize": "unit_tri",
    "type": "power",
}


def by_calls(path: Path) -> np.ndarray:
    """A file's mel power, float32 `(frames, BANDS)`."""
    standard = essentia.standard
    samples = standard.MonoLoader(filename=str(path), sampleRate=RATE)()
    window, spectrum, bands = (
        standard.Windowing(**_WINDOW),
        standard.Spectrum(size=N_FFT),
        standard.MelBands(**_BANDS),
    )
    return np.array([bands(spectrum(window(frame))) for frame in standard.FrameGenerator(samples, **_FRAMES)])


def by_streaming(path: Path) -> np.ndarray:
    """The same, frame by frame in one network."""
    streaming = essentia.streaming
    loader = streaming.MonoLoader(filename=str(path), sampleRate=RATE)
    frames, window = streaming.FrameCutter(**_FRAMES, silentFrames="keep"), streaming.Windowing(**_WINDOW)
    spectrum, bands, pool = streaming.Spectrum(size=N_FFT), streaming.MelBands(**_BANDS), essentia.Pool()
    loader.audio >> frames.signal
    frames.frame >> window.frame
    window.frame >> spectrum.frame
    spectrum.spectrum >> bands.spectrum
    bands.bands >> (pool, "mel")
    essentia.run(loader)
    made: np.ndarray = pool["mel"]
    return made


def prepare(inputs: Inputs, clips: int, how: How) -> Making:
    """Start the processes."""
    return Making({"standard": by_calls, "streaming": by_streaming}[how], inputs.compressed(clips))
