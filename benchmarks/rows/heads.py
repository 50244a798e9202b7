"""A head on vectors, against what scikit-learn has for them."""

from __future__ import annotations

from benchmarks.row import Row, Side, close

CLIPS, SIZE, FOLDS = 4_000, 200, 5

_VECTORS = f"{{folder}}/vectors-{CLIPS}-{SIZE}"
# In Python, where the report's baseline, which is the rival, can be left out.
_OURS = (
    "import keras_mir as km; "
    f"km.cross_validate('vectors', '{_VECTORS}.npy', {FOLDS}, labels='{_VECTORS}.csv', baseline=False, "
    "out='{scratch}/run', cache_dir='{folder}/cache')"
)
_THEIRS = ["-m", "benchmarks.rivals.svm_folds", "--data", f"{_VECTORS}.npy", "--labels", f"{_VECTORS}.csv"]

ROWS = (
    Row(
        name=f"head on vectors, {CLIPS:,} clips, {FOLDS} folds",
        rival="scikit-learn's SVM, its C chosen within each fold",
        wanted=1.0,
        ours=Side("benchmarks.command", {"arguments": ["-c", _OURS]}),
        theirs=(
            Side(
                "benchmarks.command",
                {"arguments": [*_THEIRS, "--folds", str(FOLDS), "--out", "{scratch}/run"]},
            ),
        ),
        check=close,
        rounds=3,
        note="a whole process",
        inputs=lambda inputs: inputs.vectors(CLIPS, SIZE),
    ),
)
