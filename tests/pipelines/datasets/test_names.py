"""Names that are the same but for form."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from pipelines.datasets.names import Files, id_of, spellings

NFC, NFD = (unicodedata.normalize(form, "caf\u00e9 \u304c.wav") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("disk", "table"),
    [
        (NFD, NFC),
        (NFC, NFD),
        ("X/a.wav", "X\\a.wav"),
        ("X/a.wav", "./X//a.wav"),
        ("X/a.wav", "Y/../x/A.WAV"),
        ("X/one\u00a0two.wav", "X\\one  two.wav"),
        ("X\\a.wav", "X\\a.wav"),
        (f"X/{NFD}", f"x\\{NFC}"),
    ],
)
def test_a_file_is_found_whose_name_differs_in_form(tmp_path: Path, disk: str, table: str) -> None:
    path = tmp_path / disk
    path.parent.mkdir(exist_ok=True)
    path.touch()
    other = tmp_path / "other.wav"
    assert Files([other, path]).at(table, [tmp_path / "elsewhere", tmp_path]) == [path]
    assert Files([other]).at(table, [tmp_path]) == []


def test_what_is_written_exactly_so_comes_first(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.wav", "A.wav", "b/A.wav")]
    files = Files(paths)
    assert files.at("A.wav", [tmp_path]) == [paths[1]]
    assert files.at("a.WAV", [tmp_path]) == paths[:2]
    assert files.called("a") == paths[:1]
    assert files.called("A") == paths[1:]
    assert files.called("A.WAV") == paths


def test_an_id_ends_at_a_dot_and_the_longest_counts() -> None:
    ids = spellings(["01", "01. One", "x", NFC])
    names = ("01. One.fused.full.npy.gz", "01. one.npy", "01. Two.npy", "x", "xy.npy", "y.x", f"{NFD}.npy")
    assert [id_of(name, ids) for name in names] == ["01. One", "01. One", "01", "x", None, None, NFC]
