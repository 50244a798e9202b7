"""A process that holds one side, ready, and runs it when told: `python -m benchmarks.worker`.

Each line of standard input is a command: `run` answers what was measured, `result FILE` writes
the side's results as `.npz`. Answers are lines of JSON on what was standard output; what the
side's libraries print goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import Work


def main() -> None:
    """Prepare the side that the arguments name, then obey until standard input ends."""
    module, settings, folder, audio = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    inputs = Inputs(Path(folder), Path(audio) if audio else None)
    work: Work = importlib.import_module(module).prepare(inputs, **json.loads(settings))

    def answer(value: float | None) -> None:
        print(json.dumps(value), file=answers, flush=True)

    answer(None)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            start = time.perf_counter()
            measured = work.run()
            answer(time.perf_counter() - start if measured is None else measured)
        else:
            arrays: dict[str, Any] = {name: np.asarray(value) for name, value in work.result().items()}
            np.savez(argument, **arrays)
            answer(None)


if __name__ == "__main__":
    main()
