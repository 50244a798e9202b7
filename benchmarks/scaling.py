"""How the cost grows: `python -m benchmarks.scaling` measures, draws `docs/figures/scaling.png`, and reckons.

Extraction with one and two processes over clips of 10 s, 30 s and 5 min; an epoch of input over
500, 2,000 and 20,000 clips with one and two threads. Every point is the median of a few rounds, the
points taken by turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import Inputs

WORKERS = (1, 2)
FMA, TEN_MILLION = 106_574, 10_000_000
_RATE = 22050  # Hz

Points = dict[tuple[int, int], float]  # (workers, seconds or clips) -> seconds of work a clip
Work = tuple[Callable[[], object], int]  # what is timed, and how many clips it goes through
Works = dict[tuple[int, int], Work]


@dataclass(frozen=True)
class Size:
    """Lengths of clips, 30 s among them, and numbers of clips, each going into the last; rounds."""

    seconds: tuple[int, ...] = (10, 30, 300)
    clips: tuple[int, ...] = (500, 2_000, 20_000)
    rounds: int = 5


_QUICK = Size(seconds=(10, 30), clips=(100, 500), rounds=1)


def main() -> int:
    """Measure, draw and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--audio", type=Path, metavar="DIR", help="real music with a labels.csv, instead of synthetic"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/benchmarks"), metavar="DIR", help="for inputs"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/figures/scaling.png"), metavar="FILE", help="%(default)s"
    )
    parser.add_argument("--quick", action="store_true", help="shorter, fewer, one round: a trial")
    arguments = parser.parse_args()
    inputs = Inputs(arguments.folder.resolve(), arguments.audio.resolve() if arguments.audio else None)
    size = _QUICK if arguments.quick else Size()
    extraction, epoch = _extraction(inputs, size), _input(inputs, size)
    _draw(extraction, epoch, size, arguments.out)
    _print(extraction, epoch, size)
    return 0


def _extraction(inputs: Inputs, size: Size) -> Points:
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    works: Works = {}
    inputs.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder, ExitStack() as stack:
        clips = {seconds: _clips_of(inputs, seconds, Path(folder)) for seconds in size.seconds}
        for workers in WORKERS:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(workers))
            for seconds in size.seconds:
                extract = partial(pool.map, _extract_one, clips[seconds], 1)
                works[workers, seconds] = (extract, len(clips[seconds]))
        return _seconds_a_clip(works, size.rounds)


def _clips_of(inputs: Inputs, seconds: int, folder: Path) -> list[Path]:
    """Four clips of a length: music, repeated or cut."""
    import soundfile

    from benchmarks.rivals.reference_recipe import load

    paths = []
    for index, source in enumerate(inputs.clips(4)):
        audio = load(source)
        wanted = seconds * _RATE
        paths.append(folder / f"{seconds}-{index}.wav")
        soundfile.write(paths[-1], np.tile(audio, -(-wanted // len(audio)))[:wanted], _RATE)
    return paths


def _extract_one(path: Path) -> None:
    from pipelines.extraction.features import extract
    from pipelines.files import gzip_npy_bytes
    from pipelines.spec import FeatureSpec

    made = extract(path, FeatureSpec())
    gzip_npy_bytes(made.fused)
    gzip_npy_bytes(made.beat_fused)


def _input(inputs: Inputs, size: Size) -> Points:
    works = {(n, clips): _epochs(inputs, clips, n, size) for n in WORKERS for clips in size.clips}
    return _seconds_a_clip(works, size.rounds)


def _epochs(inputs: Inputs, clips: int, workers: int, size: Size) -> Work:
    """So many epochs on end that all data sets give the same number of clips."""
    from itertools import islice

    import tensorflow as tf

    from pipelines.datasets.load import load_examples
    from pipelines.input.build import training_batches
    from pipelines.input.cache import cache_examples
    from pipelines.settings import InputSettings
    from pipelines.source import Source

    settings = InputSettings(feature="mel", sync="beat")
    examples = load_examples(inputs.copies(clips), "genre", prefer_synced=True)
    cached = cache_examples(examples, settings, inputs.folder / f"cache-{clips}")
    source = Source(cached, {"genre": np.zeros(clips, np.int32)}, None, settings, None, examples.spec)
    epochs = size.clips[-1] // clips
    dataset, batches = training_batches(source, 32, 0, range((size.rounds + 2) * epochs))
    options = tf.data.Options()
    options.threading.private_threadpool_size = workers
    stream = iter(dataset.with_options(options))
    return lambda: [None for _ in islice(stream, epochs * batches)], epochs * clips


def _seconds_a_clip(works: Works, rounds: int) -> Points:
    """Medians over rounds; in each all have their turn, for the machine's speed changes."""
    taken: dict[tuple[int, int], list[float]] = {key: [] for key in works}
    for counts in (False, *[True] * rounds):  # the first warms up
        for key, (work, clips) in works.items():
            start = perf_counter()
            work()
            if counts:
                taken[key].append((perf_counter() - start) / clips)
    return {key: median(seconds) for key, seconds in taken.items()}


def _draw(extraction: Points, epoch: Points, size: Size, path: Path) -> None:
    from matplotlib.figure import Figure

    from pipelines.figures import save

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = (
        ("extraction", "length of a clip in seconds", "linear", size.seconds, extraction),
        ("an epoch of input", "clips in the data set", "log", size.clips, epoch),
    )
    for axes, (title, label, scale, places, points) in zip(figure.subplots(1, 2), panels, strict=True):
        reference = points[1, places[0]]
        for workers in WORKERS:
            relative = [points[workers, place] / reference for place in places]
            axes.plot(places, relative, marker="o", label=f"{workers} worker{'s' * (workers > 1)}")
        unit = f"cost of a clip (1 worker, {places[0]:,}: 1)"
        axes.set(title=title, xlabel=label, ylabel=unit, xscale=scale)
        axes.set_ylim(bottom=0)
        axes.legend()
    save(figure, path)


def _print(extraction: Points, epoch: Points, size: Size) -> None:
    console = Console(width=120)
    for title, places, points in (
        ("extraction, by seconds of a clip", size.seconds, extraction),
        ("an epoch of input, by clips", size.clips, epoch),
    ):
        table = Table("", *(f"{place:,}" for place in places), title=title)
        for workers in WORKERS:
            costs = (points[workers, place] / points[1, places[0]] for place in places)
            table.add_row(
                f"cost of a clip, {workers} worker{'s' * (workers > 1)}", *(f"{cost:.2f}" for cost in costs)
            )
        gains = (f"{points[1, place] / points[2, place]:.2f}" for place in places)
        table.add_row("one worker / two", *gains)
        console.print(table)
    core_seconds = {"extraction": extraction[1, 30], "an epoch of input": epoch[1, size.clips[-1]]}
    table = Table("", f"{FMA:,} clips (FMA)", f"{TEN_MILLION:,} clips", title="in core hours on this machine")
    for what, seconds in core_seconds.items():
        table.add_row(what, *(f"{seconds * clips / 3600:,.2f}" for clips in (FMA, TEN_MILLION)))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
