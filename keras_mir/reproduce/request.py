"""What a user asks of a reproduction, and its folder."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from keras_mir.reproduce.results import Settings
from pipelines.errors import UserError
from pipelines.files import write_atomically

_CHANGEABLE = ("out", "only", "seeds", "settings", "jobs")  # between two calls for one folder


@dataclass(frozen=True)
class ReproduceRequest:
    """What a user asks of `reproduce`; empty text stands for a default.

    Attributes:
        out: Folder of the page.
        data: Folder of the data set; empty for the built-in synthetic corpus.
        labels: Label table of a folder of files.
        only: Experiments to run; empty for all.
        settings: The report's settings, our variants, or both.
        seeds: Number of seeds: 0, 1, ...
        quick: Try everything out on little data, in minutes.
        targets: Affect targets; empty for the report's three, or else the data's first three.
        classes: Class mapping; see `TaskSettings`.
        frames: Where full spectrograms are cut; 0 for the longest clip, of the built-in corpus for six
            seconds.
        limit: Most clips of each part of the split; 0 for all, of the built-in corpus for 96.
        mnist: MNIST's own files for the digits; empty for scikit-learn's digits.
        skip_bad: Leave out files that cannot be read.
        jobs: Processes that extract features; 0 for one a core.
    """

    out: str
    data: str = ""
    labels: str = ""
    only: tuple[str, ...] = ()
    settings: Literal["both", "report", "ours"] = "both"
    seeds: int = 1
    quick: bool = False
    targets: tuple[str, ...] = ()
    classes: str = "auto"
    frames: int = 0
    limit: int = 0
    mnist: str = ""
    skip_bad: bool = False
    jobs: int = 0

    @property
    def folder(self) -> Path:
        return Path(self.out)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def settings_used(self) -> tuple[Settings, ...]:
        return ("report", "ours") if self.settings == "both" else (self.settings,)

    def command(self) -> str:
        """The command line that asks for this."""
        words = ["python", "-m", "keras_mir.reproduce"]
        defaults = ReproduceRequest(out="")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value == getattr(defaults, field.name) and field.name != "seeds":
                continue
            flag = f"--{field.name.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(flag)
            else:
                words += [flag, ",".join(value) if isinstance(value, tuple) else str(value)]
        return shlex.join(words)


@dataclass(frozen=True)
class State:
    """What all calls for a folder have in common.

    Attributes:
        only: Every experiment that was asked for, in this call or an earlier one; empty for all.
        started: When the first was made, as ISO date and time.
    """

    only: tuple[str, ...]
    started: str


class ReportFolder:
    """The folder of a reproduction, which belongs to one question: same data, same scale.

    `reproduction.json` says what was asked; `runs` holds a folder a training, `logs` what each
    printed, `figures` the pictures, `cache` processed features; `index.html`, `report.md` and
    `results.json` are the results.
    """

    def __init__(self, request: ReproduceRequest) -> None:
        self.path = request.folder
        self._request = request

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def open(self) -> State:
        """Make the folder, or take up what an earlier call left.

        Raises:
            UserError: If the folder is of another question.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--out {self.path}: a file, not a folder; choose another name")
        asked = dataclasses.asdict(self._request)
        before = self._read()
        for name, value in before.items():
            if name not in _CHANGEABLE and name in asked and _listed(asked[name]) != value:
                raise UserError(
                    f"--{name.replace('_', '-')}: {self.path} holds a reproduction with {_shown(value)}, "
                    f"not {_shown(_listed(asked[name]))}; ask the same, or choose another --out"
                )
        earlier = tuple(before.get("only", ()))
        # No experiment named means all of them, now or before.
        everything = not self._request.only or (before and not earlier)
        only = () if everything else tuple(dict.fromkeys((*earlier, *self._request.only)))
        started = before.get("started") or datetime.now().astimezone().isoformat(timespec="minutes")
        content = {**asked, "only": only, "started": started}
        write_atomically(self._file, (json.dumps(content, indent=2) + "\n").encode())
        return State(only, started)

    @property
    def _file(self) -> Path:
        return self.path / "reproduction.json"

    def _read(self) -> dict[str, Any]:
        if not self._file.exists():
            return {}
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except ValueError as error:
            raise UserError(f"{self._file}: damaged ({error}); choose another --out") from None


def _listed(value: Any) -> Any:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return "none" if value in ("", [], 0, False) else "it" if value is True else repr(value)
