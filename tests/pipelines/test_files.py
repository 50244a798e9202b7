from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import UserError
from pipelines.files import gzip_npy_bytes, locked, read_json, write_atomically, write_json


def test_a_compressed_array_is_what_gzip_and_numpy_read() -> None:
    array = np.random.default_rng(0).normal(size=(140, 300)).astype(np.float32)
    array[:, 200:] = -80.0

    read = np.load(io.BytesIO(gzip.decompress(gzip_npy_bytes(array))))

    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array)


def test_a_compressed_array_has_no_name_and_no_time() -> None:
    content = gzip_npy_bytes(np.zeros(3, np.float32))

    flags, time = content[3], content[4:8]
    assert flags == 0
    assert time == bytes(4)


def test_what_a_killed_process_was_writing_is_gone_when_the_next_has_written(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipelines.files import write_atomically\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(Path(sys.argv[1]), b'half')\n"
    )
    path = tmp_path / "report.json"
    subprocess.run([sys.executable, "-c", killed, str(path)], check=False, env=environment())
    assert [left.suffix for left in tmp_path.iterdir()] == [".tmp"]
    write_atomically(path, b"whole")
    assert tree(tmp_path) == {"report.json": b"whole"}


def test_a_device_or_a_pipe_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(UserError, match="a device or a pipe, not a file; choose another name"):
            write_atomically(tmp_path / name, b"content")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


def test_several_who_write_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    contents = [bytes([number]) * 100_000 for number in range(4)]

    def write(content: bytes) -> None:
        for _ in range(20):
            write_atomically(tmp_path / "file", content, lasting=False)
            assert (tmp_path / "file").read_bytes() in contents

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, contents))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "file").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(tmp_path / "file", b"after")
    assert caught.value.filename == str(tmp_path / "file")
    assert tree(tmp_path) == {"file": b"before"}


HOLDER = """
import sys, time
from pathlib import Path
from pipelines.files import locked
with locked(Path(sys.argv[1])):
    print("there", flush=True)
    time.sleep(60)
"""


def test_one_process_works_in_a_folder_until_it_ends_in_whatever_way(tmp_path: Path) -> None:
    folder, told = tmp_path / "new" / "folder", []
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, env=environment()
    )
    assert holder.stdout is not None
    with holder.stdout:
        holder.stdout.readline()
        with pytest.raises(UserError, match=rf"folder: process {holder.pid} on .* is at work in it"):
            locked(folder).__enter__()

        def waiting(text: str) -> None:
            told.append(text)
            holder.kill()  # the dead hold nothing

        with locked(folder, waiting):
            assert f"waiting for process {holder.pid}" in told[0]
            with pytest.raises(UserError, match=f"process {os.getpid()}"):
                locked(folder).__enter__()
        holder.wait()
    assert list(folder.iterdir()) == []


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_json_has_names_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff \xe6\x9d\xb1")
    write_json(tmp_path / "x.json", {"name": name})
    assert (tmp_path / "x.json").read_text("utf-8") == '{\n  "name": "\\udcff 東"\n}\n'
    assert read_json(tmp_path / "x.json", "mend it") == {"name": name}


# A file may have no byte here, as on a disk that is full.
ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pipelines.files import locked
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    with locked(Path(sys.argv[1])):
        raise SystemExit("it is locked")
except OSError as error:
    print(error.filename)
"""


def test_a_folder_on_a_full_disk_is_named_and_has_no_lock_left(tmp_path):
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path / "run")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == (f"{tmp_path / 'run'}\n", "")
    assert list((tmp_path / "run").iterdir()) == []
