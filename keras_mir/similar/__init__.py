"""Songs that sound alike, by their vectors: `keras_mir.similar(song, vectors)`, and the command.

A package's function and its command have one name here, and once the command's folder has been imported,
that is what `keras_mir.similar` is: so it can be called.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As `keras_mir.similar.similar.similar`."""
        from keras_mir.similar.similar import similar

        return similar(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
