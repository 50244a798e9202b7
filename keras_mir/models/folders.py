"""The layout TF Serving reads: `<root>/<name>/<version>/`, the highest version being served."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pipelines.errors import UserError

SAVED_MODEL = "saved_model.pb"
# TF Serving and TensorFlow leave assets.extra alone, so it may hold anything.
DESCRIPTION = Path("assets.extra") / "keras_mir.json"
KERAS_MODEL = Path("assets.extra") / "model.keras"


def check_name(name: str) -> None:
    """Refuse a model name that would not make a plain folder.

    Raises:
        UserError: If the name is empty, hidden, or holds anything but letters a-z, digits,
            `_`, `.` and `-`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UserError(
            f"model name {name!r}: use letters a-z, digits, '_', '.' and '-', and no dot in front"
        )


def versions(folder: Path) -> list[int]:
    """The version numbers in a model's folder, ascending; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if re.fullmatch(r"[0-9]+", path.name))


def latest_version(path: Path) -> Path:
    """Find the SavedModel a user means.

    Args:
        path: `saved_models/NAME`, meaning its highest version, or `saved_models/NAME/3`.

    Returns:
        The folder that holds `saved_model.pb`.

    Raises:
        UserError: If there is none; the message says what there is instead.
    """
    path = Path(path)
    if (path / SAVED_MODEL).is_file():
        return path
    for version in reversed(versions(path)):
        if (path / str(version) / SAVED_MODEL).is_file():
            return path / str(version)
    raise UserError(f"{path}: no exported model; {_what_is_there(path)}")


def _what_is_there(path: Path) -> str:
    for folder in (path, path.parent):
        found = versions(folder)
        if found and folder != path:
            return f"{folder} has version {', '.join(map(str, found))}"
        names = sorted(child.parent.parent.name for child in folder.glob(f"*/*/{SAVED_MODEL}"))
        if names:
            return f"{folder} has {', '.join(dict.fromkeys(names))}"
    return "export one with keras_mir.fit"


def read_description(path: Path) -> dict[str, Any]:
    """Read what an exported model says about itself.

    Args:
        path: A folder `latest_version` returned.

    Returns:
        The description it was exported with: settings, feature spec, class names, ...

    Raises:
        UserError: If the model has none, or it is damaged.
    """
    file = Path(path) / DESCRIPTION
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{file}: missing; this model was not exported by keras_mir, export it again"
        ) from None
    except ValueError:
        raise UserError(f"{file}: not valid JSON; export the model again") from None
    if not isinstance(description, dict):
        raise UserError(f"{file}: not a JSON object; export the model again")
    return description
