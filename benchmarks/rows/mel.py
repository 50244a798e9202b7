"""From a folder of compressed music to its mel spectrograms."""

from __future__ import annotations

from benchmarks.folder_mel import same_mel
from benchmarks.row import Row, Side

CLIPS = 24

_FOLDER = {"clips": CLIPS}


def _against(rival: str, *theirs: Side, note: str = "") -> Row:
    return Row(
        name="decode + mel of a folder of mp3 and ogg, all cores",
        rival=f"{rival}, a process a core",
        wanted=1.0,
        ours=Side("benchmarks.ours.folder_mel", _FOLDER),
        theirs=theirs,
        check=same_mel,
        rounds=7,
        note=note,
        inputs=lambda inputs: inputs.compressed(CLIPS),
    )


ROWS = (
    _against(
        "essentia",
        *(
            Side("benchmarks.rivals.essentia_folder_mel", {**_FOLDER, "how": how})
            for how in ("standard", "streaming")
        ),
        note="the better of its calls and its network; 44.1 kHz stereo, 2048 samples every 1024, 128 bands; "
        "within 0.5 dB, 0.01 on average, for it decodes to 16 bits",
    ),
    _against(
        "torchaudio",
        Side("benchmarks.rivals.torchaudio_folder_mel", _FOLDER),
        note="it decodes by torchcodec, and transforms in single precision, ours in double",
    ),
    _against("librosa", Side("benchmarks.rivals.librosa_folder_mel", _FOLDER)),
)
