"""The program's own files, damaged: refused in one line or made anew; never a traceback or other numbers."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import strategies as st

from keras_mir.models.folders import DESCRIPTION, read_description
from keras_mir.models.json_file import write_json
from keras_mir.models.report import read_report
from keras_mir.models.run_folder import RunFolder, RunOptions
from keras_mir.models.trained_model import Description, load
from keras_mir.recipes.named import named_recipe
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError

OPTIONS = RunOptions(
    data="", labels="", synced=False, skip_bad=False, cache_dir="cache", jobs=1, name="x", export=False,
    export_dir="saved", seed=0, devices=(),
)  # fmt: skip
JSON = st.sampled_from([None, True, 0, -1, 2**70, 1e308, float("nan"), "", "x\ny", [], {}, [None], {"x": {}}])


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where in a JSON value there are others: their keys, from the outside in."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (key,)
        yield from ((key, *more) for more in places(each))


@st.composite
def other_json(draw: st.DrawFn, whole: bytes) -> bytes:
    """A JSON file as another version, or another hand, may have left it."""
    values = copy.deepcopy(json.loads(whole))
    *outer, last = draw(st.sampled_from(list(places(values))))
    inside = values
    for key in outer:
        inside = inside[key]
    if draw(st.booleans()):
        del inside[last]
    else:
        inside[last] = draw(JSON)
    return json.dumps(draw(st.sampled_from([values, values, values, values, [], None]))).encode()


def check_read(path: Path, read: Callable[[], object], content: bytes) -> str:
    """Fail unless a file with that content is read, or refused in one line."""
    path.write_bytes(content)
    try:
        read()
    except UserError as refusal:
        message = str(refusal)
    else:
        return "read"
    assert "\n" not in message
    return "refused"


@pytest.mark.slow
def test_damaged_records(cases, damaged, tmp_path, course_data):
    run = RunFolder(tmp_path / "run")
    write_json(run.options, OPTIONS)
    run.recipe.write_text(tomli_w.dumps(named_recipe("lstm-beat-mel").to_dict()))
    data = Path(shutil.copytree(course_data, tmp_path / "data"))
    spec = load_examples(data, "genre", prefer_synced=True).spec
    (data / "dataset.json").write_text(json.dumps({"name": "data", "feature_spec": spec.to_dict()}))
    for path, read in (
        (run.options, run.read_options),
        (run.recipe, run.read_recipe),
        (data / "dataset.json", lambda: load_examples(data, "genre", prefer_synced=True)),
    ):
        whole = path.read_bytes()
        contents = damaged(st.just(whole))
        if path.suffix == ".json":
            contents |= other_json(whole)
        check = partial(check_read, path, read)
        cases.try_all(f"damaged {path.name}", 15, contents, check)


@dataclass(frozen=True)
class Kept:
    """A file that a command keeps, and the command that reads it.

    Attributes:
        path: In the folder that the command runs in; of several the first.
        argv: The command.
        results: Files, the first of several, that must be as without the damage unless the command refuses.
    """

    path: str
    argv: tuple[str, ...]
    results: tuple[str, ...] = ()


_RESUME = ("fit", "--resume", "run")
_EVALUATE = ("evaluate", "run", "--data", "course", "--out", "evaluation")
_PREDICT = ("predict", "audio/0.wav", "--model", "tiny", "--out", "answers", "--skip-existing")
_PREPARE = ("prepare", "audio", "--labels", "audio/labels.csv", "--out", "data", "--jobs", "1")
_TRY_OUT = (
    "fit",
    "cnn-beat-mel",
    "--data",
    "data",
    "--epochs",
    "1",
    "--overfit-batches",
    "1",
    "--out",
    "tried",
)
KEPT = (
    Kept("run/run.json", _RESUME, ("run/history.csv",)),
    Kept("run/recipe.toml", _RESUME, ("run/history.csv",)),
    Kept("run/split.csv", _RESUME, ("run/history.csv",)),
    Kept("run/checkpoint/state.json", _RESUME, ("run/history.csv",)),
    Kept("run/checkpoint/variables.npz", _RESUME, ("run/history.csv", "run/predictions.csv")),
    Kept("run/checkpoint/best.npz", _RESUME, ("run/history.csv", "run/predictions.csv")),
    Kept("run/cache/processed/*/*.f32", _RESUME, ("run/history.csv", "run/predictions.csv")),
    Kept("run/description.json", _EVALUATE),
    Kept("run/report.json", _EVALUATE),
    Kept("run/model.keras", _EVALUATE),
    Kept(f"saved_models/tiny/1/{DESCRIPTION}", _PREDICT),
    Kept("answers/*.json", _PREDICT),
    Kept("data/dataset.json", _PREPARE),
    Kept("data/examples.csv", _PREPARE, ("data/examples.csv",)),
    Kept("data/fma_genre_spectrograms_beat/train/0.fused.full.npy.gz", _TRY_OUT),
)


def first(folder: Path, pattern: str) -> Path:
    return min(folder.glob(pattern))


@pytest.fixture(scope="module")
def commands(warm_process):
    return warm_process("fit", "evaluate", "export", "predict", "prepare")


@pytest.fixture(scope="module")
def made(commands, inputs, tmp_path_factory) -> Path:
    """A folder with a run, an exported model and prepared data; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("audio", "course"):
        (folder / name).symlink_to(inputs / name)
    fit = "fit lstm-beat-mel --units 4 --layers 1 --epochs 3 --data course --out run --no-export"
    for argv in (
        fit.split(),
        ["export", "run", "--format", "savedmodel", "--name", "tiny"],
        _PREDICT,
        _PREPARE,
    ):
        ended = commands.run(argv, folder)
        assert ended.status == 0, ended.output
    return folder


@pytest.fixture
def whole(cases, request) -> Path:
    if cases.are_few:
        pytest.skip("a training and an export take too long for the normal tests")
    return request.getfixturevalue("made")


def test_damaged_descriptions(cases, damaged, whole, tmp_path):
    folder = Path(shutil.copytree(whole, tmp_path / "folder", symlinks=True))
    run, version = folder / "run", folder / "saved_models" / "tiny" / "1"
    for path, read in (
        (run / "description.json", lambda: load(run)),
        (run / "report.json", lambda: read_report(run / "report.json")),
        (
            version / DESCRIPTION,
            lambda: Description.from_dict(read_description(version), str(version), str(version)),
        ),
    ):
        content = path.read_bytes()
        check = partial(check_read, path, read)
        cases.try_all(f"damaged {path.name}", 10, damaged(st.just(content)) | other_json(content), check)
        path.write_bytes(content)


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.path)
def test_commands_whose_files_are_damaged(cases, whole, damage_at_random, tmp_path, kept, request):
    commands = request.getfixturevalue("commands")  # which are started only if there is time for them
    chance = random.Random(f"{cases.seed} {kept.path}")
    damaged_file = str(first(whole, kept.path).relative_to(whole))
    for number in range(cases.number(0.4)):
        folder = tmp_path / f"{number}"
        shutil.copytree(whole, folder, symlinks=True)
        # Absolute places in a run's options are of the folder that it was made in.
        options = folder / "run" / "run.json"
        options.write_text(options.read_text().replace(str(whole), str(folder)))
        if kept.argv == _RESUME:  # as it is when a run was stopped after its last epoch
            for name in ("report.json", "model.keras", "description.json", "predictions.csv", "history.csv"):
                (folder / "run" / name).unlink()
        content = (folder / damaged_file).read_bytes()
        (folder / damaged_file).write_bytes(damage_at_random(content, chance, number))
        ended = commands.run(kept.argv, folder)
        assert ended.status == 0 or ended.is_refusal, ended.output
        if ended.status == 0:
            for name in kept.results:
                assert first(folder, name).read_bytes() == first(whole, name).read_bytes(), ended.output
        outcome = "made anew, or no matter" if ended.status == 0 else "refused"
        cases.count(f"commands with a damaged {Path(kept.path).name}", outcome)
        shutil.rmtree(folder)
