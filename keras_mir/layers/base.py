"""What the layers of the package have in common."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from pipelines.wording import counted

Size = int | None  # of an axis; None for an open one
Shape = tuple[Size, ...]
Axes = tuple[str, ...]

A_CLIP: Axes = ("batch",)  # a number for each clip


class BaseLayer(keras.layers.Layer):
    """A layer that says what it takes, and takes it with or without lengths.

    No mask is attached to what it gives. Every argument of a subclass's constructor is an attribute
    of the same name, and that is its configuration. What it gives has the shape of the first input,
    unless a subclass has another `_shapes`.

    Attributes:
        takes: Its inputs, in order, and the names of their axes; `...` stands for any others.
        optional: The input that may be left out.
    """

    takes: ClassVar[dict[str, Axes]]
    optional: ClassVar[str] = "lengths"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def named(self, inputs: Any) -> dict[str, Any]:
        """The inputs by name: of a single tensor, or of a list.

        Raises:
            ValueError: If they are not what the layer takes.
        """
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        tensors = [x for x in tensors if x is not None]
        names = self._names([tuple(x.shape) for x in tensors])
        return dict(zip(names, tensors, strict=True))

    def first_shape(self, input_shape: Any) -> Shape:
        """The first input's, of one shape or of a list of shapes.

        Raises:
            ValueError: If they are not those of what the layer takes.
        """
        several = input_shape and isinstance(input_shape[0], list | tuple)
        shapes = [tuple(shape) for shape in (input_shape if several else [input_shape])]
        self._names(shapes)
        return shapes[0]

    def _names(self, shapes: Sequence[Shape]) -> list[str]:
        names = list(self.takes)
        if len(shapes) < len(names) and self.optional in names[1:]:
            names.remove(self.optional)
        if len(shapes) != len(names):
            raise ValueError(f"{self._wants()}; got {counted(len(shapes), 'input')}")
        for name, shape in zip(names, shapes, strict=True):
            axes = self.takes[name]
            any_more = axes[-1] == "..."
            missing = len(axes) - any_more - len(shape)
            if not (missing == 0 or (missing < 0 and any_more)):
                remedy = "; put a batch axis first, x[None]" if missing == 1 else ""
                raise ValueError(f"{self._wants()}; got {name} of shape {shape}{remedy}")
        return names

    def _wants(self) -> str:
        """Such as `LogMel takes audio (batch, samples), or [audio, lengths (batch,)]`."""
        described = {name: f"{name} ({', '.join(axes)})" for name, axes in self.takes.items()}
        forms = [list(self.takes)]
        if self.optional in forms[0][1:]:
            forms.insert(0, [name for name in self.takes if name != self.optional])
        written = [", ".join(described.pop(name, name) for name in form) for form in forms]
        return f"{type(self).__name__} takes " + ", or ".join(
            f"[{text}]" if len(form) > 1 else text for form, text in zip(forms, written, strict=True)
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._shapes(*self.first_shape(input_shape))

    def _shapes(self, *shape: Any, **_: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        arguments = [name for name in inspect.signature(type(self)).parameters if name != "kwargs"]
        return {**super().get_config(), **{name: getattr(self, name) for name in arguments}}
