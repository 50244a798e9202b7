"""FMA in miniature, from its own tables and mp3 files to a data set."""

from __future__ import annotations

import csv
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from keras_mir.prepare.__main__ import main
from pipelines.datasets.audio import load_labelled_audio
from pipelines.datasets.course import load_course
from pipelines.errors import UserError

RATE = 22050
load_fma = partial(load_labelled_audio, layout="fma")
# The columns of tracks.csv as of May 2017, in order.
COLUMNS = {
    "album": "comments date_created date_released engineer favorites id information listens producer tags "
    "title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created favorites id "
    "latitude location longitude members name related_projects tags website wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top genres "
    "genres_all information interest language_code license listens lyricist number publisher tags title",
}
TRACKS_HEADER = [(group, name) for group, names in COLUMNS.items() for name in names.split()]
ECHONEST_HEADER = [
    ("echonest", part, name)
    for part, names in {
        "audio_features": "acousticness danceability energy instrumentalness liveness speechiness tempo "
        "valence",
        "metadata": "album_date album_name",
        "ranks": "artist_discovery_rank",
        "temporal_features": "000 001",
    }.items()
    for name in names.split()
]
# Track: artist, split, subset, genre_top.
TRACKS = {
    2: ("1", "training", "small", "Hip-Hop"),
    5: ("1", "training", "small", "Hip-Hop"),
    140: ("2", "validation", "small", "Rock"),
    1042: ("3", "test", "small", "Rock"),
    99134: ("4", "training", "small", "Hip-Hop"),
    2000: ("5", "training", "medium", "Jazz"),
    3000: ("6", "training", "large", ""),
    3001: ("6", "test", "large", ""),
}
# Track: danceability, energy, tempo, valence.
ECHONEST = {
    2: (".5", ".25", "165.9", ".75"),
    1042: ("0.1", "0.9", "90.0", "1e-05"),
    3000: (".1", ".2", "80", ".3"),
}


def write_table(
    path: Path, header: list[tuple[str, ...]], rows: dict[int, dict[tuple[str, ...], str]]
) -> None:
    """As pandas writes a table with several header rows and a named index."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for level in zip(*header, strict=True):
            writer.writerow(["", *level])
        writer.writerow(["track_id", *[""] * len(header)])
        for track, cells in rows.items():
            writer.writerow([track, *(cells.get(column, "") for column in header)])


def write_tracks(path: Path, tracks: dict[int, tuple[str, str, str, str]] = TRACKS) -> None:
    rows = {}
    for track, (artist, split, subset, genre) in tracks.items():
        rows[track] = {
            ("album", "comments"): "0" if track % 2 else "-1.0",  # pandas warns of columns of mixed types
            ("artist", "bio"): '<p>A "poet",\nborn in Zürich,\n\ntrack_id</p>',
            ("artist", "id"): artist,
            ("set", "split"): split,
            ("set", "subset"): subset,
            ("track", "genre_top"): genre,
            ("track", "genres"): "[21, 3]",
            ("track", "title"): "nan" if track == 2 else "Food, and more",
        }
    write_table(path, TRACKS_HEADER, rows)


def write_echonest(path: Path, values: dict[int, tuple[str, str, str, str]] = ECHONEST) -> None:
    names = ("danceability", "energy", "tempo", "valence")
    rows = {
        track: {("echonest", "audio_features", name): cell for name, cell in zip(names, cells, strict=True)}
        for track, cells in values.items()
    }
    write_table(path, ECHONEST_HEADER, rows)


def write_clips(folder: Path, *tracks: int) -> None:
    for track in tracks:
        path = folder / f"{track // 1000:03d}" / f"{track:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.random.default_rng(track).standard_normal(2 * RATE), RATE)


@pytest.fixture
def fma(tmp_path: Path) -> Path:
    """A folder with `fma_metadata` and an empty `fma_small`."""
    (tmp_path / "fma_metadata").mkdir()
    (tmp_path / "fma_small").mkdir()
    write_tracks(tmp_path / "fma_metadata" / "tracks.csv")
    write_echonest(tmp_path / "fma_metadata" / "echonest.csv")
    return tmp_path


def place(folder: Path, *tracks: int) -> Path:
    """Files that pass for clips as long as nobody decodes them."""
    for track in tracks:
        path = folder / f"{track // 1000:03d}" / f"{track:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def prepare(fma: Path, *more: str) -> int:
    tracks = str(fma / "fma_metadata" / "tracks.csv")
    out = str(fma / "data")
    return main([str(fma / "fma_small"), "--labels", tracks, "--out", out, "--jobs", "1", *more])


def test_the_tables_are_as_pandas_reads_fma(fma: Path) -> None:
    """Proves the miniature, which the other tests rest on: these two calls are FMA's own."""
    tracks = pd.read_csv(fma / "fma_metadata" / "tracks.csv", index_col=0, header=[0, 1])
    assert tracks.index.name == "track_id"
    assert tracks.shape == (len(TRACKS), 52)
    assert tracks.loc[3000].isna()["track", "genre_top"]
    echonest = pd.read_csv(fma / "fma_metadata" / "echonest.csv", index_col=0, header=[0, 1, 2])
    assert echonest.at[2, ("echonest", "audio_features", "valence")] == 0.75


def test_a_data_set_comes_out(fma: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(fma / "fma_small", 2, 140, 1042)
    place(fma / "fma_small", 99134, 2000)
    assert prepare(fma) == 0
    printed = capsys.readouterr().out
    assert "note: left out: 1 track of subset small not in" in printed  # 5
    assert "warning: 1 audio file has no label in" in printed  # 2000, of subset medium
    assert "1 clip known to be damaged, left out" in printed
    assert "holds no audio in FMA's own clips" in " ".join(printed.split())
    assert "3 extracted, 0 already there, 0 failed, 1 left out" in printed

    genre = load_course(fma / "data", "genre", synced=True)
    assert genre.table.set_index("id")[["genre", "split", "artist"]].T.to_dict("list") == {
        "000002": ["Hip-Hop", "train", "1"],
        "000140": ["Rock", "train", "2"],
        "001042": ["Rock", "test", "3"],
    }
    assert genre.name == "FMA small"
    assert "CC BY 4.0" in genre.licence
    assert "ISMIR 2017" in genre.licence
    affect = load_course(fma / "data", "affect", synced=False)
    assert affect.targets == ("valence", "energy", "danceability")
    assert affect.table.set_index("id")[list(affect.targets)].T.to_dict("list") == {
        "000002": [0.75, 0.25, 0.5],
        "001042": [1e-05, 0.9, 0.1],
    }


def test_a_clip_that_should_be_good_still_fails(fma: Path) -> None:
    write_clips(fma / "fma_small", 2, 1042)
    place(fma / "fma_small", 5, 99134)
    assert prepare(fma, "--licence", "mine") == 1
    assert json.loads((fma / "data" / "dataset.json").read_text())["licence"] == "mine"


def test_subsets_are_nested(fma: Path) -> None:
    tracks = fma / "fma_metadata" / "tracks.csv"
    audio = place(fma / "fma_medium", *TRACKS)
    everything = {2, 5, 140, 1042, 99134, 2000, 3000}  # 3001 has no label
    for folder, subset, expected in (
        (audio, "small", {2, 5, 140, 1042, 99134}),
        (audio, None, {2, 5, 140, 1042, 99134, 2000}),
        (audio, "large", everything),
        (place(fma / "clips", *TRACKS), None, everything),
    ):
        loaded = load_fma(folder, tracks, subset=subset)
        assert set(loaded.labels.table["id"].astype(int)) == expected
    assert "left out: 1 track with neither genre_top nor affect values" in loaded.notes


def test_targets_may_be_other_audio_features_or_absent(fma: Path) -> None:
    tracks, audio = fma / "fma_metadata" / "tracks.csv", place(fma / "fma_small", 2, 5)
    loaded = load_fma(audio, tracks, targets=["tempo"])
    np.testing.assert_array_equal(loaded.labels.table["tempo"], [165.9, np.nan])
    (fma / "fma_metadata" / "echonest.csv").unlink()
    loaded = load_fma(audio, tracks)
    assert loaded.labels.targets == ()
    assert any("genres alone" in note for note in loaded.notes)


def test_a_table_without_the_row_for_the_index_name(fma: Path) -> None:
    path = fma / "fma_metadata" / "tracks.csv"
    path.write_text(path.read_text().replace("track_id" + "," * 52 + "\n", ""))
    assert len(load_fma(place(fma / "fma_small", 2, 5), path).labels) == 2


def replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_mistakes_are_named(fma: Path) -> None:
    tracks, echonest = fma / "fma_metadata" / "tracks.csv", fma / "fma_metadata" / "echonest.csv"
    audio = fma / "fma_small"
    with pytest.raises(UserError, match=r"fma_small: no track of FMA's subset small is in it as 000/000002"):
        load_fma(audio, tracks)
    place(audio, 2, 5)
    with pytest.raises(UserError, match="subset tiny: FMA has no such subset; give one of small, medium"):
        load_fma(audio, tracks, subset="tiny")
    with pytest.raises(UserError, match=r"no such folder"):
        load_fma(fma / "elsewhere", tracks)
    with pytest.raises(UserError, match=re.escape("no column (echonest, audio_features, joy), so")):
        load_fma(audio, tracks, targets=["joy"])
    place(audio, 140)
    write_echonest(echonest, {2: (".5", "inf", ".1", ".2")})
    with pytest.raises(UserError, match=r"echonest.csv: track 2, energy: 'inf' is not a finite number"):
        load_fma(audio, tracks)
    write_echonest(echonest, {1042: ECHONEST[1042]})
    with pytest.raises(UserError, match="none of the tracks in the folder is in it; ask for no targets"):
        load_fma(audio, tracks, targets=["energy"])
    echonest.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"echonest.csv: no column \(echonest, audio_features, valence\)"):
        load_fma(audio, tracks)
    echonest.unlink()
    with pytest.raises(UserError, match=r"echonest.csv: no such file; take it from fma_metadata.zip"):
        load_fma(audio, tracks, targets=["energy"])

    for cells, message in (
        (("1", "dev", "small", "Rock"), "track 2 has the split 'dev', not one of training, validation, test"),
        (("1", "training", "huge", "Rock"), "track 2 has the subset 'huge'"),
    ):
        write_tracks(tracks, {2: cells})
        with pytest.raises(UserError, match=message):
            load_fma(audio, tracks)
    write_tracks(tracks)
    with tracks.open("a") as file:
        file.write("2" + "," * 52 + "\n")
    with pytest.raises(UserError, match="a row begins with '2', which is no track id or was there before"):
        load_fma(audio, tracks)
    write_tracks(tracks)
    tracks.write_text(tracks.read_text()[:-5])
    with pytest.raises(
        UserError, match=r"tracks.csv: line \d+ is malformed \(unexpected end of data\); download"
    ):
        load_fma(audio, tracks)
    tracks.write_text('a,"b')
    with pytest.raises(
        UserError, match=r"tracks.csv: line 1 is malformed \(unexpected end of data\); take it from"
    ):
        load_fma(audio, tracks)
    tracks.write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=r"tracks.csv: not UTF-8 text; take it from fma_metadata.zip"):
        load_fma(audio, tracks)


def test_options_of_other_layouts_are_refused(fma: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(fma / "fma_small", 2)
    for options, message in (
        (
            ("--split-lists", "a", "b", "c"),
            "error: --split-lists: only GTZAN's split is in lists; leave it out",
        ),
        (("--layout", "gtzan"), "error: --labels: GTZAN's genres are the names of its folders; leave it out"),
        (("--group-by", "artist"), "has a split column, which decides; leave out grouping by 'artist'\n"),
        (("--layout", "table", "--subset", "small"), "error: --subset: only FMA has subsets; leave it out"),
    ):
        assert prepare(fma, *options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert main([str(fma / "fma_small"), "--layout", "fma", "--out", str(fma / "data")]) == 2
    assert (
        f"error: --labels: those of {fma / 'fma_small'} are in FMA's tracks.csv; name it"
        in capsys.readouterr().err
    )
    assert not (fma / "data").exists()
