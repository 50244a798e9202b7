"""The file of predictions that the course asks for, one row a clip of the unlabelled test folder."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.datasets.tables import name_ids
from pipelines.errors import UserError
from pipelines.files import write_atomically

SUFFIX = ".fused.full.npy.gz"


def write_submission(
    path: Path, ids: Sequence[str], values: Mapping[str, np.ndarray], suffix: str = SUFFIX
) -> int:
    """Write predictions as the course wants them; the file appears once it has been checked.

    ::

        Id.fused.full.npy.gz,valence,energy,danceability
        123212738.fused.full.npy.gz,0.153000,0.961000,0.013000

    Args:
        path: The file; replaced if it is there.
        ids: Of the clips, without suffix.
        values: Predictions by target, float `(n,)` in the order of the ids; targets become
            columns in this order. What is outside [0, 1] is clipped.
        suffix: Stands behind every id.

    Returns:
        How many values were clipped.

    Raises:
        UserError: If there are no clips, a prediction is not a number, or an id is there twice.
        ValueError: If a target has not one value a clip.
    """
    if not ids:
        raise UserError(f"{path}: there is no clip to predict; put feature files into the test folder")
    for target, array in values.items():
        if array.shape != (len(ids),):
            raise ValueError(f"{target}: shape {array.shape}, expected {(len(ids),)}")
        if not np.isfinite(array).all():
            first = int(np.argmin(np.isfinite(array)))
            raise UserError(
                f"{path}: the {target} predicted for clip {ids[first]!r} is {array[first]}, so the model has "
                f"diverged; train it again with a lower --learning-rate"
            )
    clipped, count = clip_to_unit(values)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"Id{suffix}", *clipped])
    for identity, *row in zip(ids, *clipped.values(), strict=True):
        writer.writerow([f"{identity}{suffix}", *(f"{value:.6f}" for value in row)])
    unchecked = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_atomically(unchecked, text.getvalue().encode())
        _check(unchecked, path, ids, tuple(values), suffix)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return count


def clip_to_unit(values: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
    """Clip to [0, 1].

    Args:
        values: float `(n,)` by target.

    Returns:
        The same within [0, 1], and how many values that changed.
    """
    clipped = {target: np.clip(array, 0.0, 1.0) for target, array in values.items()}
    return clipped, sum(int(np.count_nonzero(clipped[target] != values[target])) for target in values)


def check_submission(path: Path, ids: Sequence[str], targets: Sequence[str], suffix: str = SUFFIX) -> None:
    """Check a submission against the clips it is to cover; rows may come in any order.

    Args:
        path: The file.
        ids: Of the clips, without suffix.
        targets: Names of the columns after the first.
        suffix: Stands behind every id.

    Raises:
        UserError: If the header is another, a row has more or fewer columns, an id is missing,
            unknown or there twice, or a value is not a number in [0, 1].
    """
    _check(path, path, ids, targets, suffix)


def _check(file: Path, name: Path, ids: Sequence[str], targets: Sequence[str], suffix: str) -> None:
    """Check `file`, which errors call `name`."""
    header, *rows = _read_rows(file, name)
    expected = [f"Id{suffix}", *targets]
    if header != expected:
        raise UserError(f"{name}: row 1 is {','.join(header)!r}, not {','.join(expected)!r}; correct it")
    known = {f"{identity}{suffix}" for identity in ids}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        where = f"{name}: row {number}"
        if len(row) != len(expected):
            raise UserError(f"{where} has {len(row)} columns, not {len(expected)}; correct it")
        identity, *values = row
        if identity not in known:
            raise UserError(f"{where} is of {identity!r}, which is not a clip of the test folder; delete it")
        if identity in seen:
            raise UserError(f"{where} is of {identity!r}, as is row {seen[identity]}; delete one of them")
        seen[identity] = number
        for target, value in zip(targets, values, strict=True):
            if not _is_in_unit(value):
                raise UserError(f"{where}, {target}: {value!r} is not a number from 0 to 1; correct it")
    missing = [identity for identity in ids if f"{identity}{suffix}" not in seen]
    if missing:
        raise UserError(f"{name}: after row {len(rows) + 1} there is none for {name_ids(missing)}; add it")


def _read_rows(file: Path, name: Path) -> list[list[str]]:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            rows = list(csv.reader(text, strict=True))
    except FileNotFoundError:
        raise UserError(f"{name}: no such file; write the submission first") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{name}: not a CSV file in UTF-8 ({error}); write the submission again") from None
    if not rows:
        raise UserError(f"{name}: empty; write the submission again")
    return rows


def _is_in_unit(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False
