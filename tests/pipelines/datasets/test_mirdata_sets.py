"""mirdata's data sets: a stand-in for the package, and one of its own loaders on a miniature."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipelines.datasets.mirdata_sets import load_mirdata
from pipelines.errors import ArgumentError, UserError


@pytest.fixture
def tracks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Of a stand-in's only data set, `toy`; those that are put in have their sound in the folder."""
    tracks: dict[str, Any] = {}

    def load_tracks() -> dict[str, Any]:
        for track in tracks.values():
            if track.audio_path:
                Path(track.audio_path).touch()
        return tracks

    def initialize(name: str, data_home: str) -> SimpleNamespace:
        return SimpleNamespace(
            data_home=data_home, load_tracks=load_tracks, bibtex="@a{b,\n  title={T}}", _license_info="CC BY"
        )

    stand_in = ModuleType("mirdata")
    stand_in.__spec__ = importlib.util.spec_from_loader("mirdata", None)
    stand_in.list_datasets = lambda: ["toy"]  # type: ignore[attr-defined]
    stand_in.initialize = initialize  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mirdata", stand_in)
    return tracks


def track(folder: Path, name: str, **attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(audio_path=str(folder / name), **attributes)


def test_genres_tags_affect_and_artists_are_attributes_of_tracks(tracks, tmp_path):
    tracks["a/1"] = track(tmp_path, "1.wav", genre="jazz", tags=["slow", "sad; blue"], artist="A", valence=3)
    tracks["2"] = track(tmp_path, "2.wav", genre="rock", tags=["fast"], artist="", valence=5.5)
    tracks["3"] = track(tmp_path, "3.wav", genre="rock", tags=[], artist="A", valence=None)
    loaded = load_mirdata("toy", tmp_path)
    assert loaded.labels.table.astype(object).fillna("none").to_dict("list") == {
        "id": ["a_1", "2", "3"],
        "file": ["1.wav", "2.wav", "3.wav"],
        "genre": ["jazz", "rock", "rock"],
        "tags": [("slow", "sad / blue"), ("fast",), ()],
        "artist": ["A", "", "A"],
        "valence": [3.0, 5.5, "none"],
    }
    assert (loaded.labels.targets, loaded.labels.tags) == (("valence",), ("fast", "sad / blue", "slow"))
    assert (loaded.folder, loaded.name) == (tmp_path, "toy")
    assert loaded.terms == "CC BY; cite @a{b, title={T}}"


def test_a_list_of_genres_is_tags_and_what_has_no_label_is_left_out(tracks, tmp_path):
    tracks["1"] = track(tmp_path, "1.wav", genre=["jazz", "blues"])
    tracks["2"] = track(tmp_path, "2.wav", genre=["rock"])
    tracks["3"] = track(tmp_path, "3.wav", genre=None)
    loaded = load_mirdata("toy", tmp_path, tags=("jazz", "rock"))
    assert loaded.labels.tags == ("jazz", "rock")
    assert loaded.labels.table["id"].tolist() == ["1", "2"]
    assert loaded.notes == ("left out: 1 track without labels",)


def test_numbers_are_learnt_by_their_names(tracks, tmp_path):
    tracks["1"] = track(tmp_path, "1.wav", loudness=-9.5, key="C")
    assert load_mirdata("toy", tmp_path, targets=("loudness",)).labels.table["loudness"].tolist() == [-9.5]
    refused = "targets key: tracks of mirdata's toy have no number of that name"
    with pytest.raises(ArgumentError) as refusal:
        load_mirdata("toy", tmp_path, targets=("key",))
    assert str(refusal.value) == refused


def test_a_mistake_is_one_line(tracks, tmp_path):
    def refusal(name: str = "toy", folder: Path = tmp_path) -> str:
        with pytest.raises(UserError) as error:
            load_mirdata(name, folder)
        return str(error.value)

    assert refusal("toi") == "mirdata toi: no such data set; it has toy"
    gone = tmp_path / "gone"
    assert refusal(folder=gone) == f"data_home {gone}: no such folder; give that of the data set"
    tracks["1"] = track(tmp_path, "1.wav", key="C", key_path="x")
    assert refusal() == (
        "mirdata toy: its tracks have no genre, tags or affect; choose targets among "
        "audio_path, key, key_path"
    )
    tracks["2"] = SimpleNamespace(audio_path=None)
    assert refusal() == "mirdata toy: its track 2 has no sound (audio_path); choose another"


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"^mirdata toy: needs mirdata; pip install 'keras-mir\[mirdata\]'$"):
        load_mirdata("toy", tmp_path)


def test_its_own_loader_of_gtzan(monkeypatch, tmp_path):
    core = pytest.importorskip("mirdata.core")
    files = {"blues.00000": "genres/blues/blues.00000.wav", "hiphop.00001": "genres/hiphop/hiphop.00001.wav"}
    for file in files.values():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    nothing = {"beats": [None, None], "tempo": [None, None]}
    index = {
        "version": "1.0",
        "tracks": {key: {"audio": [file, ""], **nothing} for key, file in files.items()},
    }
    with pytest.raises(
        UserError, match=r"^mirdata gtzan_genre: its index is not on this machine; get it with "
    ):
        load_mirdata("gtzan_genre", tmp_path)
    (tmp_path / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(core.Index, "get_path", lambda _: str(tmp_path / "index.json"))
    table = load_mirdata("gtzan_genre", tmp_path).labels.table
    assert table[["id", "file", "genre"]].to_numpy().tolist() == [
        ["blues.00000", files["blues.00000"], "blues"],
        ["hiphop.00001", files["hiphop.00001"], "hip-hop"],
    ]
