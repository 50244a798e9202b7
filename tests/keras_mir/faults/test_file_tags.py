"""Tags of damaged music files: written and taken back byte by byte, or refused with the file as it was."""

import io
import shutil
import subprocess
from tempfile import NamedTemporaryFile

import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from keras_mir.predict.file_tags import FileTags, take_back
from keras_mir.predict.prediction import Prediction
from pipelines.errors import UserError

pytest.importorskip("mutagen")

KINDS = {
    "wav": {"format": "WAV"},
    "aiff": {"format": "AIFF"},
    "flac": {"format": "FLAC"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3"},
}
ANSWER = Prediction(None, 1.0, "Röck", {"Röck": 1.0}, {"calm": 0.5}, 120.4, (), ())


def made(kind: str) -> bytes:
    """A quarter of a second of noise, by libsndfile, or where it has no such format by ffmpeg."""
    file = io.BytesIO()
    soundfile.write(
        file, np.random.default_rng(0).normal(0, 0.1, 12000), 48000, **KINDS.get(kind, KINDS["wav"])
    )
    if kind in KINDS:
        return file.getvalue()
    if not shutil.which("ffmpeg"):
        pytest.skip(f"only ffmpeg makes {kind}")
    # Into a pipe it could not go back, as MP4 wants.
    with NamedTemporaryFile(suffix=f".{kind}") as out:
        command = ["ffmpeg", "-loglevel", "error", "-y", "-i", "-", out.name]
        subprocess.run(command, input=file.getvalue(), check=True)
        return out.read()


@pytest.mark.parametrize("tagged", [False, True], ids=["without tags", "with tags"])
@pytest.mark.parametrize("kind", [*KINDS, "m4a"])
def test_a_damaged_file_is_written_and_taken_back_or_left(kind, tagged, cases, damaged, tmp_path):
    song, journal = tmp_path / f"song.{kind}", tmp_path / "journal"
    whole = made(kind)
    if tagged:
        song.write_bytes(whole)
        FileTags(("genre", "mood", "bpm"), False, journal).write(song, ANSWER)
        whole = song.read_bytes()

    def check(content: bytes) -> str:
        song.write_bytes(content)
        journal.unlink(missing_ok=True)
        tags = FileTags(("genre", "mood", "bpm"), True, journal)
        try:
            tags.wants(song)
            change = tags.write(song, ANSWER)
            reason = ""
        except UserError as error:
            reason = str(error)
        if reason:
            assert str(song) in reason
            assert "\n" not in reason
            assert song.read_bytes() == content
            return "refused"
        if not change.written:
            return "had the tags"
        assert list(take_back(journal)) == [song]
        assert song.read_bytes() == content
        return "written and taken back"

    cases.try_all(f"tags of damaged {kind}", 8, damaged(st.just(whole)), check)


def test_a_damaged_journal_makes_a_file_as_it_was_or_leaves_it(cases, damaged, tmp_path):
    songs, journal = [tmp_path / "first.flac", tmp_path / "second.ogg"], tmp_path / "journal"
    tags = FileTags(("genre", "mood", "bpm"), False, journal)
    before, after = [], []
    for seed, song in enumerate(songs):
        soundfile.write(song, np.random.default_rng(seed).normal(0, 0.1, 1200), 48000)
        before.append(song.read_bytes())
        tags.write(song, ANSWER)
        after.append(song.read_bytes())

    def check(content: bytes) -> str:
        journal.write_bytes(content)
        for song, written in zip(songs, after, strict=True):
            song.write_bytes(written)
        reason = ""
        try:
            outcomes = list(take_back(journal))
        except UserError as error:
            reason = str(error)
        if reason:
            assert str(journal) in reason
            assert "\n" not in reason
            assert [song.read_bytes() for song in songs] == after
            return "refused"
        for song, was, written in zip(songs, before, after, strict=True):
            assert song.read_bytes() == (was if song in outcomes else written)
        return f"{sum(song in outcomes for song in songs)} of 2 taken back"

    cases.try_all("damaged journals of file tags", 20, damaged(st.just(journal.read_bytes())), check)
