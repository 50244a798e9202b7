"""Extracting a folder of audio: layout, resuming, bad files, full disks."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import signal
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_limits

from pipelines.datasets.audio import load_labelled_audio
from pipelines.datasets.course import load_course
from pipelines.datasets.labels import LabelledAudio, read_label_table
from pipelines.errors import UserError
from pipelines.extraction import features
from pipelines.extraction.dataset import ExtractionResult, check_dataset, extract_dataset
from pipelines.files import locked
from pipelines.levels import LEVELS, Levels
from pipelines.spec import FeatureSpec

RATE = 22050
SPEC = FeatureSpec()
FULL = "fma_genre_spectrograms"
LABELS = """id,file,genre,calmness,power,artist
01,a/one.wav,Rock,.1,.9,Ann
02,a/two.flac,Rock,.2,.8,Bob
03,b/one.wav,Folk,.3,.7,Cid
04,b/two.ogg,Folk,.4,.6,Dan
"""


def write_clip(path: Path, seed: int, seconds: float = 1.5) -> None:
    """A tone over clicks of noise."""
    t = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(t))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, 0.2 * np.sin(2 * np.pi * 110 * (seed + 2) * t) + 0.2 * noise * np.exp(-40 * (t % 0.4)), RATE
    )


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """A folder of four clips, with `labels.csv` beside it."""
    for seed, name in enumerate(("a/one.wav", "a/two.flac", "b/one.wav", "b/two.ogg")):
        write_clip(tmp_path / "audio" / name, seed)
    (tmp_path / "labels.csv").write_text(LABELS)
    return tmp_path / "audio"


def prepare(audio: Path, spec: FeatureSpec = SPEC, **options: object) -> ExtractionResult:
    labels = read_label_table(audio.parent / "labels.csv")
    options = {"test_fraction": 0.5, **options}
    source = LabelledAudio(audio, labels, lacking="")
    return extract_dataset(source, audio.parent / "data", spec=spec, **options)  # type: ignore[arg-type]


def relabel(audio: Path, text: str) -> None:
    (audio.parent / "labels.csv").write_text(text)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_course_layout_comes_out(audio: Path) -> None:
    assert prepare(audio, licence="CC0", seed=3) == ExtractionResult(4, 0, (), 0)
    data = audio.parent / "data"
    for synced in (False, True):
        genre = load_course(data, "genre", synced)
        assert sorted(genre.table["id"]) == ["01", "02", "03", "04"]
        assert genre.table["split"].value_counts().to_dict() == {"train": 2, "test": 2}
        assert sorted(genre.where(genre.table["split"].to_numpy() == "test").table["genre"]) == [
            "Folk",
            "Rock",
        ]
        affect = load_course(data, "affect", synced)
        assert affect.targets == ("calmness", "power")
        assert dict(zip(affect.table["id"], affect.table["power"], strict=True))["02"] == 0.8
        assert affect.spec == SPEC
        assert affect.licence == "CC0"
        for one, other in zip(genre.table["path"], affect.table["path"], strict=True):
            assert Path(one).samefile(other)
    assert set(genre.table["artist"]) == {"Ann", "Bob", "Cid", "Dan"}

    split = dict(zip(genre.table["id"], genre.table["split"], strict=True))["01"]
    with threadpool_limits(limits=1):
        made = features.extract(audio / "a" / "one.wav", SPEC)
    for folder, expected in ((FULL, made.fused), (f"{FULL}_beat", made.beat_fused)):
        written = data / folder / split / "01.fused.full.npy.gz"
        np.testing.assert_array_equal(np.load(io.BytesIO(gzip.decompress(written.read_bytes()))), expected)
    beats = np.load(data / "beats" / "01.beats.npy")
    np.testing.assert_array_equal(beats, made.beats)
    assert beats.dtype == np.int64
    assert Levels(data / LEVELS)["01"] == pytest.approx(made.level, abs=1e-3)

    info = json.loads((data / "dataset.json").read_text())
    assert info["name"] == info["audio"] == "audio"
    assert info["feature_spec"] == SPEC.to_dict()
    assert info["targets"] == ["calmness", "power"]
    assert (info["seed"], info["test_fraction"], info["group_by"]) == (3, 0.5, "artist")
    assert info["versions"]["librosa"]


def test_levels_are_kept_with_the_clips_and_a_clip_that_lost_its_own_is_made_anew(audio: Path) -> None:
    prepare(audio)
    file = audio.parent / "data" / LEVELS
    before = Levels(file)
    assert sorted(before) == ["01", "02", "03", "04"]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][:-9])  # as a process leaves it that is killed in it
    assert prepare(audio) == ExtractionResult(1, 3, (), 0)
    assert Levels(file) == before


def test_a_data_set_without_levels_stays_so_and_is_not_made_anew(audio: Path) -> None:
    prepare(audio)
    file = audio.parent / "data" / LEVELS
    file.unlink()  # as an earlier version left it
    assert prepare(audio) == ExtractionResult(0, 4, (), 0)
    assert not file.exists()


@pytest.mark.slow
def test_processes_write_the_same_bytes_as_one(audio: Path) -> None:
    prepare(audio)
    (audio.parent / "data").rename(audio.parent / "one")
    assert prepare(audio, jobs=2).done == 4
    assert tree(audio.parent / "data") == tree(audio.parent / "one")


def test_features_that_were_damaged_are_made_anew(audio: Path) -> None:
    prepare(audio)
    data = audio.parent / "data"
    complete = tree(data)
    names = [name for name in complete if "/01." in name] + ["beats/02.beats.npy"]
    full, beats = next(data / name for name in names), data / names[-1]
    full.write_bytes(full.read_bytes()[:-100])  # one file under two names, in both folders
    beats.write_bytes(beats.read_bytes()[:-1] + b"\x01")
    removed = (audio / "b" / "two.ogg").read_bytes()
    (audio / "b" / "two.ogg").unlink()
    write_clip(audio / "b" / "one.wav", 7)

    checked = check_dataset(audio, data)
    assert checked.unchanged == len([name for name in complete if name.endswith(("npy", "gz"))]) - 3 + 2
    assert set(checked.changed) == {
        *((str(path), "feature changed") for path in data.glob(f"*/*/{full.name}") if path.samefile(full)),
        (str(beats), "feature changed"),
        (str(audio / "b" / "one.wav"), "sound changed"),
        (str(audio / "b" / "two.ogg"), "sound missing"),
    }
    (audio / "b" / "two.ogg").write_bytes(removed)
    write_clip(audio / "b" / "one.wav", 2)
    assert prepare(audio) == ExtractionResult(2, 2, (), 0)
    assert tree(data) == complete
    write_clip(audio / "b" / "one.wav", 7)
    assert prepare(audio) == ExtractionResult(1, 3, (), 0)
    assert not check_dataset(audio, data).changed


def test_checksums_are_found_anew_where_there_are_none(audio: Path) -> None:
    prepare(audio)
    data = audio.parent / "data"
    complete = tree(data)
    (data / "features.sha256").unlink()
    with pytest.raises(UserError, match=r"features.sha256: no checksums there; prepare the data once more"):
        check_dataset(audio, data)
    (data / "sources.sha256").write_bytes(b"torn")
    full = next(data.glob(f"{FULL}/*/01.*"))
    full.write_bytes(full.read_bytes()[:-1])
    assert prepare(audio) == ExtractionResult(1, 3, (), 0)
    assert tree(data) == complete


def test_two_do_not_work_in_one_folder(audio: Path) -> None:
    with locked(audio.parent / "data"), pytest.raises(UserError, match=f"data: process {os.getpid()} on "):
        prepare(audio)
    assert prepare(audio).done == 4


def test_a_killed_run_is_taken_up(audio: Path) -> None:
    prepare(audio)
    data = audio.parent / "data"
    complete = tree(data)
    # As a kill in the middle leaves it: no tables, one clip not there, one half-written.
    (data / "dataset.json").rename(data / "unfinished.json")
    for name in complete:
        if name.endswith(("labels.txt", "examples.csv")) or "/02." in name:
            (data / name).unlink()
    half = data / FULL / "train" / ".02.fused.full.npy.gz.4711.tmp"
    half.write_bytes(b"half")

    with pytest.raises(
        UserError, match="data: its features have hop_length 512, not 256; choose another folder to write to"
    ):
        prepare(audio, FeatureSpec(hop_length=256))
    reported: list[tuple[int, int]] = []
    result = prepare(audio, progress=lambda finished, total: reported.append((finished, total)))
    assert result == ExtractionResult(1, 3, (), 0)
    assert reported == [(3, 4), (4, 4)]
    assert tree(data) == complete


def test_a_name_that_is_lost_is_linked_again(audio: Path) -> None:
    prepare(audio)
    data = audio.parent / "data"
    complete = tree(data)
    for path in data.glob("multitask_dataset*/*/01.*"):
        path.unlink()
    assert prepare(audio) == ExtractionResult(0, 4, (), 0)
    assert tree(data) == complete


def test_a_new_split_moves_features_and_leaves_none_behind(audio: Path) -> None:
    for split in ("train,train,train,test", "test,train,train,train"):
        header, *rows = LABELS.splitlines()
        lines = [f"{row},{side}" for row, side in zip(rows, split.split(","), strict=True)]
        relabel(audio, "\n".join([f"{header},split", *lines]))
        result = prepare(audio)
        examples = load_course(audio.parent / "data", "genre", synced=True)
        assert examples.table.set_index("id")["split"].sort_index().tolist() == split.split(",")
    assert result == ExtractionResult(0, 4, (), 0)


def test_clips_that_leave_the_table_leave_the_folders(audio: Path) -> None:
    prepare(audio)
    relabel(audio, "id,genre,file\n01,Rock,a/one.wav\n02,Rock,a/two.flac\n")
    assert prepare(audio).unlabelled == 2
    examples = load_course(audio.parent / "data", "genre", synced=False)
    assert sorted(examples.table["id"]) == ["01", "02"]


def test_clips_go_where_their_labels_are(audio: Path) -> None:
    relabel(
        audio,
        "id,file,genre,calmness,split\n01,a/one.wav,Rock,,train\n02,a/two.flac,,.5,train\n03,b/one.wav,Folk,.1,train\n",
    )
    prepare(audio)
    data = audio.parent / "data"
    assert load_course(data, "genre", False).table["id"].tolist() == ["01", "03"]
    assert load_course(data, "affect", True).table["id"].tolist() == ["02", "03"]
    assert not (data / FULL / "test_labels.txt").exists()


def test_groups_stay_together(audio: Path) -> None:
    rows = [
        f"{name.stem}{name.parent.name},{name.relative_to(audio)},.5" for name in sorted(audio.rglob("*.*"))
    ]
    relabel(audio, "id,file,calm,album\n" + "\n".join(f"{row},{row.split(',')[1][0]}" for row in rows))
    prepare(audio, group_by="album")
    table = load_course(audio.parent / "data", "affect", False).table
    assert table.groupby("album")["split"].nunique().tolist() == [1, 1]
    assert set(table["split"]) == {"train", "test"}


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_bad_files_are_reported_and_the_rest_is_done(audio: Path, jobs: int) -> None:
    (audio / "a" / "one.wav").write_text("not audio at all\n" * 50)
    flac = (audio / "a" / "two.flac").read_bytes()
    (audio / "a" / "two.flac").write_bytes(flac[: len(flac) // 2])
    sides = ("split", "train", "train", "train", "test")
    relabel(audio, "\n".join(f"{row},{side}" for row, side in zip(LABELS.splitlines(), sides, strict=True)))
    result = prepare(audio, jobs=jobs)
    assert result.done == 2
    assert [file for file, _ in result.failed] == [
        str(audio / "a" / "one.wav"),
        str(audio / "a" / "two.flac"),
    ]
    assert all(reason.startswith("cannot be decoded") for _, reason in result.failed)
    assert load_course(audio.parent / "data", "genre", False).table["id"].tolist() == ["03", "04"]
    assert len((audio.parent / "data" / "examples.csv").read_text().splitlines()) == 3


def test_what_stands_in_a_table_comes_back_whatever_its_form(audio: Path) -> None:
    """Dots, commas and quotes in ids, other line ends in texts, files that went through a Mac."""
    names = (
        "01. One.wav",
        unicodedata.normalize("NFD", 'caf\u00e9, "live".flac'),
        "b/Mr.Smith.wav",
        "b/[x].ogg",
    )
    for path, name in zip(sorted(audio.rglob("*.*")), names, strict=True):
        path.rename(audio / name)
    artists = ["A\u2028nn", "B\x0bob", "C\rid", "D\x85an"]
    rows = ["01. one.WAV", '"caf\u00e9, ""live"".flac"', "b\\Mr.Smith", "./b/[x].ogg"]
    lines = [
        f'{row},Rock,{n}.5,"{artist}"' for n, (row, artist) in enumerate(zip(rows, artists, strict=True))
    ]
    (audio.parent / "labels.csv").write_text(
        "\n".join(["File,Genre,calmness,artist", *lines]), encoding="utf-8", newline=""
    )
    ids = ["01. one", 'caf\u00e9, "live"', "Mr", "[x]"]
    clips = dict(zip(ids, map(audio.joinpath, names), strict=True))
    assert prepare(audio) == ExtractionResult(4, 0, (), 0, clips=clips)
    data = audio.parent / "data"
    for form in ("NFC", "NFD"):
        for path in [path for path in data.rglob("*.npy*") if path.is_file()]:
            path.rename(path.with_name(unicodedata.normalize(form, path.name)))
        for task in ("genre", "affect"):
            table = load_course(data, task, synced=False).table.set_index("id").loc[ids]
            assert table["artist"].tolist() == artists
        assert table["calmness"].tolist() == [0.5, 1.5, 2.5, 3.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("a,a/one.wav", "b,A/ONE.wav"), "ids 'a' and 'b' both have the file .*one.wav; correct one"),
        (("a,one.wav", "b,"), "id 'a' is both .*one.wav and .*one.wav; say which in a file column"),
        (("one,", "b,a/two.flac"), "id 'one' is both "),
        ((f"a,{'x' * 5000}.wav", "b,a/two.flac"), "the audio of 'xxx.* is not in "),
    ],
)
def test_a_table_that_does_not_say_which_file_it_means_is_refused(
    audio: Path, rows: tuple[str, ...], message: str
) -> None:
    relabel(audio, "\n".join(["id,file,genre", *(f"{row},Rock" for row in rows)]))
    with pytest.raises(UserError, match=message):
        prepare(audio)


def test_an_id_that_is_no_file_name_is_that_clips_fault(audio: Path) -> None:
    sides = ("split", "train", "train", "train", "test")
    rows = [f"{row},{side}" for row, side in zip(LABELS.splitlines(), sides, strict=True)]
    relabel(audio, "\n".join(rows).replace("\n03,", "\n" + "\u0436" * 122 + ","))
    result = prepare(audio)
    assert (result.done, result.skipped, result.failed) == (
        3,
        0,
        (
            (
                str(audio / "b" / "one.wav"),
                "its id is too long for a file's name; give a shorter one in an id column",
            ),
        ),
    )


def test_nothing_is_listed_where_nothing_could_be_done(audio: Path) -> None:
    for path in audio.rglob("*.*"):
        soundfile.write(path, np.zeros(RATE), RATE, format="WAV")
    result = prepare(audio)
    assert [reason.split(";")[0] for _, reason in result.failed] == ["silent"] * 4
    assert set(tree(audio.parent / "data")) == {LEVELS, "unfinished.json"}


def test_a_full_disk_stops_in_one_line_and_leaves_nothing_half_written(
    audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes, written = Path.write_bytes, []

    def full_after_five_files(self: Path, content: bytes) -> int:
        written.append(self)
        if len(written) > 5:
            write_bytes(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write_bytes(self, content)

    monkeypatch.setattr(Path, "write_bytes", full_after_five_files)
    with pytest.raises(
        UserError,
        match="data: the disk is full; free some space and run the same again, finished clips are kept",
    ):
        prepare(audio)
    monkeypatch.undo()
    names = set(tree(audio.parent / "data"))
    assert not any(name.endswith(("tmp", "labels.txt", "dataset.json")) for name in names)
    assert prepare(audio) == ExtractionResult(3, 1, (), 0)


def test_mistakes_are_found_before_any_work(audio: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder"):
        extract_dataset(load_labelled_audio(Path("nowhere"), audio.parent / "labels.csv"), audio / "data")
    with pytest.raises(UserError, match="jobs 0"):
        prepare(audio, jobs=0)
    with pytest.raises(UserError, match="seed -1: give a number from 0 to 4294967295"):
        prepare(audio, seed=-1)
    with pytest.raises(UserError, match=r"group_by band: .*labels\.csv has no such column"):
        prepare(audio, group_by="band")
    with pytest.raises(UserError, match="sample rate 100"):
        prepare(audio, FeatureSpec(sample_rate=100))
    with pytest.raises(UserError, match=r"^test_fraction 1\.5: give a share"):
        prepare(audio, test_fraction=1.5)
    said = (
        r"labels.csv: the audio of 'gone.wav' \(and of 1 more\) is not in .*; correct the table or the "
        "folder, or delete the lines$"
    )
    relabel(audio, LABELS + "05,gone.wav,Folk,.1,.1,Eve\n06,too.wav,Folk,.1,.1,Eve\n")
    with pytest.raises(UserError, match=said):
        prepare(audio)
    relabel(audio, "id,genre\none,Rock\n")
    with pytest.raises(UserError, match=r"id 'one' is both .*; say which in a file column"):
        prepare(audio)
    relabel(audio, "id,file,genre,split\n1,a/one.wav,Rock,test\n")
    with pytest.raises(UserError, match="no line has the split train; there would be nothing to learn from"):
        prepare(audio)
    assert not (audio.parent / "data").exists()


def test_other_peoples_folders_are_not_touched(audio: Path) -> None:
    data = audio.parent / "data"
    data.write_text("mine")
    with pytest.raises(UserError, match="data: is a file, or in one"):
        prepare(audio)
    data.unlink()
    (data / FULL).mkdir(parents=True)
    with pytest.raises(
        UserError, match="data: holds a data set that was not made here; choose another folder to write to"
    ):
        prepare(audio)
    (data / "dataset.json").write_text("{")
    with pytest.raises(UserError, match=r"dataset\.json: damaged"):
        prepare(audio)


def test_damaged_compiled_code_is_said_before_any_clip_fails(audio: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.extraction.dataset.compile_functions", signal.raise_signal)
    with pytest.raises(UserError, match=r"librosa fails on plain noise: .*delete the \.nbi and \.nbc files"):
        prepare(audio, jobs=2)
