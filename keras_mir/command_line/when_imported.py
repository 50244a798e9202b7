"""Something to do once other packages have been imported, by whoever and in whatever order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def when_imported(names: Sequence[str], action: Callable[[], Any]) -> None:
    """Do something when packages, which import one another, are there: now, or when the last of them is.

    Args:
        names: Names of the packages; those that nobody imports are not waited for.
        action: Is done once.
    """
    # None stands for a module that somebody does not want to be imported.
    missing = {name for name in names if sys.modules.get(name) is None}
    if not missing:
        action()
    else:
        sys.meta_path.insert(0, _Finder(missing, action))


class _Finder:
    def __init__(self, missing: set[str], action: Callable[[], Any]) -> None:
        self._missing = missing
        self._action = action

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._missing:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((spec for other in others if (spec := other.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            self._tell_when_done(name, spec.loader)
        return spec

    def _tell_when_done(self, name: str, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._missing.discard(name)
            # One that is missing and yet listed is being imported, and has asked for this one.
            if self in sys.meta_path and not any(other in sys.modules for other in self._missing):
                sys.meta_path.remove(self)
                self._action()

        loader.exec_module = exec_module
