"""From a trained model to the folder that TF Serving reads."""

from __future__ import annotations

from benchmarks.inputs import RECIPE
from benchmarks.row import Row, Side, close

ROWS = (
    Row(
        name=f"export with its checks, {RECIPE}",
        rival="`keras.Model.export` alone",
        wanted=0.33,
        ours=Side("benchmarks.ours.export"),
        theirs=(Side("benchmarks.rivals.keras_export"),),
        check=close,
        rounds=5,
        note="all signatures and their checks against one without; wanted: three times as long",
        inputs=lambda inputs: inputs.model(),
    ),
)
