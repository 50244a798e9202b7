"""The pictures of README and site are what `docs/figures.py` draws today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs/figures"


def pictures(folder: Path) -> dict[str, np.ndarray]:
    """By path in the folder, `(height, width, 3)` from 0 to 1."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): imread(file)[..., :3] for file in files}


def test_the_pictures_that_are_kept_are_those_that_are_drawn(tmp_path):
    command = [sys.executable, ROOT / "docs/figures.py", "--out", tmp_path]
    packages = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": packages})
    drawn, kept = pictures(tmp_path), pictures(KEPT)
    del kept["scaling.png"]  # of measurements, which benchmarks/scaling.py makes
    assert drawn.keys() == kept.keys()
    for name, picture in drawn.items():
        assert picture.shape == kept[name].shape, name
        assert picture.std() > 0.1, name  # not empty
        assert np.abs(picture - kept[name]).mean() < 0.02, name  # letters may be another version's
