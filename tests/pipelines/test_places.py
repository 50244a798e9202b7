"""What cannot be a file or a folder of a user's is refused before anything is written."""

import os
import stat
from pathlib import Path

import pytest

from pipelines.errors import ArgumentError
from pipelines.places import check_file, check_utf8


def test_a_place_where_no_file_can_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "new", "nowhere/new"):
        check_file("out", tmp_path / name)
    reasons = {
        "": "a folder, not a file",
        "pipe": "a device or a pipe, not a file",
        "loop": "too many levels of symbolic links",
        "file/inside": "not a directory",
        "n" * 300: "file name too long",
    }
    for name, reason in reasons.items():
        with pytest.raises(ArgumentError) as error:
            check_file("out", tmp_path / name)
        assert error.value.problem == f"{reason}; choose another name"
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_name_that_is_not_utf8_is_refused():
    check_utf8("out", Path("caf\N{LATIN SMALL LETTER E WITH ACUTE}"))
    with pytest.raises(ArgumentError, match=r"^out 'caf.udce9': a name that is not UTF-8"):
        check_utf8("out", Path(os.fsdecode(b"caf\xe9")))
