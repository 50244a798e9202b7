"""What every format of one file can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Format:
    """A file format that holds one signature of a model.

    Attributes:
        label: What people call it.
        suffix: Of its files.
        lacks: Of the types of operations in a graph, those the format is known to lack.
        convert: From a `tf.function` and the model's description to the content of a file. It raises
            `CannotConvert`.
        run: Inputs by name through such a content, one batch after the other, in the format's own
            runtime, to outputs by name; strings as object arrays of bytes. It raises `CannotConvert`.
    """

    label: str
    suffix: str
    lacks: Callable[[set[str]], set[str]]
    convert: Callable[[Any, Mapping[str, Any]], bytes]
    run: Callable[[bytes, Sequence[Arrays]], list[Arrays]]


class CannotConvert(Exception):  # noqa: N818, it is an answer rather than an error
    """A converter or a runtime gave up: it "lacks ..." operations, or "fails (...)" with what it said."""
