"""Training a bidirectional LSTM."""

from __future__ import annotations

import numpy as np

from benchmarks.row import DifferenceError, Results, Row, Side

_EQUAL, _RAGGED = {"lengths": "equal"}, {"lengths": "ragged"}


def _same_step(ours: Results, theirs: Results) -> None:
    """The same loss, and the same change of the weights."""
    if ours.keys() != theirs.keys():
        raise DifferenceError(f"one gives {sorted(ours)}, the other {sorted(theirs)}")
    for name, change in ours.items():
        difference = np.linalg.norm(change - theirs[name]) / np.linalg.norm(change)
        if not difference < 1e-3:
            raise DifferenceError(f"{name}: differs by {difference:.2g} of its size")


ROWS = (
    Row(
        name="train step, bidirectional LSTM 2 x 256, batch 32, 64 steps, 128 bands",
        rival="PyTorch",
        wanted=1.1,
        ours=Side("benchmarks.ours.lstm_step", _EQUAL),
        theirs=(Side("benchmarks.rivals.torch_lstm_step", _EQUAL),),
        check=_same_step,
        rounds=25,
        floor=Side("benchmarks.rivals.lstm_products_alone", _EQUAL),
        note="floor: the matrix products alone",
    ),
    Row(
        name="train step, bidirectional LSTM 2 x 256, batch 32, 64 steps, 128 bands",
        rival="Keras's LSTM",
        wanted=2.5,
        ours=Side("benchmarks.ours.lstm_step", _EQUAL),
        theirs=(Side("benchmarks.rivals.keras_lstm_step", {"jit_compile": False}),),
        check=_same_step,
    ),
    Row(
        name="train step, bidirectional LSTM 2 x 256, batch 32, 64 steps, 128 bands",
        rival="Keras's LSTM, compiled by XLA",
        wanted=1.1,
        ours=Side("benchmarks.ours.lstm_step", _EQUAL),
        theirs=(Side("benchmarks.rivals.keras_lstm_step", {"jit_compile": True}),),
        check=_same_step,
        note="compiled anew for every shape of batch",
    ),
    Row(
        name="LSTM train step with ragged lengths, 29 to 129, 60 on average",
        rival="PyTorch, packed sequences",
        wanted=1.2,
        ours=Side("benchmarks.ours.lstm_step", _RAGGED),
        theirs=(Side("benchmarks.rivals.torch_lstm_step", _RAGGED),),
        check=_same_step,
        rounds=25,
        floor=Side("benchmarks.rivals.lstm_products_alone", _RAGGED),
        note="floor: the matrix products alone",
    ),
)
