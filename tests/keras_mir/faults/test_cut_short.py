"""What is left by a command that is killed at a random moment, or meets a full or read-only disk.

Nothing half-made is; and it goes on, to the same end. A command joins by a line in `COMMANDS`.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

IN_A_CHAIN = 10  # kills, before a run is left alone

# Of what JSON says, what is of the moment.
_OF_THE_MOMENT = {
    "seconds",
    "started",
    "model",
    "export_dir",
    "cache_dir",
    "data",
    "out",
    "command",
    "sha256",
}


@dataclass(frozen=True)
class Command:
    """A command that may be killed; all its paths are relative to the folder it runs in.

    Attributes:
        argv: How it is started.
        again: How it goes on once it has been killed, by the file that must be there for it; else as `argv`.
        needs: Commands that make what it reads.
        changes: Folders of what it reads that it changes, file by file.
        results: Folders that it writes.
        growing: Files of theirs that change while it works; others are there as they will be at the
            end, or not at all.
        passing: Files that are there only while it works.
        noted: Files that differ from one run to the next.
        finished: What it says, with status 2, if all was done when it was killed.
        in_the_normal_tests: How often it is killed there.
    """

    argv: Sequence[str]
    again: tuple[str, Sequence[str]] | None = None
    needs: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    finished: str = ""
    in_the_normal_tests: int = 0

    def next(self, folder: Path) -> Sequence[str]:
        """How it is started, or goes on, in a folder."""
        place, argv = self.again or ("", self.argv)
        return argv if place and (folder / place).exists() else self.argv

    def is_finished(self, ended: Any) -> bool:
        """Whether it had done all when it was killed, and says so."""
        return bool(self.finished) and ended.is_refusal and self.finished in ended.output


_FIT = ("fit", "lstm-beat-mel", "--units", "4", "--layers", "1", "--epochs", "4", "--data", "course")
_SIMILAR = ("similar", "audio/0.wav", "--in", "vectors/table.parquet")
COMMANDS = {
    "prepare": Command(
        ("prepare", "audio", "--labels", "audio/labels.csv", "--out", "data", "--jobs", "1"),
        results=("data",),
        growing=("data/*.sha256", "data/levels.jsonl"),
        passing=("data/unfinished.json",),
        in_the_normal_tests=1,
    ),
    "fit": Command(
        (*_FIT, "--out", "run", "--no-export"),
        again=("run/run.json", ("fit", "--resume", "run")),
        results=("run",),
        growing=("run/checkpoint/*", "run/history.csv"),
        noted=("run/logs/*",),
        finished="the run is finished",
    ),
    "folds": Command(
        (*_FIT, "--folds", "2", "--ensemble", "--out", "folds", "--no-export"),
        again=("folds/run.json", ("fit", "--resume", "folds")),
        results=("folds",),
        growing=("folds/*/checkpoint/*", "folds/*/history.csv"),
        noted=("folds/*/logs/*",),
        finished="the run is finished",
    ),
    "export": Command(
        ("export", "run", "--format", "savedmodel", "--name", "tiny"),
        needs=("fit",),
        results=("saved_models",),
    ),
    "evaluate": Command(
        ("evaluate", "run", "--data", "course", "--out", "evaluation"),
        needs=("fit",),
        results=("evaluation",),
    ),
    "predict": Command(
        ("predict", "audio", "--model", "tiny", "--out", "answers", "--skip-existing", "--plot"),
        needs=("fit", "export"),
        results=("answers",),
    ),
    "embed": Command(
        ("embed", "audio", "--model", "tiny", "--out", "vectors/table.parquet", "--jobs", "1"),
        needs=("fit", "export"),
        results=("vectors",),
    ),
    "similar": Command(
        (*_SIMILAR, "--playlist", "3", "--out", "alike/next.m3u8", "--map", "alike/map.html"),
        needs=("fit", "export", "embed"),
        results=("alike",),
    ),
    "write-tags": Command(
        ("predict", "audio", "--model", "tiny", "--write-tags", "genre,bpm", "--yes"),
        needs=("fit", "export"),
        changes=("audio",),
        results=("audio",),
        growing=("audio/*.wav",),
    ),
    "compare": Command(
        ("compare", "run", "evaluation", "--out", "compared"),
        needs=("fit", "evaluate"),
        results=("compared",),
    ),
    "reproduce": Command(
        ("reproduce", "--out", "page", "--data", "full", "--only", "7b", "--settings", "ours", "--quick"),
        results=("page",),
        growing=("page/results.json", "page/index.*", "page/runs/*/history.csv", "page/runs/*/checkpoint/*"),
        noted=("page/logs/*", "page/runs/*/logs/*", "page/index.*"),
    ),
}


def lasting(value: Any) -> Any:
    """What JSON says, without what is of the moment."""
    if isinstance(value, dict):
        return {name: lasting(each) for name, each in value.items() if name not in _OF_THE_MOMENT}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def content(path: Path) -> Any:
    """What is in a file, to compare; fails if it is half there."""
    if path.suffix == ".json":
        return lasting(json.loads(path.read_text("utf-8")))
    if path.suffix in (".keras", ".npz"):
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
            if path.suffix == ".npz":
                return {name: _digest(file.read(name)) for name in file.namelist()}
            return _arrays(
                file.read("model.weights.h5")
            )  # what layers are called depends on others made before
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        return {name: _digest(table[name].to_json().encode()) for name in table if name != "path"}
    if path.suffix in (".pb", ".sha256") or path.name in ("tf_serving_warmup_requests", "model_card.md"):
        return path.stat().st_size > 0  # the order of functions, or the day, is not always the same
    if path.suffix in (".html", ".m3u8"):  # where the songs are is another place each time
        return re.sub(r'[^"\n]*/audio/', "", path.read_text("utf-8"))
    if path.name.startswith("variables."):
        return path.stat().st_size
    return _digest(path.read_bytes())


def _arrays(content: bytes) -> dict[str, str]:
    arrays: dict[str, str] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.endswith("seed"):  # of dropout, which is new
            arrays[name] = _digest(np.asarray(item).tobytes())

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(note)
    return arrays


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def found(command: Command, folder: Path) -> dict[str, Any]:
    """What a command has written, by name; of hidden files the names alone."""
    paths = [path for result in command.results for path in sorted((folder / result).rglob("*"))]
    files = {str(path.relative_to(folder)): path for path in paths if path.is_file()}
    return {
        name: None if "/." in name or _matches(name, command.noted) else content(path)
        for name, path in files.items()
        if not _matches(name, ("*/events.out.tfevents.*",))
    }


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run.

    Attributes:
        folder: It was run in.
        found: What it left there.
        seconds: It took.
    """

    folder: Path
    found: Mapping[str, Any]
    seconds: float


def check_halfway(command: Command, whole: Whole, folder: Path) -> None:
    """Fail if something that a command has left is not as it will be at the end."""
    now = found(command, folder)
    for path, value in now.items():
        expected = whole.found.get(same_version(path))
        if None not in (value, expected) and not _matches(path, command.growing):
            assert value == expected, path
    unknown = {same_version(path) for path in now if "/." not in path} - whole.found.keys()
    assert not [path for path in unknown if not _matches(path, command.passing)]


def check_end(command: Command, whole: Whole, folder: Path) -> None:
    """Fail unless a command has left what it leaves when nothing happens, and nothing else."""
    end = {same_version(path): value for path, value in found(command, folder).items()}
    assert end.keys() == whole.found.keys()
    assert end == whole.found


def same_version(name: str) -> str:
    """The name of a file in an exported model's first version: one that was there already is no fault."""
    return re.sub(r"^(saved_models/tiny)/\d+/", r"\1/1/", name)


@pytest.fixture(scope="module")
def uninterrupted(inputs, warm_process, tmp_path_factory) -> Callable[[str], Whole]:
    """Runs a command of the table, and what it needs, once."""
    done: dict[str, Whole] = {}

    def run(name: str) -> Whole:
        if name in done:
            return done[name]
        command = COMMANDS[name]
        folder = tmp_path_factory.mktemp(name)
        provide(command, folder, inputs, [run(need).folder for need in command.needs])
        ended = warm_process(command.argv[0]).run(command.argv, folder)
        assert ended.status == 0, ended.output
        done[name] = Whole(folder, found(command, folder), ended.seconds)
        return done[name]

    return run


def provide(command: Command, folder: Path, inputs: Path, needed: Sequence[Path]) -> None:
    """Put what a command reads into a folder, as links where it is only read."""
    for place in (inputs, *needed):
        for path in place.iterdir():
            if (folder / path.name).exists():
                continue
            if path.name in command.changes:
                shutil.copytree(path, folder / path.name)
            else:
                (folder / path.name).symlink_to(path.resolve())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_goes_on(name, cases, inputs, uninterrupted, warm_process, tmp_path):
    command = COMMANDS[name]
    kills = cases.number(1) if not cases.are_few else command.in_the_normal_tests
    if not kills:
        pytest.skip("it takes too long for the normal tests")
    whole, process = uninterrupted(name), warm_process(command.argv[0])
    chance = random.Random(f"{cases.seed} {name}")
    done = 0
    while done < kills:
        folder = tmp_path / "killed"
        folder.mkdir()
        provide(command, folder, inputs, [uninterrupted(need).folder for need in command.needs])
        for left in range(min(IN_A_CHAIN, kills - done), -1, -1):
            moment = chance.uniform(0, whole.seconds) if left else None
            ended = process.run(command.next(folder), folder, moment)
            if ended.status != -9:
                break
            done += 1
            check_halfway(command, whole, folder)
            cases.count(f"kills of {name}", "survived")
        assert ended.status == 0 or command.is_finished(ended), ended.output
        check_end(command, whole, folder)
        cases.count(f"runs of {name} to their end", "as uninterrupted")
        shutil.rmtree(folder)


@pytest.fixture
def on_disk(cases, warm_process, tmp_path) -> Callable[..., Any]:
    """A process for a command, with a disk of its own."""
    if cases.are_few:
        pytest.skip("it takes too long for the normal tests")
    disk = tmp_path / "disk"
    disk.mkdir()
    return lambda name, options: warm_process(name, disk=disk, options=options)


# What changes files one by one says of each that it cannot; see `test_file_tags`.
WRITING = [name for name, command in COMMANDS.items() if not command.changes]


@pytest.mark.parametrize("name", WRITING)
def test_a_command_goes_on_after_a_full_disk(name, cases, inputs, uninterrupted, on_disk):
    command, whole = COMMANDS[name], uninterrupted(name)
    process = on_disk(name, "size=256m")
    chance = random.Random(f"{cases.seed} {name}")
    needed = sum(
        path.stat().st_size for place in command.results for path in (whole.folder / place).rglob("*")
    )
    for number in range(cases.number(0.1)):
        folder, ballast = process.disk / f"{number}", process.disk / "ballast"
        folder.mkdir()
        provide(command, folder, inputs, [uninterrupted(need).folder for need in command.needs])
        space = shutil.disk_usage(process.disk).free
        ballast.write_bytes(bytes(space - int(needed * chance.uniform(0, 0.9)) // 4096 * 4096))
        here = process.inside(folder)
        ended = process.run(command.next(folder), here)
        assert ended.is_refusal, ended.output
        assert "space" in ended.output
        assert "the output folder" not in ended.output  # it has a name
        check_halfway(command, whole, folder)
        ballast.unlink()
        ended = process.run(command.next(folder), here)
        assert ended.status == 0, ended.output
        check_end(command, whole, folder)
        cases.count(f"full disks under {name}", "refused, and gone on")
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", WRITING)
def test_a_command_refuses_a_disk_it_may_not_write_to(name, cases, inputs, uninterrupted, on_disk, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    command = COMMANDS[name]
    process = on_disk(name, "size=1m,ro")
    provide(command, folder, inputs, [uninterrupted(need).folder for need in command.needs])
    for result in command.results:
        (folder / result).symlink_to(process.inside(process.disk))
    ended = process.run(command.argv, folder)
    assert ended.is_refusal, ended.output
    cases.count(f"read-only disks under {name}", "refused")
