"""What a model is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from keras_mir.recipes.architectures import ARCHITECTURES
from pipelines.errors import UserError

Normalise = Literal["bands", "none"]
Head = Literal["auto", "linear", "sigmoid"]


@dataclass(frozen=True)
class ModelSettings:
    """Architecture of a model; what is not said of a kind does not concern it.

    Attributes:
        kind: `lstm` (bidirectional), `cnn` (for one fixed length) or `cnn-any-length`.
        units: LSTM units in each direction.
        layers: Number of LSTM layers.
        filters: CNN channels, block by block.
        pools: CNN pooling windows, block by block, the same over time and bands.
        hidden: Units of one more dense layer before the head; 0 for none.
        dropout: Fraction dropped between LSTM layers and before each dense layer.
        l2: Strength of the L2 penalty on kernels, 0 for none. The published paper uses
            one without stating its strength.
        normalise: Each band to mean 0 and variance 1 over the training frames (`bands`), or
            features as they are (`none`, the paper's way).
        head: Activation of the affect outputs; `sigmoid` keeps them in (0, 1), and `auto` is
            `sigmoid` where all training values are from 0 to 1, else `linear`.
        masks: Leave padded frames out. False reads them as music, the paper's way.
    """

    kind: str = field(default="lstm", metadata={"choices": ARCHITECTURES})
    units: int = 64
    layers: int = 2
    filters: tuple[int, ...] = (32, 64, 128, 256)
    pools: tuple[int, ...] = (2, 2, 4, 4)
    hidden: int = 0
    dropout: float = 0.5
    l2: float = 1e-4
    normalise: Normalise = "bands"
    head: Head = "auto"
    masks: bool = True

    def __post_init__(self) -> None:
        # A recipe file gives lists.
        object.__setattr__(self, "filters", tuple(self.filters))
        object.__setattr__(self, "pools", tuple(self.pools))
        rules = [
            ("kind", self.kind in ARCHITECTURES, f"choose {_listed(tuple(ARCHITECTURES))}"),
            ("normalise", self.normalise in get_args(Normalise), f"choose {_listed(get_args(Normalise))}"),
            ("head", self.head in get_args(Head), f"choose {_listed(get_args(Head))}"),
            ("units", self.units >= 1, "give 1 or more"),
            ("layers", self.layers >= 1, "give 1 or more"),
            ("filters", min(self.filters, default=0) >= 1, "give 1 or more for each block"),
            ("pools", min(self.pools, default=0) >= 1, "give 1 or more for each block"),
            (
                "pools",
                len(self.pools) == len(self.filters),
                f"give one for each of {len(self.filters)} filters",
            ),
            ("hidden", self.hidden >= 0, "give 0 for none, or a number of units"),
            ("dropout", 0 <= self.dropout < 1, "give a value from 0 to below 1"),
            ("l2", 0 <= self.l2 < float("inf"), "give 0 for none, or a positive strength"),
        ]
        for name, valid, remedy in rules:
            if not valid:
                value = getattr(self, name)
                shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
                raise UserError(f"model setting {name} = {shown!r}: {remedy}")


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
