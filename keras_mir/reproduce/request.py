"""What a reproduction is to do, and its folder, which belongs to one request."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from keras_mir.models.json_file import plain, write_json
from keras_mir.reproduce.results import FORMAT, SETTINGS, Settings
from keras_mir.reproduce.wording import command_line
from pipelines.errors import ArgumentError, UserError
from pipelines.files import read_json
from pipelines.places import check_folder, check_utf8

_CHANGEABLE = ("out", "only", "seeds", "settings", "jobs")  # between two calls for one folder


@dataclass(frozen=True)
class Request:
    """What a reproduction is to do.

    Attributes:
        out: Folder of the page, with `reproduction.json`, the request; `runs`, a folder a training;
            `logs`, what each printed; `figures`; `cache`, processed features; and the results.
        data: Folder of the data set; empty for the built-in synthetic corpus.
        labels: Label table of a folder of files.
        only: Experiments to run; none for all.
        settings: The paper's settings, our variants, or both.
        seeds: Number of seeds: 0, 1, ...
        quick: Try everything out on little data, in minutes.
        targets: Affect targets; none for the paper's three, or else the data's first three.
        classes: Class mapping; see `TaskSettings`.
        frames: Where full spectrograms are cut; 0 for the longest clip, of the built-in corpus for 6 s.
        limit: Most clips of each part of the split; 0 for all, of the built-in corpus for 96.
        mnist: MNIST's own files for the digits; empty for scikit-learn's digits.
        skip_bad: Leave out files that cannot be read.
        jobs: Processes that extract features; 0 for one per core.
    """

    out: str
    data: str = ""
    labels: str = ""
    only: tuple[str, ...] = ()
    settings: Literal["both", "paper", "ours"] = "both"
    seeds: int = 1
    quick: bool = False
    targets: tuple[str, ...] = ()
    classes: str = "auto"
    frames: int = 0
    limit: int = 0
    mnist: str = ""
    skip_bad: bool = False
    jobs: int = 0

    def __post_init__(self) -> None:
        # A caller may give paths and lists; the command line has None for what is not given.
        for name in ("out", "data", "labels", "mnist"):
            object.__setattr__(self, name, str(getattr(self, name) or ""))
        for name in ("only", "targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, least in (("seeds", 1), ("frames", 0), ("limit", 0), ("jobs", 0)):
            if getattr(self, name) < least:
                raise ArgumentError(name, getattr(self, name), f"give {least} or more")
        if self.labels and not self.data:
            raise ArgumentError("labels", self.labels, "give data too, the folder its files are in")

    @property
    def folder(self) -> Path:
        return Path(self.out)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def settings_used(self) -> tuple[Settings, ...]:
        return SETTINGS if self.settings == "both" else (self.settings,)

    def command(self) -> str:
        """The command line that does the same."""
        defaults = {field.name: field.default for field in fields(self) if field.name != "seeds"}
        changed = {name: value for name, value in vars(self).items() if value != defaults.get(name)}
        return command_line("reproduce", **changed)

    def open_folder(self) -> tuple[tuple[str, ...], str]:
        """Make the folder, or take up what an earlier call left; refuse a folder of another request.

        Returns:
            Every requested experiment, in this call or an earlier one, empty for all; and
            when the first call was made, as ISO date and time.
        """
        check_folder("out", self.folder)
        for argument in ("out", "data", "labels"):
            check_utf8(argument, Path(getattr(self, argument) or "").absolute())
        given = plain(self)
        file = self.folder / "reproduction.json"
        before: dict[str, Any] = {}
        if file.exists():
            before = read_json(file, "choose another folder")
            if before.get("format") != FORMAT:
                raise UserError(f"{file}: written by another version; choose another folder")
        for name, value in before.items():
            if name not in _CHANGEABLE and name in given and given[name] != value:
                problem = f"{self.out} holds a reproduction with {_shown(value)}, not {_shown(given[name])}"
                raise ArgumentError(name, None, f"{problem}; give the same, or choose another folder")
        earlier = tuple(before.get("only", ()))
        # No experiment named means all of them, now or before.
        everything = not self.only or (before and not earlier)
        only = () if everything else tuple(dict.fromkeys((*earlier, *self.only)))
        started = before.get("started") or datetime.now().astimezone().isoformat(timespec="minutes")
        write_json(file, {"format": FORMAT, **given, "only": only, "started": started})
        return only, str(started)


def _shown(value: Any) -> str:
    return "none" if value in ("", [], 0, False) else "it" if value is True else repr(value)
