"""A data set's vectors: those that prepare made of its sound, or made from its spectrograms, once."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from keras_mir.command_line.progress import Shown
from keras_mir.data.embed import embedded
from keras_mir.models.pretrained import networks
from keras_mir.models.pretrained.networks import NETWORKS
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError
from pipelines.levels import LEVELS, Levels
from pipelines.spec import FeatureSpec
from tests.keras_mir.conftest import write_course_data

QUIET = Shown(Console(quiet=True))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_course_data(tmp_path_factory.mktemp("full"), per_genre=2, synced=False)


def examples_of(data):
    return load_examples(data, "genre", prefer_synced=False)


def test_vectors_are_made_from_spectrograms_once(musicnn, data, tmp_path, monkeypatch):
    examples = examples_of(data)
    made = embedded(examples, "musicnn-mtt", data, tmp_path, QUIET)
    assert (made.spec.maker, made.spec.made_from, made.spec.n_bands) == ("musicnn-mtt", "mel", 1506)
    assert list(made.table["id"]) == list(examples.table["id"])
    vectors = [np.load(path) for path in made.table["path"]]
    # 150 to 200 frames are 3.5 to 4.6 s, which is one patch of 3 s.
    assert {(vector.shape, vector.dtype) for vector in vectors} == {((1506, 1), np.dtype("float32"))}
    assert not np.allclose(vectors[0], vectors[1])
    monkeypatch.setattr(networks.Network, "weights", lambda self: pytest.fail("made again"))
    again = embedded(examples, "musicnn-mtt", data, tmp_path, QUIET)
    assert list(again.table["path"]) == list(made.table["path"])


@pytest.mark.slow
def test_levels_are_used_where_all_are_known(musicnn, data, tmp_path):
    examples, levels = examples_of(data), Levels(tmp_path / LEVELS)
    for identity in examples.table["id"][1:]:
        levels.append(identity, 20.0)
    without, again = (embedded(examples, "musicnn-mtt", root, tmp_path, QUIET) for root in (data, tmp_path))
    assert again.spec.made_from == "mel"
    assert list(again.table["path"]) == list(without.table["path"])
    levels.append(examples.table["id"][0], 20.0)
    made = embedded(examples, "musicnn-mtt", tmp_path / "fma_genre_spectrograms", tmp_path, QUIET)
    assert made.spec.made_from == "mel and level"
    assert set(made.table["path"]).isdisjoint(without.table["path"])
    assert not np.allclose(np.load(made.table["path"][0]), np.load(without.table["path"][0]), atol=0.01)


@pytest.mark.slow
def test_data_of_which_there_is_sound_are_told_of_embed(musicnn, data, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_mir.command_line.progress._SECONDS_BETWEEN_LINES", float("inf"))
    examples, levels = examples_of(data), Levels(tmp_path / LEVELS)
    for identity in examples.table["id"]:
        levels.append(identity, 20.0)
    first, again, without = (Console(file=io.StringIO(), width=40) for _ in range(3))
    embedded(examples, "musicnn-mtt", tmp_path, tmp_path, Shown(first))
    embedded(examples, "musicnn-mtt", tmp_path, tmp_path, Shown(again))
    embedded(examples, "musicnn-mtt", data, tmp_path, Shown(without))
    assert first.file.getvalue() == (
        f"musicnn-mtt: vectors are made from the spectrograms and kept in {tmp_path / 'embeddings'}; "
        "prepare --embed musicnn-mtt makes them once for all runs, from the sound\n"
    )
    assert again.file.getvalue() == without.file.getvalue() == ""


def test_those_that_prepare_made_are_taken(data, tmp_path):
    root = tmp_path / "data"
    folder = root / "embeddings" / "musicnn-mtt"
    folder.mkdir(parents=True)
    examples = examples_of(data)
    for identity in examples.table["id"][1:]:
        np.save(folder / f"{identity}.npy", np.zeros((1506, 2), np.float32))
    spec = {"maker": "musicnn-mtt", "n_bands": 1506, "made_from": "audio", "sample_rate": 16000}
    (folder / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(
        UserError, match=r"train0.npy: missing; run the same python -m keras_mir.prepare again"
    ):
        embedded(examples, "musicnn-mtt", root, tmp_path, QUIET)
    np.save(folder / "train0.npy", np.zeros((1506, 2), np.float32))
    made = embedded(examples, "musicnn-mtt", root, tmp_path, QUIET)  # without the wheel
    assert made.spec.to_dict() == spec
    assert Path(made.table["path"][0]) == folder / "train0.npy"
    (folder / "spec.json").write_text("{")
    with pytest.raises(UserError, match=r"spec.json: damaged, not JSON .*delete its folder and prepare"):
        embedded(examples, "musicnn-mtt", root, tmp_path, QUIET)


def test_a_missing_wheel_and_a_damaged_checkpoint_are_named(musicnn, data, tmp_path, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr("keras_mir.models.pretrained.networks._WHEEL", "nothing_of_that_name")
        with pytest.raises(UserError) as missing:
            embedded(examples_of(data), "musicnn-msd", data, tmp_path, QUIET)
    assert str(missing.value) == (
        "musicnn-msd: its weights come with another package; "
        "get them with pip install --no-deps musicnn==0.1.0"
    )
    index = ".index"
    other = {**NETWORKS["musicnn-mtt"].digests, index: "0" * 64}
    monkeypatch.setitem(
        NETWORKS, "musicnn-mtt", networks.Network("musicnn-mtt", "MTT_musicnn", other, (), "")
    )
    with pytest.raises(UserError) as damaged:
        embedded(examples_of(data), "musicnn-mtt", data, tmp_path, QUIET)
    assert str(damaged.value) == (
        f"{musicnn / 'MTT_musicnn' / index}: damaged, or of another version; "
        "get it again with pip install --no-deps musicnn==0.1.0 --force-reinstall"
    )


def test_beat_synchronous_files_are_refused(musicnn, course_data, tmp_path):
    examples = load_examples(course_data, "genre", prefer_synced=True)
    with pytest.raises(UserError, match="musicnn-mtt needs spectrograms of every frame"):
        embedded(examples, "musicnn-mtt", course_data, tmp_path, QUIET)


def test_spectrograms_of_other_settings_are_refused(musicnn, data, tmp_path):
    examples = replace(examples_of(data), spec=FeatureSpec(hop_length=256))
    with pytest.raises(
        UserError,
        match=r"standard settings alone; make its vectors of the sound by .* --embed musicnn-mtt$",
    ):
        embedded(examples, "musicnn-mtt", data, tmp_path, QUIET)
