"""A whole process as a side: `Side("benchmarks.command", {"arguments": [...]})`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.inputs import Inputs
from benchmarks.row import Results


class Command:
    """A command line of this Python."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments

    def run(self) -> None:
        """Run it to its end."""
        subprocess.run([sys.executable, *self._arguments], check=True, stdout=subprocess.DEVNULL)

    def result(self) -> Results:
        """Nothing to compare: that it ends well is all."""
        return {}


def prepare(inputs: Inputs, arguments: Sequence[str]) -> Command:
    """Put the inputs into the arguments' `{model}` and `{clip}`."""
    filled = []
    for argument in arguments:
        if "{model}" in argument:
            argument = argument.replace("{model}", str(inputs.model()))
        if "{clip}" in argument:
            argument = argument.replace("{clip}", str(inputs.clips(1)[0]))
        filled.append(argument)
    return Command(filled)
