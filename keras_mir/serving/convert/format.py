"""What every format of one file can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Format:
    """A file format that holds one signature of a model.

    Attributes:
        label: What people call it.
        suffix: Of its files.
        lacks: Of the types of operations in a graph, those the format is known to lack.
        convert: From a `tf.function` and the model's description to the content of a file. It raises
            `CannotConvert`.
        load: From such a content to a function from inputs to outputs by name, in the format's own
            runtime; strings as object arrays of bytes.
    """

    label: str
    suffix: str
    lacks: Callable[[set[str]], set[str]]
    convert: Callable[[Any, Mapping[str, Any]], bytes]
    load: Callable[[bytes], Run]


class CannotConvert(Exception):  # noqa: N818, it is an answer rather than an error
    """A converter gave up: the format "lacks ..." operations, or it "fails (...)" with what it said."""
