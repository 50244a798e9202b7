"""A model that was trained for a moment, and one that is none."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def run_folder(course_data, tmp_path_factory) -> Path:
    """The run of a small beat-synchronous model."""
    from rich.console import Console

    import keras_mir as km

    settings = {"units": 8, "layers": 1, "epochs": 1, "batch_size": 16}
    out = tmp_path_factory.mktemp("run") / "small"
    km.train("lstm-beat-mel", data=course_data, out=out, console=Console(quiet=True), **settings)
    return out
