"""From what a user names to labelled examples."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from keras_mir.command_line.progress import Shown
from keras_mir.data.find import find_examples
from keras_mir.recipes.named import named_recipe


def test_targets_that_are_asked_for_are_found_in_a_table_of_audio_and_the_rest_is_named(tmp_path: Path):
    music = tmp_path / "music"
    music.mkdir()
    for number in range(4):
        noise = 0.1 * np.random.default_rng(number).standard_normal(22050)
        soundfile.write(music / f"{number}.wav", noise, 22050)
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,genre,valence [mean],bpm,calm\n" + "".join(f"{n}.wav,Rock,1,9{n},.5\n" for n in range(4))
    )
    recipe = named_recipe("multitask-cnn-beat-mel")

    def found(targets: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        console = Console(file=io.StringIO(), width=200)
        asked = recipe.with_settings({"targets": targets})
        examples = find_examples(music, table, False, asked, tmp_path / "cache", 1, Shown(console))
        return examples.targets, console.file.getvalue()

    targets, printed = found(())
    assert targets == ("calm",)
    assert "note: column 'valence [mean]' is no target: an output's name may hold" in printed
    targets, printed = found(("bpm",))
    assert targets == ("bpm",)
    assert "note:" not in printed


def test_the_cache_may_be_in_the_folder_of_the_data(tmp_path: Path):
    music, console = tmp_path / "music", Shown(Console(quiet=True))
    music.mkdir()
    for number in range(4):
        noise = 0.1 * np.random.default_rng(number).standard_normal(22050)
        soundfile.write(music / f"{number}.wav", noise, 22050)
    rows = [f"{n}.wav,{'AB'[n % 2]},{('train', 'test')[n // 2]}\n" for n in range(4)]
    (music / "labels.csv").write_text("file,genre,split\n" + "".join(rows))
    recipe, cache = named_recipe("small-cnn"), music / "run" / "cache"
    first, second = (
        find_examples(music, music / "labels.csv", False, recipe, cache, 1, console) for _ in range(2)
    )
    assert Path(first.table["path"][0]).is_relative_to(cache)
    assert second.table.equals(first.table)
    assert len(list(cache.rglob("features-*"))) == 1
