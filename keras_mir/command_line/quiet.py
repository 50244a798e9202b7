"""TensorFlow without its notes on the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType


def import_tensorflow_quietly() -> None:
    """From now on, let TensorFlow say nothing when it is imported, whoever does so first.

    Some of its notes ("Could not find cuda drivers") are written before any setting is read.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters comes as an exception
    if _TensorFlowFinder not in sys.meta_path:
        sys.meta_path.insert(0, _TensorFlowFinder)


class _TensorFlowFinder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == "tensorflow" else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _QuietLoader(spec.loader.name, spec.loader.path)
        return spec


class _QuietLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        from pipelines.quiet import quiet  # not before another package of that name is refused

        with quiet():
            super().exec_module(module)
        module.get_logger().setLevel("ERROR")
