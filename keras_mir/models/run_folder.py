"""The folder of a run: what is in it, and how it gets there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from pipelines.errors import UserError
from pipelines.files import write_atomically


@dataclass(frozen=True)
class RunFolder:
    """Paths in a run's folder.

    `recipe.toml` and `run.json` say what was asked for, `checkpoint` holds the state
    after the last whole epoch, `logs` what TensorBoard shows; `split.csv`,
    `history.csv`, `report.json`, `model.keras`, what it says of itself in
    `description.json`, and the pictures are the results; an overfit check has `overfit.json`
    in place of the report.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def request(self) -> Path:
        return self.path / "run.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def split(self) -> Path:
        return self.path / "split.csv"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def description(self) -> Path:
        return self.path / "description.json"

    @property
    def overfit(self) -> Path:
        return self.path / "overfit.json"

    @property
    def model(self) -> Path:
        return self.path / "model.keras"

    def check_free(self) -> None:
        """Refuse a folder that a new run cannot have.

        Raises:
            UserError: If there is a run in it already, or it is a file.
        """
        if self.request.exists():
            raise UserError(f"--out {self.path}: there is a run in it; continue it with --resume {self.path}")
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--out {self.path}: a file, not a folder; choose another name")

    def create(self, recipe: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """Make the folder and write down what was asked for.

        Raises:
            UserError: As `check_free`.
        """
        self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.recipe, tomli_w.dumps(dict(recipe)).encode())
        write_atomically(self.request, (json.dumps(dict(request), indent=2) + "\n").encode())

    def read_request(self) -> dict[str, Any]:
        """What was asked for.

        Raises:
            UserError: If there is no run in the folder.
        """
        try:
            return dict(json.loads(self.request.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{self.path}: no run in it (run.json is missing); check the folder") from None
        except json.JSONDecodeError as error:
            raise UserError(f"{self.request}: damaged ({error}); start a new run") from None
