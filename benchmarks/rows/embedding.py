"""A folder of songs to vectors, by a pretrained network."""

from __future__ import annotations

from benchmarks.rivals.essentia_musicnn_folder import graph_in
from benchmarks.row import Row, Side, close

CLIPS = 60

_FOLDER, _OUT = f"{{folder}}/some-{CLIPS}", "{scratch}/vectors"
_OURS = ["-m", "keras_mir.embed", _FOLDER, "--model", "musicnn-mtt", "--out", f"{_OUT}.parquet"]


def _against(rival: str, script: str, *options: str, wanted: float, note: str) -> Row:
    theirs = ["-m", f"benchmarks.rivals.{script}", _FOLDER, *options, "--out", f"{_OUT}.npy"]
    return Row(
        name=f"embed a folder with musicnn, all cores, {CLIPS} clips",
        rival=f"{rival}, a process a core",
        wanted=wanted,
        ours=Side("benchmarks.command", {"arguments": _OURS}),
        theirs=(Side("benchmarks.command", {"arguments": theirs}),),
        check=close,
        rounds=5,
        note=note,
        inputs=lambda inputs: (inputs.some(CLIPS), graph_in(inputs.folder)),
    )


ROWS = (
    _against(
        "the musicnn package's extraction and network", "musicnn_folder", wanted=3.0, note="a whole process"
    ),
    _against(
        "essentia's TensorflowPredictMusiCNN on the same weights",
        "essentia_musicnn_folder",
        "--graph",
        "{folder}/musicnn.pb",
        wanted=1.2,
        note="a whole process; the same patches",
    ),
)
