"""A folder of songs to vectors, by a pretrained network."""

from __future__ import annotations

from benchmarks.row import Row, Side, close

CLIPS = 60

_FOLDER, _OUT = f"{{folder}}/some-{CLIPS}", "{scratch}/vectors"
_OURS = ["-m", "keras_mir.embed", _FOLDER, "--model", "musicnn-mtt", "--out", f"{_OUT}.parquet"]
_THEIRS = ["-m", "benchmarks.rivals.musicnn_folder", _FOLDER, "--out", f"{_OUT}.npy"]

ROWS = (
    Row(
        name=f"embed a folder with musicnn, all cores, {CLIPS} clips",
        rival="the musicnn package's extraction and network, a process a core",
        wanted=3.0,
        ours=Side("benchmarks.command", {"arguments": _OURS}),
        theirs=(Side("benchmarks.command", {"arguments": _THEIRS}),),
        check=close,
        rounds=5,
        note="a whole process",
        inputs=lambda inputs: inputs.some(CLIPS),
    ),
)
