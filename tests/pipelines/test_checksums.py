"""Checksums: what a cache finds is what was written, and lists are as `sha256sum` has them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.checksums import Checksums, find_cached, sha256, write_cached


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    files = {"a b.npy": b"1", "line\nend": b"2", "back\\slash": b"3", "\udcff": b"4", "folder/x": b""}
    checksums = Checksums(tmp_path / "list.sha256")
    for name, content in files.items():
        checksums.append({name: sha256(content)})
    assert Checksums(tmp_path / "list.sha256") == checksums
    checksums.write()
    assert Checksums(tmp_path / "list.sha256") == checksums


def test_lines_that_were_torn_count_for_nothing(tmp_path: Path) -> None:
    checksums = Checksums(tmp_path / "list.sha256")
    checksums.append({"one": sha256(b"1"), "two": sha256(b"2")})
    content = checksums.path.read_bytes()
    checksums.path.write_bytes(content[:-70] + b"\0\xff" * 9)
    assert Checksums(checksums.path) == {"one": sha256(b"1")}


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum")
def test_sha256sum_reads_a_list(tmp_path: Path) -> None:
    checksums = Checksums(tmp_path / "list.sha256")
    for name in ("a b", "line\nend", "back\\slash"):
        (tmp_path / name).write_text(name)
        checksums[name] = sha256(tmp_path / name)
    checksums.write()
    subprocess.run(["sha256sum", "--check", "--strict", "list.sha256"], cwd=tmp_path, check=True)
    (tmp_path / "a b").write_text("other")
    assert subprocess.run(["sha256sum", "--check", "list.sha256"], cwd=tmp_path, check=False).returncode == 1


def test_a_cache_finds_what_is_whole(tmp_path: Path) -> None:
    kept = {key: write_cached(tmp_path, key, ".x", key.encode()) for key in ("aa1", "aa2", "bb1")}
    kept["aa2"].write_bytes(b"aa")
    assert find_cached(tmp_path, ["aa1", "aa2", "cc1"], ".x") == {"aa1": kept["aa1"]}
    assert write_cached(tmp_path, "aa2", ".x", b"aa2") == kept["aa2"]
    assert find_cached(tmp_path, kept, ".x") == kept
