"""How many faults are tried, damage of any kind, commands that can be killed, and what came of it all.

`FAULTS=50` tries fifty times as many cases as the normal tests do, and what only then is worth its time;
`FAULTS_SEED` chooses others. `tox -e faults` sets the first. The counts are printed at the end.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import soundfile
from hypothesis import configuration
from hypothesis import strategies as st

from pipelines.synthetic.render import render_clip

TIMES = int(os.environ.get("FAULTS", "1"))
SEED = int(os.environ.get("FAULTS_SEED", "0"))
_COUNTS = "faults"  # the property of a test's report that has its counts
_SPARE_SECONDS = 600
_UNSHARED = ("unshare", "--user", "--map-root-user", "--mount")


class Cases:
    """Counts cases, by their kind and by what came of them, and tries as many of a kind as there are to be.

    Attributes:
        seed: Seed of all that is random.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.seed = SEED

    @property
    def are_few(self) -> bool:
        """Whether these are the normal tests, which have no time for more than an example or two."""
        return TIMES == 1

    def number(self, short: float) -> int:
        """How many cases to try where the normal tests try so many; at least one."""
        return max(round(short * TIMES), 1)

    def count(self, kind: str, outcome: str, cases: int = 1) -> None:
        """Note cases that have been tried."""
        self.counts[kind, outcome] += cases

    def try_all(
        self, kind: str, short: int, cases: st.SearchStrategy[Any], check: Callable[[Any], str]
    ) -> None:
        """Try cases of a kind; one that fails is shown.

        Args:
            kind: What they are called in the counts.
            short: How many the normal tests try.
            cases: Where they come from.
            check: Fails for a fault, or says what came of a case.
        """

        def counted(case: Any) -> None:
            try:
                self.count(kind, check(case))
            except Exception as error:
                error.add_note(f"case: {repr(case)[:5000]}")
                raise

        tried = hypothesis.settings(
            max_examples=self.number(short),
            deadline=None,
            database=None,
            phases=(hypothesis.Phase.generate,),
            suppress_health_check=list(hypothesis.HealthCheck),
        )(hypothesis.given(cases)(counted))
        hypothesis.seed(self.seed)(tried)()


@pytest.fixture
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    configuration.set_hypothesis_home_dir(tmp_path_factory.getbasetemp() / "hypothesis")
    tried = Cases()
    yield tried
    counts = [[kind, outcome, count] for (kind, outcome), count in sorted(tried.counts.items())]
    request.node.user_properties.append((_COUNTS, counts))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many cases of each kind were tried, and what came of them."""
    counts: Counter[tuple[str, str]] = Counter()
    # Those of the fixtures' ends are filed under no outcome.
    for report in itertools.chain(*terminalreporter.stats.values()):
        for name, found in getattr(report, "user_properties", ()):
            for kind, outcome, count in found if name == _COUNTS else ():
                counts[kind, outcome] += count
    if not counts:
        return
    terminalreporter.section(f"faults (FAULTS={TIMES}, FAULTS_SEED={SEED})")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        outcomes = {outcome: count for (each, outcome), count in counts.items() if each == kind}
        parts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())
        terminalreporter.write_line(f"{sum(outcomes.values()):8,} {kind}: {parts}")


def damaged_once(content: bytes, damage: tuple[int, float, int]) -> bytes:
    """A file's content with one thing wrong with it.

    Args:
        content: Content of the file.
        damage: What is done, where, as a share of the content, and a number for it.
    """
    what, where, number = damage
    at = min(int(where * len(content)), max(len(content) - 1, 0))
    before, after = content[:at], content[at:]
    some = 1 + number % 40  # bytes
    extreme = ((1 << 31) - 1, (1 << 32) - 1, 0, 1, 1 << 31, number)[number % 6] & 0xFFFFFFFF
    changed = (
        before + bytes([after[0] ^ 1 << number % 8]) + after[1:] if after else b"",
        before + bytes([number % 256]) + after[1:],
        before,
        before + after[some:],
        before + after[:some] + after,
        before + bytes(min(some, len(after))) + after[some:],
        before + bytes((number >> shift) % 256 for shift in range(some)) + after,
        before + extreme.to_bytes(4, "little") + after[4:],
        before + str(extreme).encode() + after[1:],
        content + content[:some],
    )
    return changed[what % len(changed)]


@pytest.fixture(scope="session")
def damaged() -> Callable[[st.SearchStrategy[bytes]], st.SearchStrategy[bytes]]:
    """Makes of whole files such as have one to three things wrong, the half of them at the beginning."""
    damages = st.tuples(
        st.integers(0, 9), st.floats(0, 1) | st.floats(0, 0.05), st.integers(0, (1 << 32) - 1)
    )

    def damage(content: bytes, each: Sequence[tuple[int, float, int]]) -> bytes:
        for one in each:
            content = damaged_once(content, one)
        return content

    return lambda whole: st.builds(damage, whole, st.lists(damages, min_size=1, max_size=3))


@pytest.fixture(scope="session")
def damage_at_random() -> Callable[[bytes, random.Random, int], bytes]:
    """Damages a file as it may be found: emptied, cut, of another kind, or with a byte changed."""

    def damage(content: bytes, chance: random.Random, number: int) -> bytes:
        kinds = (
            lambda: b"",
            lambda: content[: chance.randrange(len(content))],
            lambda: chance.choice((b"{}", b"[]", b"null", b"PK\3\4", b"\xff" * 9)),
            lambda: bytes(len(content)),
        )
        if number < len(kinds):
            return kinds[number]()
        return damaged_once(content, (chance.randrange(10), chance.random(), chance.getrandbits(32)))

    return damage


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Its exit status; -9 if it was killed.
        output: What it printed, standard error among it.
        seconds: How long it took.
    """

    status: int
    output: str
    seconds: float

    @property
    def is_refusal(self) -> bool:
        """Whether it ended as for a user's mistake: with status 2 and one line that says what."""
        errors = [line for line in self.output.splitlines() if line.startswith("error: ")]
        return self.status == 2 and len(errors) == 1 and "Traceback" not in self.output


class WarmProcess:
    """Runs commands in copies of a process that has imported all they need.

    Args:
        commands: Whose modules are imported.
        folder: For what they print.
        disk: Where a disk of its own is for it, which nobody else sees; None for none.
        options: Options of that disk, as `mount` takes them for one in memory.

    Attributes:
        disk: Where others see that disk.
    """

    def __init__(
        self, commands: Sequence[str], folder: Path, disk: Path | None = None, options: str = ""
    ) -> None:
        program = [sys.executable, "-P", str(Path(__file__).with_name("warm_process.py")), *commands]
        if disk:
            if not _has_disks():
                pytest.skip("a process may not mount a disk of its own here")
            mount = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
            program = [*_UNSHARED, "sh", "-c", mount, str(disk), *program]
        path = os.pathsep.join(filter(None, sys.path))
        self._output = folder / "output.txt"
        self._process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "1000"},
        )

        assert self._process.stdout is not None
        self._process.stdout.readline()  # it runs, and its disk is there
        self._disk = disk
        self.disk = Path(f"/proc/{self._process.pid}/root{disk}")

    def inside(self, path: Path) -> Path:
        """Where it sees a file on its disk that others see elsewhere."""
        return self._disk / path.relative_to(self.disk)

    def run(self, argv: Sequence[str], folder: Path, kill_after: float | None = None) -> Ended:
        """Run a command in a folder; killed with -9 after so many seconds, unless it has ended."""
        self._output.write_text("")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"argv": list(argv), "folder": str(folder), "output": str(self._output)}
        asked["kill_after"] = _SPARE_SECONDS if kill_after is None else kill_after
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        status, seconds = json.loads(self._process.stdout.readline())
        return Ended(status, self._output.read_text("utf-8", "replace"), seconds)

    def close(self) -> None:
        """End the process; for it to end by itself takes TensorFlow seconds."""
        self._process.kill()
        self._process.communicate()


def _has_disks() -> bool:
    """Whether processes may have disks of their own here."""
    command = [*_UNSHARED, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    tried = shutil.which("unshare") and subprocess.run(command, capture_output=True, check=False)
    return bool(tried) and tried.returncode == 0


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips of a second, `audio`, their table in it, and small features in the course layout.

    Those in `course` have one column per beat, those in `full` one a frame. Not to be changed.
    """
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "audio").mkdir()
    rows = ["file,genre,split"]
    for number in range(6):
        genre = ("Rock", "Jazz")[number % 2]
        clip = render_clip(genre, number, 2.0).audio[:22050]
        soundfile.write(folder / "audio" / f"{number}.wav", clip, 22050)
        rows.append(f"{number}.wav,{genre},{'train' if number < 4 else 'test'}")
    (folder / "audio" / "labels.csv").write_text("\n".join(rows))
    noise = np.random.default_rng(0)
    for name, frames in (("course/fma_genre_spectrograms_beat", 20), ("full/fma_genre_spectrograms", 100)):
        for split, count in (("train", 8), ("test", 4)):
            (folder / name / split).mkdir(parents=True)
            rows = ["Id\tGenre"]
            for number in range(count):
                mel = noise.uniform(-60, -30, (128, frames)) + 20 * (number % 2)
                clip = np.concatenate([mel, noise.uniform(0, 1, (12, frames))]).astype(np.float32)
                np.save(folder / name / split / f"{split}{number}.fused.full.npy", clip)
                rows.append(f"{split}{number}.fused.full.npy\t{('Blues', 'Jazz')[number % 2]}")
            (folder / name / f"{split}_labels.txt").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def warm_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., WarmProcess]]:
    """Makes a `WarmProcess` for commands; the same one for the same commands."""
    with ExitStack() as stack:
        made: dict[tuple[Any, ...], WarmProcess] = {}

        def make(*commands: str, **disk: Any) -> WarmProcess:
            asked = (*commands, *disk.values())
            if asked not in made:
                made[asked] = WarmProcess(commands, tmp_path_factory.mktemp("warm"), **disk)
                stack.callback(made[asked].close)
            return made[asked]

        yield make
