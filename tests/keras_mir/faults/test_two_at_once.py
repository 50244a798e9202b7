"""Two trainings at the same time, on the same audio and with one cache: both end as one alone does."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from rich.console import Console

from keras_mir.command_line.progress import Shown
from keras_mir.data.find import find_examples
from keras_mir.recipes.named import named_recipe
from pipelines.input.cache import cache_examples
from tests.keras_mir.faults.conftest import WarmProcess

FIT = "fit lstm-beat-mel --units 4 --layers 1 --epochs 2 --validation 0.5 --no-export --jobs 1"
RESULTS = ("history.csv", "predictions.csv", "split.csv")


def test_who_comes_second_waits_for_the_features_and_has_the_same(cases, inputs, tmp_path):
    audio, recipe = inputs / "audio", named_recipe("lstm-beat-mel")

    def found(cache: Path, said: io.StringIO) -> tuple[list[bytes], list[int]]:
        console = Console(file=said, width=1000)
        examples = find_examples(audio, audio / "labels.csv", False, recipe, cache, 1, Shown(console))
        cached = cache_examples(examples, recipe.input, cache / "processed")
        return [Path(path).read_bytes() for path in cached.paths], cached.lengths.tolist()

    alone = found(tmp_path / "of-one", io.StringIO())
    for number in range(cases.number(1)):
        said = [io.StringIO(), io.StringIO()]
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(found, [tmp_path / f"of-two-{number}"] * 2, said))
        assert both == [alone, alone]
        assert sum("waiting for process" in each.getvalue() for each in said) <= 1
        cases.count("features made for two at once", "as for one alone")


@pytest.fixture
def processes(cases, tmp_path_factory) -> Iterator[list[WarmProcess]]:
    if cases.are_few:
        pytest.skip("it takes too long for the normal tests")
    with ExitStack() as stack:
        made = [WarmProcess(("prepare", "fit"), tmp_path_factory.mktemp("warm")) for _ in range(2)]
        yield [stack.enter_context(closing(each)) for each in made]


def test_two_trainings_with_one_cache(cases, inputs, processes, tmp_path):
    chance = random.Random(f"{cases.seed} two")
    (tmp_path / "audio").symlink_to(inputs / "audio")

    def fit(process: WarmProcess, out: str, cache: str) -> dict[str, bytes]:
        where = ["--data", "audio", "--labels", "audio/labels.csv", "--cache-dir", cache, "--out", out]
        ended = process.run([*FIT.split(), *where], tmp_path)
        assert ended.status == 0, ended.output
        return {name: (tmp_path / out / name).read_bytes() for name in RESULTS}

    alone = fit(processes[0], "alone", "of-one")
    for _ in range(cases.number(0.2)):
        with ThreadPoolExecutor(2) as pool:
            started = [pool.submit(fit, each, f"run-{n}", "of-two") for n, each in enumerate(processes)]
            both = [each.result() for each in started]
        assert both == [alone, alone]
        assert not [path for path in (tmp_path / "of-two").rglob(".*") if path.suffix in (".tmp", ".lock")]
        cases.count("two trainings with one cache", "as one alone")
        for folder in ("run-0", "run-1", *(["of-two"] if chance.random() < 0.8 else [])):
            shutil.rmtree(tmp_path / folder)
