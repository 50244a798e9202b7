"""Every block of README and pages: commands that their parsers take, tables and recipes that are read, and,
with the marker `docs`, each page run from top to bottom on a few generated clips."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs import docker_stand_in
from tests.docs.blocks import BLOCKS, PAGES, ROOT, Block, blocks_of
from tests.keras_mir.export.hub import hub_on_this_machine

# What is not run, by the reason that the page itself gives, and how often: nothing, and so it should stay.
NOT_RUN: dict[str, int] = {}
# The environments of tox that run blocks, and what only they install.
ENVIRONMENTS = {"beam": "apache_beam", "onnx": "tf2onnx", "benchmarks": "torch"}
LANGUAGES = {"", "sh", "python", "toml", "csv", "text"}

SHELL = [block for block in BLOCKS if block.language in ("", "sh")]


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a shell script, those inside `$(...)`, too."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if inner := re.fullmatch(r"\$\((.*)\)", word):
                yield from commands(inner[1])
            if set(word) <= set("();|&"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def ours(words: list[str]) -> tuple[str, list[str]] | None:
    """The module and the arguments of a command that is ours."""
    program, *rest = words
    if Path(program).name in ("python", "python3") and rest[:1] == ["-m"] and "." in f"{rest[1]}.":
        module, arguments = rest[1], rest[2:]
        if module.split(".")[0] in ("keras_mir", "benchmarks"):
            return module, arguments
    if Path(program).name == "keras-mir" and rest:
        return f"keras_mir.{rest[0].replace('-', '_')}", rest[1:]
    return None


DOCKER = [words for block in SHELL for words in commands(block.text) if words[0] == "docker"]
OURS = [(block, *found) for block in SHELL for words in commands(block.text) if (found := ours(words))]


def test_blocks_say_what_they_are():
    assert {block.language for block in BLOCKS} <= LANGUAGES
    assert len(OURS) > 60
    assert Counter(b.mark[9:] for b in BLOCKS if b.mark.startswith("not run: ")) == NOT_RUN
    assert {block.environment for block in BLOCKS} == {"", *ENVIRONMENTS}
    # Diagrams; elsewhere a text is what a block before it prints, or a file that is checked.
    assert {b.page.stem for b in BLOCKS if b.language == "text" and not b.mark} <= {"how_it_works"}


def test_a_container_has_the_beam_that_starts_it():
    page = (ROOT / "docs/machines.md").read_text(encoding="utf-8")
    (dockerfile,) = [block.text for block in BLOCKS if block.mark == "Dockerfile"]
    (image,) = re.findall(r"^FROM apache/beam_python3\.11_sdk:(\S+)$", dockerfile, re.M)
    assert set(re.findall(r"apache-beam==([\d.]+)", page)) == {image}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.mark.startswith("run by: ")], ids=str)
def test_what_else_is_said_to_run_a_block_does(block):
    if block.environment:
        section = (
            (ROOT / "tox.ini").read_text(encoding="utf-8").partition(f"[testenv:{block.environment}]")[2]
        )
        assert "pytest -m docs tests/docs/test_blocks.py -k environment\n" in section.partition("[testenv")[0]
        return
    text = (ROOT / block.mark.removeprefix("run by: ")).read_text(encoding="utf-8")
    if block.mark.endswith(".py"):
        assert "blocks_run_by(__file__)" in text
    else:
        assert set(block.text.splitlines()) <= {
            each.removeprefix("commands_pre = ") for each in text.splitlines()
        }


@pytest.mark.parametrize("words", DOCKER, ids=lambda words: words[1])
def test_what_docker_is_given_is_there(words):
    given = {flag: [value for name, value in pairwise(words) if name == flag] for flag in ("-v", "-e", "-f")}
    assert all((ROOT / file).is_file() for file in given["-f"])
    places = {}  # by where the container sees them
    for volume in given["-v"]:
        here, _, there = volume.partition(":")
        places[there] = ROOT / here.removeprefix("$PWD/")
        # A model is there once it has been exported.
        assert places[there].is_dir() or here.startswith("$PWD/saved_models/"), volume
    for variable in given["-e"]:
        assert f"/models/{variable.removeprefix('MODEL_NAME=')}" in places
    for file in (Path(word.partition("=")[2]) for word in words if "_file=" in word):
        assert (places[str(file.parent)] / file.name).is_file(), file


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("-v HERE/other:/models", "HERE/other:/models: nothing is there to be mounted"),
        ("-v HERE:/models -e MODEL_NAME=m -p 8500:8500", "nothing leads to the port of REST, 8501"),
        ("-v HERE/m:/model -e MODEL_NAME=m -p 8501:8501", "/models/m: nothing is mounted there"),
        ("-v HERE:/models -e MODEL_NAME=n -p 8501:8501", "/models/n is HERE/n, which is not there"),
        ("-v HERE:/models -e MODEL_NAME=empty -p 8501:8501", "/models/empty has versions []; wanted: any"),
        ("-v HERE:/models -e MODEL=m -p 8501:8501", "the image reads two of them"),
        ("--vol HERE:/models", "unrecognized arguments: --vol"),
        ("-p 8501:8501 IMAGE --rest_port=1", "unrecognized arguments: --rest_port=1"),
        ("-p 8501:8501 IMAGE --batching_parameters_file=/config/b", "/config/b: nothing is mounted there"),
    ],
)
def test_the_stand_in_for_docker_refuses_what_would_not_start(words, complaint, tmp_path, capsys):
    for name in ("m/1", "empty"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "m/1/saved_model.pb").touch()
    image = docker_stand_in.TF_SERVING
    given = words.replace("IMAGE", image) if "IMAGE" in words else f"{words} {image}"
    with pytest.raises(SystemExit) as refused:
        docker_stand_in.main(["run", *given.replace("HERE", str(tmp_path)).split()])
    said = f"{refused.value} {capsys.readouterr().err}"
    assert complaint.replace("HERE", str(tmp_path)) in said


@pytest.fixture(autouse=True)
def _benchmarks_are_found(monkeypatch):
    """They are no part of the package. Last on the path, an installed package stays before the clone."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])


@pytest.mark.parametrize(("block", "module", "arguments"), OURS, ids=lambda value: str(value)[:40])
def test_a_command_is_one_that_its_parser_takes(block, module, arguments):
    from keras_mir.recipes.flags import changed_settings
    from keras_mir.recipes.named import named_recipe

    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    if module == "keras_mir.completion":
        assert arguments in (["bash"], ["zsh"], ["tcsh"])
        return
    if module.startswith("benchmarks."):
        assert importlib.util.find_spec(module)
        return
    if "--" in arguments:  # what follows is Beam's
        arguments = arguments[: arguments.index("--")]
    main = importlib.import_module(f"{module}.__main__")
    found = (main._parser if module == "benchmarks" else main.parser)().parse_args(arguments)
    if module == "keras_mir.fit":
        recipe = named_recipe(found.recipe) if found.recipe else named_recipe("small-cnn")
        recipe.with_settings(changed_settings(found))


def test_options_in_the_text_are_options_of_a_command():
    known = set()
    for name in (ROOT / "keras_mir").glob("*/__main__.py"):
        parser = importlib.import_module(f"keras_mir.{name.parent.name}.__main__").parser()
        for each in (parser, *_commands_of(parser)):
            known |= {option for action in each._actions for option in action.option_strings}
    # Of pip, pytest, the benchmarks, TF Serving and Beam.
    known |= {"--no-deps", "--timeout", "--dist", "--docs", "--readme", "--audio", "--allow"}
    known |= {"--save"}
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        said = set(re.findall(r"`[^`\n]*?(--[a-z][a-z-]+)", prose))
        assert said <= known, page


def _commands_of(parser):
    """The parsers of a command that has commands itself."""
    return [
        inside
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for inside in action.choices.values()
    ]


def test_extras_and_environments_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        extras = {name for group in re.findall(r"\.\[([a-z,-]+)\]", text) for name in group.split(",")}
        assert extras <= project["optional-dependencies"].keys(), page
        assert all(f"[testenv:{name}]" in tox for name in re.findall(r"tox -e (\w+)", text)), page


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "python"], ids=str)
def test_python_names_what_there_is(block):
    import keras_mir as km

    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "km":
            assert node.attr in dir(km)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_mir"):
            module = importlib.import_module(str(node.module))
            assert all(alias.name in dir(module) or hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in ("csv", "toml")], ids=str)
def test_tables_and_recipes_are_read(block, tmp_path):
    from keras_mir.recipes.named import RECIPES
    from keras_mir.recipes.recipe import read_recipe
    from pipelines.datasets.classes import load_class_map
    from pipelines.datasets.labels import read_label_table

    file = tmp_path / f"file.{block.language}"
    file.write_text(block.text, encoding="utf-8")
    if block.mark == "table":
        assert len(read_label_table(file)) == 2
    elif block.mark == "classes":
        load_class_map(str(file), ["Psych-Rock", "Spoken", "Rock"])
    else:
        assert block.mark.startswith("recipe: ")
        read_recipe(file, RECIPES)


def test_messages_are_those_of_the_code():
    said = {text for text in map(_normal, _strings("keras_mir", "pipelines")) if len(text) > 12}
    for message in _messages():
        parts = [part for part in message.split("…") if len(part) > 3]
        assert any(all(part in text for part in parts) for text in said) or all(
            any(part.strip(" ,;:") in text for text in said) for part in parts
        ), message


def test_every_message_has_a_test_that_expects_it():
    expected = {_normal(text).replace("\\", "") for text in _strings("tests")}
    for message in _messages():
        longest = max(message.split("…"), key=len).strip(" ,;:()")
        assert any(longest in text for text in expected), message


def _messages() -> list[str]:
    page = (ROOT / "docs/bad_input.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `(.+?)` \|", page, re.M)
    assert len(shown) > 60
    return shown


def test_the_tests_that_security_names_are_there():
    promises, _, rest = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## What is not")
    assert rest
    tests = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    rows = re.findall(r"^\| .+ \| (.*`.+`.*) \|$", promises, re.M)
    assert len(rows) > 10
    for row in rows:
        folder = ROOT
        for name in re.findall(r"`(.+?)`", row):
            if "/" in name or name.endswith(".py"):  # one without a folder is in that of the one before
                place = ROOT / name if "/" in name else folder / name
                assert place.exists(), name
                folder = place.parent
            else:
                assert f"def {name}(" in tests, name


def _strings(*folders: str) -> Iterator[str]:
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def _normal(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_readme_is_short_and_has_the_two_lines():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 200
    install = "python3 -m venv .venv && .venv/bin/pip install"
    job, tests = f"{install} . && .venv/bin/python -m keras_mir.fit", f"{install} tox && .venv/bin/tox"
    assert [block.text for block in BLOCKS if block.page.name == "README.md"][:2] == [
        f"{job}\n",
        f"{tests}\n",
    ]
    assert tests in (ROOT / ".ci/run").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)", readme):
        assert (ROOT / target).exists(), target


def test_measurements_are_those_of_the_results():
    from benchmarks import results

    entries = results.read(ROOT / "benchmarks/results.json")
    for page, shown in (("README.md", results.in_short(entries)), ("docs/measurements.md", entries)):
        text = (ROOT / page).read_text(encoding="utf-8")
        table = text.partition("<!-- benchmarks -->\n")[2].partition("\n\nMeasured")[0]
        expected = results.markdown(shown, {"cores": "", "processor": ""}, "", "").partition("\n\nMeasured")[
            0
        ]
        assert table == expected, page
    assert len(results.in_short(entries)) == len(results.IN_SHORT)


def test_the_tables_of_recognition_have_every_recipe_of_ours():
    from benchmarks.recognition import MEASURED, MORE_NEEDED, SAME
    from keras_mir.recipes.named import OUR_RECIPES, RECIPES

    page = (ROOT / "docs/measurements.md").read_text(encoding="utf-8").partition("### Which vectors")[0]
    assert set(re.findall(r"^\| `([\w-]+)`", page, re.M)) == set(MEASURED)
    assert {each.name for each in OUR_RECIPES} == {*MEASURED, *MORE_NEEDED, *SAME}
    for name, other in SAME.items():
        assert f"`{name}`" in page
        assert replace(RECIPES[name], name="", description="") == replace(
            RECIPES[other], name="", description=""
        )


def test_every_layer_has_a_section_and_a_picture():
    source = (ROOT / "keras_mir/layers/__init__.py").read_text(encoding="utf-8")
    names = sorted(ast.literal_eval(source.partition("__all__ = ")[2]))
    page = (ROOT / "docs/layers.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: keras_mir\.layers\.(\w+)$", page, re.M)) == names
    assert sorted(path.stem for path in (ROOT / "docs/figures/layers").glob("*.png")) == names
    assert sorted(re.findall(r"\]\(figures/layers/(\w+)\.png\)", page)) == names


# From here on, what takes minutes: `tox -e docs`.

CLIPS = 6  # of each genre
GENRES = {"Jazz": "piano;live", "Metal": "guitar;loud;live", "Classical": "piano;quiet"}
QUICK = ("--epochs", "2")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with what the pages speak of: MUSIC, DATA, song.mp3, models and runs of few steps."""
    import numpy as np
    import soundfile

    from pipelines.synthetic.render import render_clip

    if importlib.util.find_spec("musicnn") is None:
        pytest.skip("the pretrained network's weights are not installed")
    folder = tmp_path_factory.mktemp("pages")
    songs = folder / "MUSIC/songs"
    songs.mkdir(parents=True)
    lines = ["file,genre,tags,valence,energy,artist"]
    for genre, tags in GENRES.items():
        for number in range(CLIPS):
            file = f"songs/{genre}{number}.flac"
            soundfile.write(folder / "MUSIC" / file, render_clip(genre, number, 4.0).audio, 22050)
            lines.append(f"{file},{genre},{tags},{number / 10},{0.9 - number / 10:.1f},{genre} {number}")
    (folder / "MUSIC/labels.csv").write_text("\n".join(lines) + "\n")
    half = len(lines) // 2
    (folder / "part-1.csv").write_text("\n".join(lines[:half]) + "\n")
    (folder / "part-2.csv").write_text("\n".join([lines[0], *lines[half:]]) + "\n")
    for name in ("song.wav", "song.mp3"):
        soundfile.write(folder / name, render_clip("Jazz", 99, 6.0).audio, 22050)
    _programs(folder / "bin")

    def run(*words: str) -> None:
        subprocess.run(["python", "-m", *words], check=True, cwd=folder, env=environment(folder))

    run("keras_mir.prepare", "MUSIC", "--labels", "MUSIC/labels.csv", "--out", "DATA")
    shutil.copytree(folder / "DATA", folder / "OTHER_DATA")
    random = np.random.default_rng(0)
    (folder / "FEATURES").mkdir()
    (folder / "VECTORS").mkdir()
    rows = ["id,genre"]
    for number in range(18):
        fused = np.concatenate([random.uniform(-80, 0, (128, 90)), random.uniform(0, 1, (12, 90))])
        np.save(folder / f"FEATURES/{number}.npy", fused.astype(np.float32))
        np.save(folder / f"VECTORS/{number}.npy", random.normal(size=16).astype(np.float32))
        rows.append(f"{number},{'Jazz' if number % 2 else 'Metal'}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    run("keras_mir.fit", "lstm-beat-mel", "--data", "DATA", "--units", "8", "--out", "runs/RUN")
    for name in ("FIRST", "SECOND"):
        shutil.copytree(folder / "runs/RUN", folder / f"runs/{name}")
    run("keras_mir.embed", "MUSIC", "--model", "lstm-beat-mel", "--out", "vectors.parquet", "--jobs", "1")
    return folder


def environment(folder: Path, models: str = "") -> dict[str, str]:
    """Where `python` and `keras-mir` train for two epochs, and export only these recipes' models."""
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    packages = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PATH": path, "PYTHONPATH": packages, "NO_COLOR": "1", "MODELS": models}


def _programs(folder: Path) -> None:
    """`python` and `keras-mir`, which cut trainings short, and a `docker`."""
    folder.mkdir()
    start = f"#!{sys.executable}\nimport os, sys\nwords = sys.argv[1:]\n"
    shorten = (
        "if 'keras_mir.fit' in words and not {'--list', '--resume', '--overfit-batches'} & set(words):\n"
        f"    words += {list(QUICK)}\n"
        "    if os.environ['MODELS'] and not set(os.environ['MODELS'].split()) & set(words):\n"
        "        words += ['--no-export']\n"
    )
    python = f"{start}{shorten}os.execv({sys.executable!r}, [{sys.executable!r}, *words])\n"
    script = f"{start}os.execv({sys.executable!r}, [{sys.executable!r}, '-m', 'keras_mir', *words])\n"
    file = str(Path(__file__).with_name("docker_stand_in.py"))
    docker = f"{start}os.execv({sys.executable!r}, [{sys.executable!r}, {file!r}, *words])\n"
    for name, text in (("python", python), ("keras-mir", script), ("docker", docker)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


RUN_PAGES = [
    page for page in PAGES if any(b.runs and b.language in ("sh", "python") for b in blocks_of(page))
]


@pytest.mark.docs
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page, prepared, tmp_path):
    # An export takes longer than such a training: only of models that the page asks for.
    models = " ".join(re.findall(r"(?:--model |saved_models/)([\w-]+)", page.read_text(encoding="utf-8")))
    with Box(prepared, tmp_path, models or "none") as box:
        for block in blocks_of(page):
            if block.runs:
                box.run(block)


@pytest.mark.docs
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.environment], ids=str)
def test_a_block_runs_in_its_environment(block, request, tmp_path):
    if os.environ.get("TOX_ENV_NAME") != block.environment:  # which has it
        pytest.importorskip(ENVIRONMENTS[block.environment])
    with Box(request.getfixturevalue("prepared"), tmp_path, "none") as box:
        text = box.stood_in(block.text)
        made = [box.folder / name for name in re.findall(r"--out (\w+)\s", text)]
        assert len(made) == text.count("--out "), text  # none in a cloud
        for folder in made:  # to be made anew
            shutil.rmtree(folder, ignore_errors=True)
        box.run(block)
        assert all(any(folder.iterdir()) for folder in made)


# The three start alike; each has a folder of its own, for in another's all would be done.
CLUSTERS = {
    f"{out}/VECTORS --chunk 500 -- \\\n    --runner={name}": f"OF_{name} --chunk 500 -- --runner=DirectRunner"
    for out, name in (
        ("gs://BUCKET", "DataflowRunner"),
        ("s3://BUCKET", "FlinkRunner"),
        ("s3://BUCKET", "SparkRunner"),
    )
}
# What a reader has and a test has not, and what stands for it; then, smaller numbers of the same.
STAND_INS = CLUSTERS | {
    "gs://BUCKET/music": "MUSIC",
    "s3://BUCKET/music": "MUSIC",
    "192.168.1.10": "127.0.0.1",
    "ANOTHER/bin/python": "python",
    "OTHER/bin/python": "python",
    "s3://bucket/one.mp3": "song.mp3",
    "/music/two.flac": "MUSIC/songs/Jazz0.flac",
    "--workers 8": "--workers 1",
    "_workers=4": "_workers=2",
    "--folds 5": "--folds 2 --units 8 --layers 1",
    "--repeats 3": "--repeats 2",
    "--tune 20": "--tune 1 --units 8 --layers 1",
    "--out PAGE --quick": "--out PAGE --quick --only 4",
    "--only 5c,6,9 --seeds 3": "--only 7b --quick --settings ours",
    "benchmarks --docs": "benchmarks --docs --quick --only ragged,help",
    '"beat,extraction" --audio': '"beat-sync,extraction" --quick --audio',
    "benchmarks.scaling": "benchmarks.scaling --audio MUSIC --quick",
    "benchmarks.parity": "benchmarks.parity --audio MUSIC --only lstm-beat-mel",
    "benchmarks.page": "benchmarks.page --audio MUSIC --rounds 1",
}
PORTS = ("5050", "8786")  # that blocks name, and others may have taken


class Box:
    """A folder with what is prepared, and what runs blocks in it, one after the other."""

    def __init__(self, prepared: Path, place: Path, models: str) -> None:
        self.folder = place / "box"
        self._said = place / "said.txt"
        shutil.copytree(prepared, self.folder)
        for name in ("benchmarks", "docs"):  # benchmarks write into themselves and the pages
            shutil.copytree(ROOT / name, self.folder / name)
        shutil.copy(ROOT / "README.md", self.folder)
        # Its models.config names another model, too.
        there = self.folder / "saved_models"
        shutil.copytree(there / "lstm-beat-mel", there / "multitask-cnn-beat-mel")
        self._stack = ExitStack()
        _, hub = self._stack.enter_context(hub_on_this_machine())
        on_hub = {"HF_ENDPOINT": hub, "HF_TOKEN": "hf_nobody", "HF_HOME": str(place / "hub")}
        self._surroundings = environment(self.folder, models) | on_hub
        self._python = self._stack.enter_context(Python(self.folder))
        self._output = ""
        self._stand_ins = STAND_INS | {port: str(docker_stand_in.free(0)) for port in PORTS}

    def stood_in(self, text: str) -> str:
        for name, stand_in in self._stand_ins.items():
            text = text.replace(name, stand_in)
        return text

    def run(self, block: Block) -> None:
        text = self.stood_in(block.text)
        if block.mark.startswith("background: "):
            port = int(block.mark.removeprefix("background: "))
            self._stack.enter_context(self._running(block, text, port))
        elif block.mark == "shells":
            # All but the last stay, and each is started when the one before it has said that it is there.
            *staying, last = text.splitlines()
            with ExitStack() as stack:
                for line in staying:
                    stack.enter_context(self._running(block, line))
                self._shell(block, last)
        elif block.language == "sh":
            self._shell(block, text)
        elif block.language == "python":
            self._output = self._python.run(block, re.sub(r"epochs=\d+", "epochs=2", text))
        elif block.language == "toml" and block.mark.startswith("recipe: "):
            (self.folder / block.mark.removeprefix("recipe: ")).write_text(text)
        elif block.mark == "output":
            assert self._output == text, f"{block}: {self._output}"

    def _shell(self, block: Block, script: str) -> None:
        """Run a script; what it leaves in the background ends with it."""
        with (
            self._said.open("w") as said,
            subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=self.folder,
                env=self._surroundings,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                status = process.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        assert status == 0, f"{block}\n{self._said.read_text()[-6000:]}"

    @contextmanager
    def _running(self, block: Block, line: str, port: int | None = None) -> Iterator[None]:
        """A command that stays, once its port answers or, without one, once it says something."""
        command = ["env", *shlex.split(line)]
        pipe = subprocess.PIPE if port is None else None
        with subprocess.Popen(command, cwd=self.folder, env=self._surroundings, stdout=pipe) as process:
            try:
                if process.stdout:
                    process.stdout.readline()
                for _ in range(600 if port else 0):
                    with socket.socket() as probe:
                        if probe.connect_ex(("127.0.0.1", port)) == 0:
                            break
                    assert process.poll() is None, block
                    time.sleep(0.5)
                yield
                assert process.poll() is None, f"{block}: {line}"
            finally:
                process.terminate()

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Python:
    """One process that runs a page's blocks, one after the other."""

    def __init__(self, folder: Path) -> None:
        program = (
            "import contextlib, io, json, sys, traceback\n"
            "names = {'__name__': '__main__'}\n"
            "for line in sys.stdin:\n"
            "    said, failed = io.StringIO(), ''\n"
            "    try:\n"
            "        with contextlib.redirect_stdout(said):\n"
            "            exec(compile(json.loads(line), 'block', 'exec'), names)\n"
            "    except BaseException:\n"
            "        failed = traceback.format_exc()\n"
            "    print('\\0' + json.dumps([said.getvalue(), failed]), flush=True)\n"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(folder),
        )

    def run(self, block: Block, text: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("\0"):
                said, failed = json.loads(line[1:])
                assert not failed, f"{block}\n{failed}"
                return str(said)
        raise AssertionError(f"{block}: Python ended")

    def __enter__(self) -> Python:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # which closes its pipes
            self._process.kill()
