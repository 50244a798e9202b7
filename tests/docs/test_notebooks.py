"""The notebooks, each run from top to bottom in a folder of its own, on music that it generates."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docs, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    if "musicnn-mtt" in path.read_text(encoding="utf-8") and importlib.util.find_spec("musicnn") is None:
        pytest.skip("the pretrained network's weights are not installed")
    packages = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", packages)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are made anew, not kept"
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=1800, resources=resources).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert any("text/plain" in out.get("data", ()) for out in outputs)
    pictures = [out.data for out in outputs if "<Figure" in out.get("data", {}).get("text/plain", "")]
    assert all("image/png" in picture for picture in pictures)
    said = "".join(out.get("text", "") for out in outputs)
    assert "error:" not in said, said
    assert not [out.text for out in outputs if out.get("name") == "stderr"]
    assert "\x1b[2K" not in said  # lines drawn again
