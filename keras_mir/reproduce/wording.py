"""Numbers, times and commands as the page writes them."""

from __future__ import annotations

import math
import shlex
from typing import Any

import numpy as np

UNDEFINED = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def score(value: float | None) -> str:
    """A score with three decimals and no leading zero, such as `.583`; a dash if it is undefined."""
    if value is None or math.isnan(value):
        return UNDEFINED
    text = f"{abs(value):.3f}".removeprefix("0")
    return f"{MINUS}{text}" if value < 0 and text != ".000" else text


def difference(value: float) -> str:
    """A difference of scores with its sign, such as `+.071`."""
    text = score(value)
    return text if text.startswith(MINUS) else f"+{text}"


def spread(mean: float, deviation: float) -> str:
    """Such as `.583 ± .026`; without the second part where there is no spread."""
    return score(mean) if math.isnan(deviation) else f"{score(mean)} ± {score(deviation)}"


def published(value: float) -> str:
    """A published number: two decimals, or as many as it was printed with; empty for NaN."""
    printed = np.format_float_positional(value, min_digits=2)
    return "" if math.isnan(value) else printed.removeprefix("0")


def command_line(command: str, *words: str, **options: Any) -> str:
    """A command of this package with the options that are not empty; one that is True is a flag."""
    line = ["python", "-m", f"keras_mir.{command}", *words]
    for name, value in options.items():
        if value is not False and value not in ("", ()):
            line.append(f"--{name.replace('_', '-')}")
            if value is not True:
                line.append(",".join(value) if isinstance(value, tuple) else str(value))
    return shlex.join(line)
