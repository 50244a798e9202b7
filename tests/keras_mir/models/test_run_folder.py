"""What a run's folder gives back of its files, and what is said of those that are damaged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from keras_mir.models.run_folder import RunFolder
from pipelines.errors import UserError

HISTORY = "epoch,loss,val_loss\n0,0.30000000000000004,\n1,inf,1e12\n"


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.history.write_text(HISTORY)
    history = run.read_history()
    assert history.index.tolist() == [0, 1]
    assert history.index.name == "epoch"
    np.testing.assert_array_equal(history.to_numpy(), [[0.1 + 0.2, np.nan], [np.inf, 1e12]])


@pytest.mark.parametrize(
    "content",
    [
        *("e", "\0" * 60, "[" * 99, HISTORY[:9]),
        *(HISTORY.replace("0,0", "x,0"), HISTORY.replace(".3", "x"), HISTORY.replace("epoch", "x")),
        HISTORY.replace("\n0", "\n" + "9" * 400),
    ],
)
def test_a_damaged_history_is_named(tmp_path: Path, content: str) -> None:
    run = RunFolder(tmp_path)
    run.history.write_text(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(run.history))}: [^\n]*; train the model again$"):
        run.read_history()
