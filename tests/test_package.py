"""Wheel and sdist: `tox -e package` builds them, reads metadata and contents, and installs one.

It also runs the blocks of README and pages that install, each in a clone of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import blocks_run_by

pytestmark = [pytest.mark.package, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[1]

# What must end well after a page's block, beside its folder `clone`, where no package is found by chance.
PROMISED = {
    "README.md": """
        test -f clone/saved_models/small-cnn/1/saved_model.pb
        test -f clone/runs/*/report.json
        """,
    "index.md": 'test "$(clone/.venv/bin/keras-mir --version)" = "keras-mir $VERSION"',
    "machines.md": """
        clone/beam/bin/python -c "import apache_beam, keras_mir"
        clone/beam/bin/python -m keras_mir.beam --help
        clone/beam/bin/python -m pip check
        """,
    "CONTRIBUTING.md": """
        clone/.venv/bin/python -c "import keras_mir as km; assert '$PWD/clone/keras_mir' in km.__path__"
        source clone/.venv/bin/activate
        cd clone
        test -x .git/hooks/pre-commit
        pre-commit run --all-files
        pytest tests/pipelines/datasets
        mkdocs build --strict
        """,
}


def copy_what_git_has(folder: Path) -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with a wheel and an sdist, of what git has here."""
    if importlib.util.find_spec("build") is None:
        pytest.skip("build is not installed")
    folder = tmp_path_factory.mktemp("package")
    copy_what_git_has(folder / "source")
    command = [sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "source"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


def tracked(folder: str) -> set[str]:
    names = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(names.stdout.split())


def test_metadata_is_what_an_index_takes(built):
    command = [sys.executable, "-m", "twine", "check", "--strict", *built.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_wheel_has_the_packages_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == tracked("keras_mir") | tracked("pipelines")
    assert {"keras_mir/py.typed", "pipelines/py.typed"} <= names


def test_the_sdist_builds_what_the_wheel_is_of(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE", "keras_mir/__init__.py"):
        assert needed in names


def interpreter(version: str) -> str:
    """Python of a version: the one at work, or one on the path; the test is skipped where there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{version}")
    # Managers of versions leave commands on the path that say how to choose one.
    if not found or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no python{version} on the path")
    return found


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_is_installed_in_a_clean_environment(version, wheel, tmp_path):
    subprocess.run([interpreter(version), "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, cwd=tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def said(*command: object) -> str:
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    version = said(python, "-c", "import keras_mir; print(keras_mir.__version__)").strip()
    assert said(tmp_path / "venv/bin/keras-mir", "--version") == f"keras-mir {version}\n"
    assert f"-{version}-" in wheel.name
    assert "small-cnn" in said(python, "-m", "keras_mir.fit", "--list")
    song = "np.sin(np.arange(66150) / 20).astype('float32')"
    shape = f"import numpy as np, keras_mir as km; print(km.features({song}, 22050).fused.shape)"
    assert said(python, "-c", shape) == "(140, 130)\n"
    said(python, "-m", "pip", "check")


@pytest.fixture
def clone(tmp_path) -> Iterator[Path]:
    """A repository of what git has here. What is installed there takes gigabytes, and goes with it."""
    folder = tmp_path / "clone"
    copy_what_git_has(folder)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], check=True, cwd=folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("block", blocks_run_by(__file__), ids=str)
def test_a_block_that_installs_keeps_its_promise(block, clone):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    version = re.search(r'__version__ = "(.+)"', (ROOT / "pipelines/version.py").read_text())
    environment = {**kept, "VERSION": version[1]}
    for script, folder in ((block.text, clone), (PROMISED[block.page.name], clone.parent)):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-6000:]}"
