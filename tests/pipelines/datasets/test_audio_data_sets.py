"""Every kind of labelled audio, in a miniature of its own true format: one contract for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.datasets import audio
from pipelines.datasets.audio import AUDIO_DATA_SETS, load_labelled_audio
from pipelines.datasets.labels import LabelledAudio
from pipelines.datasets.tags import tag_problem
from pipelines.errors import UserError

Place = tuple[Path, Path | None]


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def fma(folder: Path) -> Place:
    lines = [
        ",artist,set,set,track,track",
        ",id,split,subset,genre_top,genres_all",
        "track_id,,,,,",
        '2,1,training,small,Hip-Hop,"[21]"',
        '5,1,validation,small,Rock,"[12, 58]"',
        '1042,3,test,large,,"[58, 12]"',
        "3000,4,test,large,,[]",
    ]
    (folder / "tracks.csv").write_text("\n".join(lines) + "\n")
    genres = ["genre_id,#tracks,parent,title,top_level", "12,32923,0,Rock,12", "21,8389,0,Hip-Hop,21"]
    (folder / "genres.csv").write_text("\n".join([*genres, "58,1,12,Psych-Rock,12"]))
    return touch(
        folder / "fma_full", "000/000002.mp3", "000/000005.mp3", "001/001042.mp3"
    ), folder / "tracks.csv"


def gtzan(folder: Path) -> Place:
    return touch(folder / "genres", "blues/blues.00000.wav", "jazz/jazz.00054.au"), None


def mtg_jamendo(folder: Path) -> Place:
    head = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
    first, second = "artist_000014\talbum_000031\t", "artist_000015\talbum_000032\t"
    rows = {
        "train": f"track_0000214\t{first}14/214.mp3\t124.6\tgenre---punkrock\tgenre---rock\n",
        "validation": f"track_0000215\t{first}15/215.mp3\t151.4\tmood/theme---calm\n"
        f"track_0000217\t{first}17/217.mp3\t60\tgenre---rock\n",
        "test": f"track_0000216\t{second}16/216.mp3\t99\tgenre---rock\tmood/theme---calm\n",
    }
    for split, row in rows.items():
        (folder / f"autotagging-{split}.tsv").write_text(head + row)
    return touch(
        folder / "audio", "14/214.mp3", "15/215.low.mp3", "16/216.mp3"
    ), folder / "autotagging-train.tsv"


def magnatagatune(folder: Path) -> Place:
    head = '"clip_id"\t"no voice"\t"guitar"\t"sitar"\t"mp3_path"\n'
    rows = '"2"\t"1"\t"0"\t"0"\t"f/one-01-a-0-29.mp3"\n"6"\t"0"\t"1"\t"0"\t"c/two-02-b-30-59.mp3"\n'
    more = '"10"\t"0"\t"0"\t"0"\t"0/two-02-b-60-89.mp3"\n"11"\t"0"\t"0"\t"1"\t"1/gone-02-b-60-89.mp3"\n'
    (folder / "annotations_final.csv").write_text(head + rows + more)
    info = "clip_id\ttrack_number\ttitle\tartist\n2\t1\tA\tOne\n6\t2\tB\tTwo\n10\t2\tB\tTwo\n"
    (folder / "clip_info_final.csv").write_text(info)
    names = ("f/one-01-a-0-29.mp3", "c/two-02-b-30-59.mp3", "0/two-02-b-60-89.mp3")
    return touch(folder / "mp3", *names), folder / "annotations_final.csv"


def table(folder: Path) -> Place:
    (folder / "labels.csv").write_text(
        "file,tags,split\none.wav,rock;live,train\ntwo.wav,live,test\n3.wav,rock,test\n"
    )
    return touch(folder / "music", "one.wav", "two.wav", "3.wav"), folder / "labels.csv"


MINIATURES: dict[str, Callable[[Path], Place]] = {
    "fma": fma,
    "gtzan": gtzan,
    "mtg-jamendo": mtg_jamendo,
    "magnatagatune": magnatagatune,
    "table": table,
}
# By kind, the rows: id, split, genre, tags.
ROWS = {
    "fma": [
        ("000002", "train", "Hip-Hop", ("Hip-Hop",)),
        ("000005", "train", "Rock", ("Rock", "Psych-Rock")),
        ("001042", "test", "", ("Psych-Rock", "Rock")),
    ],
    "gtzan": [("blues_00000", None, "blues", None), ("jazz_00054", None, "jazz", None)],
    "mtg-jamendo": [
        ("track_0000214", "train", None, ("genre---punkrock", "genre---rock")),
        ("track_0000215", "train", None, ("mood/theme---calm",)),
        ("track_0000216", "test", None, ("genre---rock", "mood/theme---calm")),
    ],
    "magnatagatune": [
        ("2", "test", None, ("no voice",)),
        ("6", "train", None, ("guitar",)),
        ("10", "train", None, ()),
    ],
    "table": [
        ("one", "train", None, ("rock", "live")),
        ("two", "test", None, ("live",)),
        ("3", "test", None, ("rock",)),
    ],
}


@pytest.fixture(params=MINIATURES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(kind: str, tmp_path: Path) -> Place:
    return MINIATURES[kind](tmp_path)


@pytest.fixture
def loaded(place: Place) -> LabelledAudio:
    return load_labelled_audio(*place)


def test_all_kinds_have_a_miniature() -> None:
    assert MINIATURES.keys() == AUDIO_DATA_SETS.keys()


def test_it_is_told_from_all_others(kind: str, place: Place) -> None:
    known = [name for name, each in AUDIO_DATA_SETS.items() if each.recognises(*place)]
    assert known == [kind, "table"][: 1 + (kind != "table")]


def test_its_labels(kind: str, loaded: LabelledAudio) -> None:
    table = loaded.labels.table
    columns = [table.get(name, [None] * len(table)) for name in ("id", "split", "genre", "tags")]
    assert list(zip(*columns, strict=True)) == ROWS[kind]
    assert list(table.index) == list(range(len(table)))
    assert all((loaded.folder / file).is_file() for file in table["file"])
    labelled = [loaded.labels.has_labels(task) for task in ("genre", "affect", "tags")]
    assert (labelled[0] | labelled[1] | labelled[2]).all()
    assert not any(map(tag_problem, loaded.labels.tags))
    for tag in loaded.labels.tags:
        assert 0 < sum(tag in (tags or ()) for tags in table["tags"]) < len(table)


def test_it_says_whose_it_is_and_what_is_lacking(kind: str, loaded: LabelledAudio) -> None:
    assert bool(loaded.terms) == bool(loaded.name) == (kind != "table")
    if kind != "table":
        module = AUDIO_DATA_SETS[kind]
        citations = getattr(module, "CITATIONS", None) or (module.CITATION,)
        assert all(text in loaded.terms for text in (module.LICENCE, *citations))
    left_out = {
        "fma": "left out: 1 track of subset full not in",
        "mtg-jamendo": "left out: 1 track not in",
        "magnatagatune": "left out: 1 clip not in",
    }
    if kind in left_out:
        assert loaded.notes[0].startswith(left_out[kind])


def test_options_it_has_no_use_for_are_refused(kind: str, place: Place) -> None:
    values = {
        "subset": "small",
        "split_lists": [Path("a"), Path("b"), Path("c")],
        "targets": ["valence"],
        "tags": ["rock"],
    }
    for name, reason in AUDIO_DATA_SETS[kind].REFUSES.items():
        if name == "labels":
            continue
        with pytest.raises(UserError) as refusal:
            load_labelled_audio(*place, layout=kind, **{name: values[name]})
        assert str(refusal.value) == f"{name}: {reason}; leave it out"


def test_chosen_tags(tmp_path: Path) -> None:
    for name, tags in (
        ("fma", ("Rock", "Hip-Hop")),
        ("mtg-jamendo", ("genre---rock", "mood/theme---calm")),
        ("magnatagatune", ("guitar", "no voice")),
        ("table", ("rock", "live")),
    ):
        folder = tmp_path / name
        folder.mkdir()
        place = MINIATURES[name](folder)
        assert load_labelled_audio(*place, tags=tags).labels.tags == tags
        with pytest.raises(UserError, match=r"^tags polka: "):
            load_labelled_audio(*place, tags=("polka", tags[0]))


DAMAGE = {
    "fma": lambda text: text.replace("track,track", "x,x"),
    "mtg-jamendo": lambda text: text.replace("\tgenre---punkrock\tgenre---rock", ""),
    "magnatagatune": lambda text: text.replace('"6"\t"0"', '"6"\t"x"'),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_tables_are_named(kind: str, tmp_path: Path) -> None:
    folder, table = MINIATURES[kind](tmp_path)
    table.write_text(DAMAGE[kind](table.read_text()))
    with pytest.raises(UserError) as refusal:
        load_labelled_audio(folder, table, layout=kind)
    assert str(refusal.value).startswith(f"{table}: ")
    assert "take" in str(refusal.value)


def test_a_folder_without_its_clips(tmp_path: Path) -> None:
    for name in ("fma", "mtg-jamendo", "magnatagatune"):
        folder = tmp_path / name
        folder.mkdir()
        _, table = MINIATURES[name](folder)
        empty = tmp_path / f"no-{name}"
        empty.mkdir()
        with pytest.raises(UserError) as refusal:
            load_labelled_audio(empty, table)
        assert str(refusal.value).startswith(f"{empty}: no ")


def test_the_fifty_commonest_tags_of_magnatagatune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio.magnatagatune, "MOST", 2)
    folder, table = magnatagatune(tmp_path)
    text = table.read_text().replace('"10"\t"0"\t"0"\t"0"', '"10"\t"1"\t"1"\t"0"')
    table.write_text(text)
    loaded = load_labelled_audio(folder, table)
    assert loaded.labels.tags == ("guitar", "no voice")
    assert loaded.notes[1] == "the 2 tags that most clips have, of 3"
