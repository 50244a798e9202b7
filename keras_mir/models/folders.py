"""The layout TF Serving reads: `<root>/<name>/<version>/`, the highest version being served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.checksums import Checksums, sha256
from pipelines.errors import ArgumentError, UserError
from pipelines.files import read_json
from pipelines.spec import Spec, spec_from_dict

SAVED_MODEL = "saved_model.pb"
# TF Serving and TensorFlow leave assets.extra alone, so it may hold anything.
DESCRIPTION = Path("assets.extra") / "keras_mir.json"
FORMAT = 1  # of a description
KERAS_MODEL = Path("assets.extra") / "model.keras"
CHECKSUMS = "model.sha256"  # of what the answers come from, in a run's folder and in an exported version's


def served_files(version: Path) -> list[Path]:
    """The files of an exported version that its answers come from; the card, for one, a user may edit."""
    return [version / SAVED_MODEL, *version.glob("variables/*"), *version.glob("assets/*")]


def note_checksums(folder: Path, files: Mapping[str, Path]) -> None:
    """Write down what a model's files hold, for `check_unchanged`, and for `sha256sum -c`.

    Args:
        folder: Folder of the run, or of the exported version.
        files: By name in that folder, where they are now.
    """
    checksums = Checksums(folder / CHECKSUMS)
    checksums.update({name: sha256(file) for name, file in files.items()})
    checksums.write()


def check_unchanged(folder: Path, files: Iterable[Path]) -> None:
    """Refuse files of a model that are not as they were written: TensorFlow may read another model in them.

    Args:
        folder: Folder of the run, or of the exported version; if it is of an older version, it has no list.
        files: In that folder.

    Raises:
        UserError: Naming the first that is not.
    """
    checksums = Checksums(folder / CHECKSUMS)
    for file in files:
        if checksums.holds(file) is False:
            raise UserError(
                f"{file}: damaged, or of another model, by its checksum in {CHECKSUMS}; "
                "copy the model again, or train or export it again"
            )


def check_name(name: str) -> None:
    """Refuse a model name that would not make a plain folder.

    Raises:
        ArgumentError: If the name is empty, hidden, or holds anything but letters a-z, digits,
            `_`, `.` and `-`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ArgumentError(
            "name", repr(name), "use letters a-z, digits, '_', '.' and '-', and no dot in front"
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


def find_version(model: str, root: Path) -> Path:
    """The SavedModel that a user names.

    Args:
        model: `NAME` or `NAME/VERSION` in `root`, or a model's or a version's folder.
        root: The export root, `saved_models`.

    Raises:
        UserError: As `latest_version`.
    """
    named = root / model
    return latest_version(named if named.is_dir() or not Path(model).is_dir() else Path(model))


def _what_is_there(path: Path) -> str:
    if (path / "description.json").is_file():
        return f"this is a run; export it with python -m keras_mir.export {path} --format savedmodel"
    for folder in (path, path.parent):
        found = versions(folder)
        if found and folder != path:
            return f"{folder} has version {', '.join(map(str, found))}"
        names = sorted(child.parent.parent.name for child in folder.glob(f"*/*/{SAVED_MODEL}"))
        if names:
            return f"{folder} has {', '.join(dict.fromkeys(names))}"
    return "export one with keras_mir.fit"


def read_description(path: Path) -> dict[str, Any]:
    """Read what an exported model says about itself, as JSON holds it.

    Args:
        path: A folder `latest_version` returned.

    Raises:
        UserError: If the model has none, or it is damaged.
    """
    file = Path(path) / DESCRIPTION
    try:
        return read_json(file, "export the model again")
    except FileNotFoundError:
        raise UserError(
            f"{file}: missing; this model was not exported by keras_mir, export it again"
        ) from None


def spec_of(description: Mapping[str, Any], place: object) -> Spec:
    """The spec of the features that a model takes.

    Args:
        description: What it says about itself.
        place: Where that is from, for messages.

    Raises:
        UserError: If there is none, it is damaged, or the description is of another version.
    """
    if description.get("format") != FORMAT:
        problem = f"format {description.get('format')!r}, expected {FORMAT}; export the model again"
        raise UserError(f"{place}: {problem}")
    try:
        return spec_from_dict(description["feature_spec"])
    except (KeyError, TypeError, ValueError, UserError) as error:
        problem = f"damaged (feature_spec: {error}); export the model again"
        raise UserError(f"{place}: {problem}") from None
