"""Whether a server has the model that was exported: what it says of itself against the export."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_mir.client.codec import Arrays, ModelMetadata, Signature
from pipelines.errors import UserError
from pipelines.files import read_json

SIGNATURE = "serving_default"
DESCRIPTION = "description"  # the signature that tells what the model is, and its output
_FILE = Path("assets.extra") / "keras_mir.json"
_REMEDY = "export the model again"
_GIVE = "give what keras_mir.json in an export's assets.extra holds"
_SPEC = "feature_spec"  # every description has one
_SILENT = "it does not say what it is, as models of this package do"


@dataclass(frozen=True)
class Expected:
    """What a client expects a server to have.

    Attributes:
        description: What `keras_mir.json` of the export holds.
        version: The version's number; None if any will do.
    """

    description: Mapping[str, Any]
    version: int | None = None

    @classmethod
    def of(cls, model: str | Path | Mapping[str, Any]) -> Expected:
        """What an exported model is.

        Args:
            model: The folder of a version, such as `saved_models/NAME/1`, or, where any version will do,
                what its `keras_mir.json` holds.

        Raises:
            UserError: If that is no export, or its description is damaged.
        """
        if isinstance(model, Mapping):
            try:
                description = json.loads(json.dumps(dict(model)))  # where a tuple is a list
            except (TypeError, ValueError) as error:
                raise UserError(f"description: no JSON ({error}); {_GIVE}") from None
            return cls(_described(description, "description"))
        folder = Path(model)
        try:
            description = read_json(folder / _FILE, _REMEDY)
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(
                f"{folder}: no exported model; give the folder of a version, such as saved_models/NAME/1"
            ) from None
        name = folder.resolve().name
        return cls(_described(description, str(folder / _FILE)), int(name) if name.isdecimal() else None)

    def difference(self, metadata: ModelMetadata, ask: Callable[[Signature, Arrays], Arrays]) -> str:
        """How a served model differs from this one; empty if it does not.

        Args:
            metadata: What the server says of the model.
            ask: Runs the signature `description`.

        Raises:
            ServingError: If the server does not answer.
        """
        if self.version not in (None, metadata.version):
            return f"expected version {self.version}"
        signature = metadata.signatures.get(DESCRIPTION)
        if signature is None or {*signature.inputs, *signature.outputs} != {"field", DESCRIPTION}:
            return _SILENT
        fields = list(self.description)
        answer = ask(signature, {"field": np.array([field.encode() for field in fields], object)})
        for field, text in zip(fields, answer[DESCRIPTION].tolist(), strict=True):
            if not text:
                return f"it has no {field}"
            try:
                served = json.loads(text)
            except ValueError:
                return _SILENT
            if found := _difference(field, served, self.description[field]):
                return found
        return ""


def _described(description: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """A description, with what the features are first.

    Raises:
        UserError: If it is none.
    """
    if _SPEC not in description:
        raise UserError(f"{place}: it has no {_SPEC!r}; {_GIVE}")
    return {_SPEC: description[_SPEC], **description}


def _difference(place: str, served: Any, expected: Any) -> str:
    """The first place where two values of JSON differ, and how."""
    if isinstance(served, dict) and isinstance(expected, dict):
        for key in (*expected, *served):
            if found := _difference(f"{place}.{key}", served.get(key), expected.get(key)):
                return found
        return ""
    if served == expected:
        return ""
    return f"its {place}: {_written(served)}, expected {_written(expected)}"


def _written(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "empty"
    return str(value)
