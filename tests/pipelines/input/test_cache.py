"""The cache does work once, is never stale, and never shows half a file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.input import cache
from pipelines.input.cache import Cached, cache_examples
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec

FUSED = InputSettings(feature="fused")


def content(cached: Cached, row: int) -> np.ndarray:
    return np.fromfile(cached.paths[row], np.float32).reshape(-1, cached.bands)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_holds_the_steps_results_in_the_order_of_the_table(tmp_path, make_examples, make_fused):
    lengths = [7, 3, 12, 1]
    seen = []
    cached = cache_examples(
        make_examples(lengths), FUSED, tmp_path / "cache", lambda done, n: seen.append((done, n))
    )
    assert cached.lengths.tolist() == lengths
    assert cached.lengths.dtype == np.int32
    assert cached.bands == 140
    assert cached.bad == ()
    for row, frames in enumerate(lengths):
        np.testing.assert_array_equal(content(cached, row), make_fused(frames, row).T.astype(np.float32))
    assert seen == [(done, 4) for done in range(5)]


def test_the_same_work_is_done_once(tmp_path, make_examples):
    examples = make_examples([7, 3])
    first = cache_examples(examples, FUSED, tmp_path / "cache")
    times = [path.stat().st_mtime_ns for path in files(tmp_path / "cache")]
    seen = []
    second = cache_examples(examples, FUSED, tmp_path / "cache", lambda done, n: seen.append((done, n)))
    assert second.paths == first.paths
    assert second.lengths.tolist() == [7, 3]
    assert seen == [(2, 2)]
    assert [path.stat().st_mtime_ns for path in files(tmp_path / "cache")] == times


def damage_cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damage_bit(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def damage_zeros(content: bytes) -> bytes:
    return bytes(len(content))


@pytest.mark.parametrize(
    "damage",
    [
        damage_bit,
        damage_cut,
        pytest.param(damage_zeros, marks=pytest.mark.slow),
        pytest.param(lambda content: b"", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_file_is_made_anew(tmp_path, make_examples, damage):
    examples = make_examples([7, 3])
    first = cache_examples(examples, FUSED, tmp_path / "cache")
    whole = {path: path.read_bytes() for path in files(tmp_path / "cache")}
    path = Path(first.paths[0])
    path.write_bytes(damage(path.read_bytes()))
    second = cache_examples(examples, FUSED, tmp_path / "cache")
    assert second.paths == first.paths
    assert second.lengths.tolist() == [7, 3]
    assert {path: path.read_bytes() for path in files(tmp_path / "cache")} == whole


def test_other_splits_share_what_is_there(tmp_path, make_examples):
    examples = make_examples([7, 3, 5])
    every = cache_examples(examples, FUSED, tmp_path / "cache")
    some = cache_examples(examples.take(np.array([2, 0])), FUSED, tmp_path / "cache")
    assert some.paths == every.take(np.array([2, 0])).paths
    assert len(files(tmp_path / "cache")) == 3


def test_a_changed_file_is_read_anew(tmp_path, make_examples, make_fused, save_features):
    examples = make_examples([5, 5])
    first = cache_examples(examples, FUSED, tmp_path / "cache")
    source = Path(examples.table["path"][0])
    before = source.stat()
    save_features(source, make_fused(5, 99).astype(np.float32))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 1))  # same size, a nanosecond later
    second = cache_examples(examples, FUSED, tmp_path / "cache")
    assert second.paths[0] != first.paths[0]
    assert second.paths[1] == first.paths[1]
    np.testing.assert_array_equal(content(second, 0), make_fused(5, 99).T.astype(np.float32))


@pytest.mark.slow
def test_changed_beats_are_read_anew(tmp_path, make_examples):
    examples = make_examples([50])
    examples.table["beats"] = str(tmp_path / "clip.beats.npy")
    settings = InputSettings(sync="beat")
    np.save(tmp_path / "clip.beats.npy", np.array([10]))
    assert cache_examples(examples, settings, tmp_path / "cache").lengths.tolist() == [2]
    np.save(tmp_path / "clip.beats.npy", np.array([10, 20]))
    assert cache_examples(examples, settings, tmp_path / "cache").lengths.tolist() == [3]


def test_other_settings_have_other_files(tmp_path, make_examples):
    examples = make_examples([40])
    other_spec = replace(examples, spec=FeatureSpec(hop_length=256))
    cached = [
        cache_examples(examples, FUSED, tmp_path / "cache"),
        cache_examples(examples, InputSettings(feature="mel"), tmp_path / "cache"),
        cache_examples(other_spec, FUSED, tmp_path / "cache"),
    ]
    assert len({entry.paths for entry in cached}) == 3


def test_how_examples_become_batches_does_not_matter(tmp_path, make_examples):
    examples = make_examples([40])
    first = cache_examples(examples, FUSED, tmp_path / "cache")
    batched = InputSettings(feature="fused", frames=8, crop="random", padding="zero")
    assert cache_examples(examples, batched, tmp_path / "cache").paths == first.paths


def test_changed_code_makes_new_files(tmp_path, make_examples, monkeypatch):
    examples = make_examples([40])
    first = cache_examples(examples, FUSED, tmp_path / "cache")
    texts = cache._code()
    changed = [text.replace("START_BPM = 120.0", "START_BPM = 100.0") for text in texts]
    assert changed != texts
    monkeypatch.setattr(cache, "_code", lambda: changed)
    assert cache_examples(examples, FUSED, tmp_path / "cache").paths != first.paths


def test_bad_files_are_reported_and_the_others_done(tmp_path, make_examples, save_features):
    examples = make_examples([4, 5, 6, 7, 8])
    paths = [Path(path) for path in examples.table["path"]]
    paths[0].write_bytes(b"\xff\xfe not a feature file")
    save_features(paths[2], np.full((140, 6), np.nan, np.float32))
    paths[4].unlink()
    cached = cache_examples(examples, FUSED, tmp_path / "cache")
    assert cached.lengths.tolist() == [0, 5, 0, 7, 0]
    assert [entry.path for entry in cached.bad] == [str(paths[row]) for row in (0, 2, 4)]
    reasons = [entry.reason for entry in cached.bad]
    assert "not a .npy file" in reasons[0]
    assert "840 values are NaN" in reasons[1]
    assert "not there" in reasons[2]
    assert len(files(tmp_path / "cache")) == 2


IMPOSSIBLE = [(3, 500.0), (127, -3e38), (0, 3e38), (0, 2.0), (5, -82.0), (128, -0.1), (139, 1.5)]


@pytest.mark.parametrize("feature", [pytest.param("mel", marks=pytest.mark.slow), "fused"])
def test_one_impossible_value_is_that_clips_fault(
    tmp_path, make_examples, save_features, make_fused, feature
):
    """As loud as no sound can be: trained on, one such value would drown its band in every clip."""
    examples = make_examples([6] * (len(IMPOSSIBLE) + 1))
    for path, (row, value) in zip(examples.table["path"], IMPOSSIBLE, strict=False):
        features = make_fused(6, 0).astype(np.float32)
        features[row, 2] = value
        save_features(Path(path), features)
    cached = cache_examples(examples, InputSettings(feature=feature, sync="beat"), tmp_path / "cache")
    assert cached.lengths[:-1].tolist() == [0] * len(IMPOSSIBLE)
    assert cached.lengths[-1]
    for entry, path, (row, value) in zip(cached.bad, examples.table["path"], IMPOSSIBLE, strict=False):
        assert entry.path == path
        assert entry.reason.startswith("1 values are beyond what the feature spec allows (first: row")
        assert f"row {row}, frame 2: {value:g}, not" in entry.reason


def test_a_bad_file_that_was_mended_is_read(tmp_path, make_examples, make_fused, save_features):
    examples = make_examples([4])
    path = Path(examples.table["path"][0])
    path.write_bytes(b"")
    assert cache_examples(examples, FUSED, tmp_path / "cache").lengths.tolist() == [0]
    save_features(path, make_fused(4, 0))
    assert cache_examples(examples, FUSED, tmp_path / "cache").lengths.tolist() == [4]


def test_bad_beats_are_reported_as_such(tmp_path, make_examples):
    found = (
        ([20, 10], "its frame numbers do not increase"),
        ([-3, 10], "frame -3 is not in the clip, which has 50"),
        ([10, 2**32 + 20], "frame 4294967316 is not in the clip"),  # which is 20 in 32 bits
        ([10, 51], "frame 51 is not in the clip"),
    )
    examples = make_examples([50] * len(found))
    files = [tmp_path / f"{number}.beats.npy" for number in range(len(found))]
    for file, (values, _) in zip(files, found, strict=True):
        np.save(file, np.array(values))
    examples.table["beats"] = list(map(str, files))
    cached = cache_examples(examples, InputSettings(sync="beat"), tmp_path / "cache")
    for bad, file, (_, problem) in zip(cached.bad, files, found, strict=True):
        assert f"its beats file {file}: {problem}" in bad.reason


def test_a_full_disk_leaves_nothing_behind(tmp_path, make_examples, monkeypatch):
    examples = make_examples([4, 5])

    def fill_up(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill_up)
        with pytest.raises(OSError, match="No space left") as raised:
            cache_examples(examples, FUSED, tmp_path / "cache")
    assert raised.value.errno == errno.ENOSPC
    assert files(tmp_path / "cache") == []
    assert cache_examples(examples, FUSED, tmp_path / "cache").lengths.tolist() == [4, 5]


KILLED = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from pipelines.input.cache import cache_examples
from pipelines.datasets.base import Examples
from pipelines.settings import InputSettings

write_bytes, written = Path.write_bytes, []

def killed_in_the_third(path, data):
    written.append(path)
    if len(written) == 3:
        write_bytes(path, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write_bytes(path, data)

Path.write_bytes = killed_in_the_third
examples = Examples(pd.read_json(sys.argv[1], dtype=False), name="noise")
cache_examples(examples, InputSettings(feature="fused"), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_run_shows_no_half_file(tmp_path, make_examples, make_fused):
    lengths = [4, 5, 6, 7]
    examples = make_examples(lengths)
    examples.table.to_json(tmp_path / "table.json")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "table.json"), str(tmp_path / "cache")],
        check=False,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((tmp_path / "cache").rglob("[!.]*.f32"))) == 2
    cached = cache_examples(examples, FUSED, tmp_path / "cache")
    assert cached.lengths.tolist() == lengths
    for row, frames in enumerate(lengths):
        np.testing.assert_array_equal(content(cached, row), make_fused(frames, row).T.astype(np.float32))


def test_statistics_are_those_of_all_frames(tmp_path, make_examples, make_fused):
    cached = cache_examples(make_examples([30, 5]), FUSED, tmp_path / "cache")
    every = np.concatenate([make_fused(30, 0), make_fused(5, 1)], axis=1)
    mean, variance = cached.statistics
    np.testing.assert_allclose(mean, every.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(variance, every.var(axis=1), rtol=1e-4)
