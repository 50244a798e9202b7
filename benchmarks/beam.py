"""What Beam adds: `python -m benchmarks.beam`, where Apache Beam and Dask are installed.

The cost of a clip through `prepare` by Beam, with one worker, against `prepare` in one process and against
Dask with the reference recipe, by turns, all of them warm; and how much memory a run over many clips takes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console

from benchmarks.inputs import Inputs

_TWO = ("--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")
_SEEDS = 50  # different short clips; the others are copies
_SHORT = 2.0  # seconds
_EARLY = 500  # clips


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.beam", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--audio", type=Path, metavar="DIR", help="real music with a labels.csv, instead of synthetic"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/benchmarks"), metavar="DIR", help="for inputs"
    )
    parser.add_argument(
        "--clips", type=int, default=12, metavar="N", help="clips of 30 s, a round; 0 for none (default: 12)"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (default: 5)")
    parser.add_argument(
        "--short-clips",
        type=int,
        default=10_000,
        metavar="N",
        help="clips of 2 s, whose run's memory is watched; 0 for none (default: 10000)",
    )
    arguments = parser.parse_args()
    console = Console(highlight=False)
    inputs = Inputs(arguments.folder.resolve(), arguments.audio.resolve() if arguments.audio else None)
    if arguments.clips:
        _cost(inputs.clips(arguments.clips), arguments.rounds, console)
    if arguments.short_clips:
        _memory(inputs.clips(_SEEDS), arguments.short_clips, console)
    return 0


def _cost(clips: list[Path], rounds: int, console: Console) -> None:
    """Seconds a clip on one core, by turns."""
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    from dask.distributed import Client, LocalCluster

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        table = _labels([clip.absolute() for clip in clips], place)
        with (
            LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):

            def dask() -> None:
                from dask.bag import from_sequence

                with tempfile.TemporaryDirectory(dir=place) as out:
                    bag = from_sequence([(clip, Path(out)) for clip in clips], partition_size=1)
                    client.compute(bag.map(_reference)).result()

            sides: dict[str, Callable[[], None]] = {
                "prepare by Beam, one worker": lambda: _prepare(place, table, "beam"),
                "prepare in one process": lambda: _prepare(place, table, "prepare"),
                "the reference recipe on Dask, one worker": dask,
            }
            taken = {name: list[float]() for name in sides}
            for counts in (False, *[True] * rounds):  # the first warms up
                for name, work in sides.items():
                    start = time.perf_counter()
                    work()
                    if counts:
                        taken[name].append((time.perf_counter() - start) / len(clips))
    beam = np.array(taken["prepare by Beam, one worker"])
    for name, seconds in taken.items():
        ratios = np.array(seconds) / beam
        console.print(
            f"{name}: {median(seconds):.3f} s a clip; {median(ratios):.2f} times Beam's "
            f"[{ratios.min():.2f}, {ratios.max():.2f}]"
        )


def _reference(task: tuple[Path, Path]) -> None:
    from benchmarks.rivals.reference_extraction import extract

    extract(task)


def _prepare(place: Path, table: Path, by: str) -> None:
    """One command, in this process, to a data set of its own."""
    from keras_mir.beam.__main__ import main as beam
    from keras_mir.prepare.__main__ import main as prepare

    with tempfile.TemporaryDirectory(dir=place) as out, redirect_stdout(sys.stderr):
        words = [
            str(place),
            "--labels",
            str(table),
            "--out",
            str(Path(out) / "data"),
            "--test-fraction",
            ".5",
        ]
        status = beam(["prepare", *words, "--", "--direct_num_workers=1"]) if by == "beam" else 0
        status = status if by == "beam" else prepare([*words, "--jobs", "1"])
    if status:
        raise SystemExit(f"{by} failed")


def _labels(clips: list[Path], folder: Path) -> Path:
    """A table of clips, two genres by turns."""
    table = folder / "labels.csv"
    rows = [f"{number},{clip},{('Jazz', 'Metal')[number % 2]}" for number, clip in enumerate(clips)]
    table.write_text("\n".join(["id,file,genre", *rows]) + "\n", encoding="utf-8")
    return table


def _memory(seeds: list[Path], count: int, console: Console) -> None:
    """The memory of all processes of a run: after the first clips, and the most there was."""
    import soundfile

    from pipelines.extraction.audio_files import decode

    with tempfile.TemporaryDirectory() as folder:
        place, out = Path(folder), Path(folder) / "data"
        clips = []
        for number in range(count):
            clips.append(place / f"{number}.wav")
            if number < len(seeds):
                sound = decode(seeds[number])
                soundfile.write(clips[-1], sound.samples[:, : round(_SHORT * sound.rate)].T, sound.rate)
            else:
                clips[-1].hardlink_to(clips[number % len(seeds)])
        command = ["prepare", str(place), "--labels", str(_labels(clips, place)), "--out", str(out)]
        line = [sys.executable, "-m", "keras_mir.beam", *command, "--", *_TWO]
        early, most, start = 0.0, 0.0, time.perf_counter()
        with subprocess.Popen(line, stdout=2) as process:
            while process.poll() is None:
                now = _resident(process.pid)
                most = max(most, now)
                done = len(list((out / "beats").glob("[!.]*")))
                if done < _EARLY:
                    early = max(early, now)
                time.sleep(2)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise SystemExit("prepare failed")
    console.print(
        f"{count:,} clips of {_SHORT:g} s in {seconds:.0f} s, two workers; most memory of all processes up "
        f"to {_EARLY:,} clips {early / 1e6:.0f} MB, of the whole run {most / 1e6:.0f} MB"
    )


def _resident(pid: int) -> float:
    """Bytes of memory of a process and all it has started; shared pages count in each."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)
    rows = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()]
    family = {pid}
    for _ in range(4):  # launcher, worker, the process beside it
        family |= {own for own, parent, _ in rows if parent in family}
    return 1024.0 * sum(size for own, _, size in rows if own in family)


if __name__ == "__main__":
    sys.exit(main())
