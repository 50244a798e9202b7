"""Tags of damaged music files: written and taken back byte by byte, or refused with the file as it was."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from keras_mir.models.prediction import Prediction
from keras_mir.predict.file_tags import FileTags, take_back
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


@pytest.mark.parametrize("tagged", [False, True], ids=["without tags", "with tags"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_written_and_taken_back_or_left(kind, tagged, cases, damaged, tmp_path):
    song, journal = tmp_path / f"song.{kind}", tmp_path / "journal"
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 12000), 48000, **KINDS[kind])
    whole = file.getvalue()
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
