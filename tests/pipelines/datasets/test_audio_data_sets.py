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


def deam(folder: Path) -> Place:
    tables = folder / "annotations" / "annotations averaged per song" / "song_level"
    tables.mkdir(parents=True)
    head = "song_id, valence_mean, valence_std, arousal_mean, arousal_std\n"
    (tables / "static_annotations_averaged_songs_1_2000.csv").write_text(
        f"{head}2, 3.1, 0.94, 3, 0.63\n3, 3.5, 1.75, 3.3, 1.62\n4, 5.7, 1.42, 5.5, 1.63\n"
    )
    (tables / "static_annotations_averaged_songs_2000_2058.csv").write_text(
        "song_id, valence_mean, valence_std, valence_ max_mean, valence_max_std, valence_min_mean, "
        "valence_min_std, arousal_mean, arousal_std, arousal_max_mean, arousal_max_std, arousal_min_mean, "
        "arousal_min_std\n2001, 6.6, 1.5, 7.4, 0.9, 3.6, 1.1, 5.2, 1.7, 6.6, 1.2, 3.4, 1.1\n"
    )
    audio_dir = touch(folder / "MEMD_audio", "2.mp3", "4.mp3", "2001.mp3")
    return audio_dir, tables / "static_annotations_averaged_songs_1_2000.csv"


def emomusic(folder: Path) -> Place:
    (folder / "static_annotations.csv").write_text(
        "song_id,mean_arousal,std_arousal,mean_valence,std_valence\n2,3.1,0.99,3.2,0.92\n7,5,1,6.5,1.3\n"
        "10,7.5,0.5,2.5,1\n"
    )
    (folder / "songs_info.csv").write_text(
        "song_id,file_name,Artist,Song title,start of the segment (min.sec),end of the segment (min.sec),"
        "Genre,Mediaeval 2013 set\n"
        '2,2.mp3,"One, and Two\t","Tables\t",0.32,1.17,"Blues\t",development\n'
        "7,7.mp3,\tThree,B,0.08,0.53,Pop\t,evaluation\n10,10.mp3,Four,C,1.2,2.05,Pop,development\n"
    )
    return touch(folder / "clips_45seconds", "2.mp3", "7.mp3"), folder / "static_annotations.csv"


EMOTIONS = "amazement, solemnity, tenderness, nostalgia, calmness, power, joyful_activation, tension, sadness"


def emotify(folder: Path) -> Place:
    head = f"track id, genre, {EMOTIONS}, mood, liked, disliked, age, gender, mother tongue\n"
    rows = [
        "1,classical,0,1,0,0,1,0,0,0,0,3,1,0,21,1,English",
        "1,classical,0,0,1,0,1,0,0,0,0,4,0,0,41,0,Dutch",
        "101,rock,0,0,0,0,0,1,1,0,0,2,1,0,21,1,Dutch",
        "102,rock,0,0,0,0,0,0,0,1,0,2,0,1,30,1,Russian",
    ]
    (folder / "data.csv").write_text(head + "\n".join(rows) + "\n")
    return touch(folder / "emotifymusic", "classical/1.mp3", "rock/1.mp3"), folder / "data.csv"


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
    "deam": deam,
    "emomusic": emomusic,
    "emotify": emotify,
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
    "deam": [("2", None, None, None), ("4", None, None, None), ("2001", None, None, None)],
    "emomusic": [("2", "train", "Blues", None), ("7", "test", "Pop", None)],
    "emotify": [("1", None, "classical", None), ("101", None, "rock", None)],
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
        "deam": "left out: 1 song not in",
        "emomusic": "left out: 1 song not in",
        "emotify": "left out: 1 clip not in",
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


AFFECT = {
    "deam": {"valence": [3.1, 5.7, 6.6], "arousal": [3.0, 5.5, 5.2]},
    "emomusic": {"valence": [3.2, 6.5], "arousal": [3.1, 5.0]},
    # The first was rated twice.
    "emotify": dict(
        zip(
            EMOTIONS.split(", "),
            [[0, 0], [0.5, 0], [0.5, 0], [0, 0], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]],
            strict=True,
        )
    ),
}


@pytest.mark.parametrize("kind", AFFECT)
def test_its_affect(kind: str, tmp_path: Path) -> None:
    place = MINIATURES[kind](tmp_path)
    labels = load_labelled_audio(*place).labels
    assert labels.targets == tuple(AFFECT[kind])
    assert labels.table[list(labels.targets)].to_dict("list") == AFFECT[kind]
    one = labels.targets[-1:]
    assert load_labelled_audio(*place, targets=one).labels.targets == one
    with pytest.raises(UserError, match=r"^targets energy: the data set has no such target; it has "):
        load_labelled_audio(*place, targets=("energy",))


def test_artists_of_emomusic(tmp_path: Path) -> None:
    labels = load_labelled_audio(*emomusic(tmp_path)).labels
    assert labels.table["artist"].tolist() == ["One, and Two", "Three"]


def test_files_of_emotify_may_be_named_after_their_ids(tmp_path: Path) -> None:
    folder, table = emotify(tmp_path)
    touch(folder, "rock/101.mp3", "rock/102.mp3")
    labels = load_labelled_audio(folder, table).labels
    assert labels.table["file"].tolist() == ["classical/1.mp3", "rock/101.mp3", "rock/102.mp3"]


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
    "deam": lambda text: text.replace("3.5", ""),
    "emomusic": lambda text: text.replace("7,5", "2,5"),
    "emotify": lambda text: text.replace("rock,0", "rock,x"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_tables_are_named(kind: str, tmp_path: Path) -> None:
    folder, table = MINIATURES[kind](tmp_path)
    table.write_text(DAMAGE[kind](table.read_text()))
    with pytest.raises(UserError) as refusal:
        load_labelled_audio(folder, table, layout=kind)
    assert str(refusal.value).startswith(f"{table}: ")
    assert "take" in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("mtg-jamendo", "autotagging-validation.tsv"),
        ("magnatagatune", "annotations_final.csv"),
        ("magnatagatune", "clip_info_final.csv"),
        ("emomusic", "songs_info.csv"),
    ],
)
def test_a_table_that_is_cut_after_its_header_is_named(kind: str, name: str, tmp_path: Path) -> None:
    folder, table = MINIATURES[kind](tmp_path)
    cut = tmp_path / name
    cut.write_text(f"{cut.read_text().splitlines()[0]}\n")
    with pytest.raises(UserError, match=f"{name}: a header but no rows; take it from"):
        load_labelled_audio(folder, table, layout=kind)


def test_a_clip_of_two_genres_is_refused(tmp_path: Path) -> None:
    folder, table = emotify(tmp_path)
    assert table
    table.write_text(table.read_text().replace("1,classical", "1,rock", 1))
    with pytest.raises(UserError, match=r"data.csv: clip 1 has lines of two genres; take it from"):
        load_labelled_audio(folder, table)


def test_a_folder_without_its_clips(tmp_path: Path) -> None:
    for name in ("fma", "mtg-jamendo", "magnatagatune", "deam", "emomusic", "emotify"):
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
