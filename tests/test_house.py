"""The house: what imports what, counted on the code, so that it stays as it was built."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]

DOOR = "keras_mir"  # its __init__.py and __main__.py, both nothing but names of what is inside

# From the ground up: a folder, or file, of a line may import those of the lines before, and no others.
FLOORS = (
    {"pipelines"},
    {"command_line", "layers", "client"},
    {"recipes"},
    {"models"},
    {"data", "data_service"},
    {"evaluate", "prepare"},
    {"export", "predict", "compare"},
    {"embed", "fit"},
    {"similar", "beam"},
    {"serve", "reproduce", "benchmarks", DOOR},
)
# Without benchmarks. A command has arrows to command_line and pipelines, mostly models, and to
# what it builds on. Embed and similar have seven, the page with songs that sound alike one more, and beam,
# which has three commands' work done elsewhere, five. Names that are looked up as text when they are used,
# as those of the door and what can be done with a model, do not count.
MOST_ROOMS, MOST_ARROWS = 20, 60


def room(module: str) -> str:
    """The folder at the top of the house that a module is in."""
    top, *inside = module.split(".")
    return inside[0] if top == "keras_mir" and inside and inside[0] != "__main__" else top


def imports() -> dict[tuple[str, str], set[str]]:
    """Where each room's imports go, with the modules that have them."""
    arrows = defaultdict(set)
    for package in ("keras_mir", "pipelines", "benchmarks"):
        for file in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                for name in _imported(node):
                    if name.split(".")[0] in ("keras_mir", "pipelines", "benchmarks"):
                        arrows[room(module), room(name)].add(module)
    return {ends: modules for ends, modules in arrows.items() if ends[0] != ends[1]}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module if node.module != "keras_mir" else f"keras_mir.{node.names[0].name}"]
    return []


def test_imports_go_down():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    rooms = {path.stem for path in (ROOT / "keras_mir").iterdir() if path.suffix == ".py" or path.is_dir()}
    rooms -= {"__pycache__", "__init__", "__main__"}
    assert rooms | {"pipelines", DOOR, "benchmarks"} == set(floor), "a new room wants a floor"
    up = {ends: modules for ends, modules in imports().items() if floor[ends[0]] <= floor[ends[1]]}
    assert not up


def test_a_reader_can_take_it_in_at_a_glance():
    arrows = [ends for ends in imports() if "benchmarks" not in ends]
    assert len(set().union(*FLOORS) - {"benchmarks"}) <= MOST_ROOMS
    assert len(FLOORS) <= 10
    assert len(arrows) <= MOST_ARROWS


def test_pipelines_know_nothing_of_models():
    assert not [ends for ends in imports() if ends[0] == "pipelines"]
