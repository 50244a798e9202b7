"""A whole process as a side: `Side("benchmarks.command", {"arguments": [...]})`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Literal

from benchmarks.inputs import Inputs
from benchmarks.row import Results

_MEGABYTE = 1024  # in the kilobytes that the system counts


class Command:
    """A command line of this Python, its arguments filled in anew for every run."""

    def __init__(
        self, inputs: Inputs, arguments: Sequence[str], measure: Literal["seconds", "memory"]
    ) -> None:
        self._inputs, self._arguments, self._measure = inputs, arguments, measure
        self._scratch = inputs.folder / f"scratch-{os.getpid()}"

    def run(self) -> float:
        """Run it to its end; seconds, or the megabytes it held at most."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        arguments = [self._filled(argument) for argument in self._arguments]
        start = perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        shutil.rmtree(self._scratch)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, arguments)
        return seconds if self._measure == "seconds" else usage.ru_maxrss / _MEGABYTE

    def result(self) -> Results:
        """Nothing to compare: that it ends well is all."""
        return {}

    def _filled(self, argument: str) -> str:
        places: dict[str, Callable[[], object]] = {
            "{scratch}": lambda: self._scratch,
            "{folder}": lambda: self._inputs.folder,
            "{features}": self._inputs.features,
            "{model}": self._inputs.model,
            "{clip}": lambda: self._inputs.clips(1)[0],
        }
        for place, value in places.items():
            if place in argument:
                argument = argument.replace(place, str(value()))
        return argument


def prepare(
    inputs: Inputs, arguments: Sequence[str], measure: Literal["seconds", "memory"] = "seconds"
) -> Command:
    """Keep the arguments."""
    return Command(inputs, arguments, measure)
