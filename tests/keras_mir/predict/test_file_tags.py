"""Answers in the tags of real files of every format: what a person wrote stays, and all is taken back."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from keras_mir.predict.file_tags import FileTags, take_back
from keras_mir.predict.prediction import Failure, Prediction
from pipelines.errors import ArgumentError, UserError

mutagen = pytest.importorskip("mutagen")

ROCK = Prediction(None, 1.0, "Röck", {"Röck": 1.0}, {"calm": 0.5}, 120.4, (), ())
WRITTEN = {"genre": ["Röck"], "mood": ["calm 0.50"], "bpm": ["120"]}
# By suffix, what the file says as another library than the one that wrote it would ask for it.
FORMATS = {
    ".wav": ("TCON", "TMOO", "TBPM"),
    ".mp3": ("TCON", "TMOO", "TBPM"),
    ".aiff": ("TCON", "TMOO", "TBPM"),
    ".flac": ("genre", "mood", "bpm"),
    ".ogg": ("genre", "mood", "bpm"),
    ".opus": ("genre", "mood", "bpm"),
    ".m4a": ("\xa9gen", "----:com.apple.iTunes:MOOD", "tmpo"),
}


def make(path):
    """A second of noise, by libsndfile, or where it has no such format by ffmpeg."""
    samples = np.random.default_rng(0).normal(0, 0.1, 48000)
    if path.suffix != ".m4a":
        kinds = {".opus": {"format": "OGG", "subtype": "OPUS"}}
        soundfile.write(path, samples, 48000, **kinds.get(path.suffix, {}))
    elif shutil.which("ffmpeg"):
        source = path.with_suffix(".source.wav")
        soundfile.write(source, samples, 48000)
        subprocess.run(["ffmpeg", "-loglevel", "error", "-i", source, path], check=True)
        source.unlink()
    else:
        pytest.skip("only ffmpeg makes m4a")
    return path


def sound_of(path):
    """What is decoded, as a digest."""
    if path.suffix == ".m4a":
        done = subprocess.run(
            ["ffmpeg", "-loglevel", "error", "-i", path, "-f", "f32le", "-"], capture_output=True
        )
        return hashlib.sha256(done.stdout).digest()
    return hashlib.sha256(soundfile.read(path)[0].tobytes()).digest()


def texts(path):
    tags = mutagen.File(path).tags
    found = [tags[name] for name in FORMATS[path.suffix]]
    return [
        one.decode() if isinstance(one, bytes) else str(one)
        for (one,) in (getattr(f, "text", f) for f in found)
    ]


def written(path, journal, prediction=ROCK, fields=("genre", "mood", "bpm"), replace=False):
    return FileTags(fields, replace, journal).write(path, prediction)


@pytest.mark.parametrize("suffix", FORMATS)
def test_it_is_written_and_taken_back_byte_for_byte(suffix, tmp_path):
    song, journal = make(tmp_path / f"song{suffix}"), tmp_path / "journal"
    before, sound = song.read_bytes(), sound_of(song)
    tags = FileTags(("genre", "mood", "bpm"), False, journal)
    assert tags.wants(song)
    assert vars(tags.write(song, ROCK)) == {"written": WRITTEN, "kept": {}, "lacking": []}
    assert texts(song) == ["Röck", "calm 0.50", "120"]
    assert sound_of(song) == sound
    assert not tags.wants(song)
    assert journal.stat().st_size < 5000
    assert list(take_back(journal)) == [song]
    assert song.read_bytes() == before
    assert list(take_back(journal)) == [song], "a second time is nothing new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal", song.name]


def test_without_a_journal_nothing_is_written(tmp_path):
    song = make(tmp_path / "song.flac")
    before = song.read_bytes()
    assert str(written(song, None)) == "genre -> Röck; mood -> calm 0.50; bpm -> 120"
    assert song.read_bytes() == before


def test_what_a_person_wrote_stays_unless_told_otherwise(tmp_path):
    song, journal = make(tmp_path / "song.ogg"), tmp_path / "journal"
    theirs = mutagen.File(song)
    theirs.tags["genre"] = ["Jazz", "Soul"]
    theirs.save()
    assert str(written(song, journal)) == "mood -> calm 0.50; bpm -> 120; genre stays Jazz, Soul"
    assert mutagen.File(song).tags["genre"] == ["Jazz", "Soul"]
    again = written(song, tmp_path / "second", replace=True)
    assert again.written == {"genre": ["Röck"]}, "and what is the same already is not written anew"
    assert mutagen.File(song).tags["genre"] == ["Röck"]
    assert list(take_back(journal)) == [Failure(song, f"{song}: has changed since; it was left alone")]
    assert list(take_back(tmp_path / "second")) + list(take_back(journal)) == [song, song]
    assert "bpm" not in mutagen.File(song).tags


def test_old_id3_stays_old(tmp_path):
    from mutagen.id3 import ID3, TIT2

    song = make(tmp_path / "song.mp3")
    title = ID3()
    title.add(TIT2(encoding=3, text="Title"))
    title.save(song, v2_version=3)
    written(song, tmp_path / "journal")
    raw = ID3(song, translate=False)
    assert raw.version == (2, 3, 0)
    assert {name: str(frame) for name, frame in raw.items()} == {
        "TIT2": "Title",
        "TCON": "Röck",
        "TXXX:MOOD": "calm 0.50",
        "TBPM": "120",
    }


@pytest.mark.parametrize("version", [3, 4])
def test_several_values_are_several_in_old_id3_too(version, tmp_path):
    from mutagen.id3 import ID3, TIT2

    song = make(tmp_path / "song.mp3")
    title = ID3()
    title.add(TIT2(encoding=3, text="Title"))
    title.save(song, v2_version=version)
    names = ["mood/theme---calm", "Pop / Rock"]
    tagged = dataclasses.replace(ROCK, genre="", affect={}, tags=dict.fromkeys(names, 0.9))
    fields = ("genre", "mood")
    assert written(song, tmp_path / "journal", tagged, fields).written == dict.fromkeys(fields, names)
    again = written(song, tmp_path / "second", tagged, fields, replace=True)
    assert (again.written, again.kept) == ({}, dict.fromkeys(fields, names)), "it reads what it has written"
    mood = "TXXX:MOOD" if version == 3 else "TMOO"
    expected = ["; ".join(names)] if version == 3 else names
    raw = ID3(song, translate=False)
    assert (raw["TCON"].text, raw[mood].text) == (expected, expected)


@pytest.fixture
def tracked(monkeypatch):
    """The tempo that is tracked in a song where its model has tracked none."""
    found = [None]
    model = SimpleNamespace(answer_file=lambda _: SimpleNamespace(tempo=found[0]))
    monkeypatch.setattr(FileTags, "_tempo_model", model)
    return found


def test_a_tagger_gives_its_likeliest_and_a_song_without_a_beat_no_bpm(tmp_path, tracked):
    tracked[:] = [None]
    song = make(tmp_path / "song.flac")
    tagged = Prediction(
        None, 1.0, "", {}, {}, None, (), (), tags={"slow": 0.2, "loud": 0.9, "odd": 0.1, "far": 0.3}
    )
    change = written(song, tmp_path / "journal", tagged, ("mood", "bpm"))
    assert str(change) == "mood -> loud, far, slow; bpm has no answer"
    tracked[:] = [97.6]
    assert str(written(song, None, tagged, ("bpm",))) == "bpm -> 98", "by whichever model"
    assert mutagen.File(song).tags["mood"] == ["loud", "far", "slow"]
    given = dataclasses.replace(tagged, thresholds={"slow": 0.1, "loud": 0.8, "odd": 0.5, "far": 0.5})
    again = written(song, tmp_path / "second", given, ("mood",), replace=True)
    assert again.written == {"mood": ["loud", "slow"]}, (
        "those that reach their thresholds, where there are some"
    )


def test_a_link_stays_a_link_and_permissions_stay(tmp_path):
    song = make(tmp_path / "song.flac")
    song.chmod(0o640)
    link = tmp_path / "link.flac"
    link.symlink_to(song)
    written(link, tmp_path / "journal")
    assert link.is_symlink()
    assert song.stat().st_mode & 0o777 == 0o640
    assert list(take_back(tmp_path / "journal")) == [song]
    assert song.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_written_is_named_and_left_whole(tmp_path):
    song = make(tmp_path / "song.flac")
    cases = {}
    for name in ("readonly.flac", "gone.flac", "text.mp3", "cut.flac"):
        cases[name] = tmp_path / name
        shutil.copy(song, cases[name])
    cases["readonly.flac"].chmod(0o444)
    cases["gone.flac"].unlink()
    cases["text.mp3"].write_text("no music")
    cases["cut.flac"].write_bytes(song.read_bytes()[:20])
    cases["other.au"] = tmp_path / "other.au"
    soundfile.write(cases["other.au"], np.zeros(22050), 22050)
    before = {path: path.read_bytes() for path in cases.values() if path.exists()}
    reasons = {}
    for name, path in cases.items():
        with pytest.raises(UserError) as error:
            written(path, tmp_path / "journal")
        reasons[name] = str(error.value).replace(str(path), "IT")
    assert reasons.pop("cut.flac").startswith("IT: its tags are damaged (")
    assert reasons == {
        "readonly.flac": "IT: read-only; make it writable, or leave it out",
        "gone.flac": "IT: cannot be read (no such file or directory); it was left alone",
        "text.mp3": "IT: its tags are damaged (can't sync to MPEG frame); it was left alone",
        "other.au": "IT: no format whose tags are written; those are ID3, Vorbis comments and MP4",
    }
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "journal").exists()


def test_a_full_disk_is_the_outcome_of_the_file(tmp_path, monkeypatch):
    song, journal = make(tmp_path / "song.flac"), tmp_path / "journal"
    before = song.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(song))

    with monkeypatch.context() as patched:
        patched.setattr("keras_mir.predict.file_tags.write_atomically", full)
        with pytest.raises(UserError) as error:
            written(song, journal)
    assert str(error.value) == f"{song}: cannot be written (no space left on device); it was left alone"
    assert song.read_bytes() == before
    assert list(take_back(journal)) == [song], "which is as it was"


@pytest.mark.parametrize("name", ["a\0b", "two\nlines", " "])
def test_a_name_that_no_tag_holds_is_refused(name, tmp_path):
    song = make(tmp_path / "song.flac")
    with pytest.raises(UserError, match=r"no tag holds the genre .*; train the model with another name$"):
        written(
            song, tmp_path / "journal", Prediction(None, 1.0, name, {name: 1.0}, {}, None, (), ()), ("genre",)
        )


def test_a_kill_between_the_journal_and_the_file_does_no_harm(tmp_path, monkeypatch):
    song, journal = make(tmp_path / "song.flac"), tmp_path / "journal"
    before = song.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("keras_mir.predict.file_tags.write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            written(song, journal)
    assert song.read_bytes() == before
    with journal.open("ab") as file:
        file.write(b'{"path": "half')  # and one in the middle of a line
    assert list(take_back(journal)) == [song]
    assert song.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        ("a,b\n", "^undo .*: no journal of write_tags, or a damaged one$"),
        ("{}\n", "no journal"),
        ("[1]\n", "no journal"),
        *(
            (f'{{"path": {path}, "written": {{}}, "before": "", "after": "", "patch": []}}\n', "no journal")
            for path in ("1", "null", '"a\\u0000b"')
        ),
    ],
)
def test_what_is_no_journal_is_refused(content, problem, tmp_path):
    journal = tmp_path / "journal"
    if content is not None:
        journal.write_text(content)
    with pytest.raises(ArgumentError, match=problem):
        list(take_back(journal))


def test_a_damaged_patch_changes_nothing(tmp_path):
    song, journal = make(tmp_path / "song.flac"), tmp_path / "journal"
    written(song, journal)
    now = song.read_bytes()
    entry = json.loads(journal.read_text())
    entry["patch"][0] = [0, 10]
    journal.write_text(json.dumps(entry) + "\n")
    assert list(take_back(journal)) == [
        Failure(song, f"{song}: the journal is damaged there; it was left alone")
    ]
    assert song.read_bytes() == now


def test_mistakes_are_refused_before_anything_is_read(tmp_path):
    (tmp_path / "there").touch()
    for fields, journal, problem in (
        (("genre", "key"), None, "write_tags genre,key: choose among genre, mood, bpm"),
        ((), None, "write_tags '': choose among genre, mood, bpm"),
        (("genre",), tmp_path / "there", "is there already; name a new file"),
    ):
        with pytest.raises(ArgumentError, match=problem):
            FileTags(fields, False, journal)
    # A song that reaches no threshold has an answer, and the others go on.
    untagged = Prediction(None, 1.0, "", {}, {}, None, (), (), tags={"slow": 0.1}, thresholds={"slow": 0.5})
    FileTags(("genre", "mood", "bpm"), False, None).check(untagged)
    affect = Prediction(None, 1.0, "", {}, {"calm": 0.5}, None, (), ())
    with pytest.raises(ArgumentError, match="write_tags genre: wants a model of genres or of tags"):
        FileTags(("genre", "bpm"), False, None).check(affect)
