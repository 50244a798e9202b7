"""Dataclasses as JSON files: written whole or not at all, checked when they are read."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipelines.errors import UserError
from pipelines.files import write_atomically

T = TypeVar("T")


def plain(value: Any) -> Any:
    """The value as JSON can hold it; a number that is not finite becomes None."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, value: Any, *, sort_keys: bool = False) -> None:
    """Write a value that `plain` can make JSON of; its folder is made if it is not there."""
    text = json.dumps(plain(value), indent=2, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def from_json(kind: type[T], values: Mapping[str, Any], place: str, remedy: str) -> T:
    """A dataclass from what JSON holds; keys that it does not know are left out.

    Args:
        kind: The dataclass. Its fields may be numbers, text, dataclasses, arrays, and dictionaries,
            tuples and unions with None of such.
        values: As `plain` gives it.
        place: Where the values are from, for messages.
        remedy: What a user is to do if they are damaged.

    Raises:
        UserError: Naming the key that is missing or holds something else.
    """
    try:
        return typing.cast(T, _convert(kind, values, ""))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{place}: damaged ({error.args[0]}); {remedy}") from None


def _convert(kind: Any, value: Any, key: str) -> Any:
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _convert(inner, value, key)
    if kind is np.ndarray and isinstance(value, list):
        return np.asarray(value)
    if origin is dict and isinstance(value, Mapping):
        return {name: _convert(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(arguments[0], item, key) for item in value)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        hints, found = typing.get_type_hints(kind), {}
        for field in dataclasses.fields(kind):
            place = f"{key}.{field.name}"
            if field.name in value:
                found[field.name] = _convert(hints[field.name], value[field.name], place)
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise KeyError(f"{place.lstrip('.')} is missing")
        return kind(**found)
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise TypeError(f"{key.lstrip('.') or 'all of it'} is {json.dumps(value)[:40]}")
