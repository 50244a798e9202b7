"""Whether a server has the model that was exported: what it says of it against the export's description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_mir.client.codec import Arrays, ModelMetadata, Signature
from pipelines.errors import UserError
from pipelines.spec import spec_from_dict

SIGNATURE = "serving_default"
_STEPS = 8  # of the features it is asked about, to be told its names

# In the description, and the outputs that a served model names them in.
_NAMED = ("classes", "tags")


def difference(
    metadata: ModelMetadata, description: Mapping[str, Any], ask: Callable[[Mapping[str, np.ndarray]], Arrays]
) -> str:
    """How a served model differs from the described one; empty if it does not.

    Compared are the bands of its features, its affect targets, and its genres or tags, which it is asked
    for with one short example.

    Args:
        metadata: What the server says of the model.
        description: What `keras_mir.json` of the export holds.
        ask: Runs `serving_default`.

    Raises:
        UserError: If the description is damaged, or is none.
        ServingError: If the server does not answer.
    """
    try:
        spec = spec_from_dict(description["feature_spec"])
        bands = spec.width(description["recipe"]["input"]["feature"])
        named = {name: list(description[name]) for name in _NAMED if description.get(name)}
        targets = list(description["targets"])
    except (KeyError, TypeError, ValueError) as error:
        problem = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"description: {problem}; give what keras_mir.json in an export's assets.extra holds"
        ) from None
    signature = metadata.signatures.get(SIGNATURE)
    if signature is None or "features" not in signature.inputs:
        return f"it has no signature {SIGNATURE!r} that takes features"
    served_bands = (signature.inputs["features"].shape or (None,))[-1]
    if served_bands != bands:
        return f"it takes features of {served_bands} bands, expected {bands}"
    missing = [name for name in (*targets, *named) if name not in signature.outputs]
    if missing:
        return f"it does not give {', '.join(missing)}"
    answer = ask(_example(signature, bands)) if named else {}
    for output, expected in named.items():
        served = answer[output].ravel().tolist()
        if served != expected:
            return f"its {output} are {', '.join(served)}, expected {', '.join(expected)}"
    return ""


def _example(signature: Signature, bands: int) -> dict[str, np.ndarray]:
    shape = signature.inputs["features"].shape or (None, None, None)
    steps = shape[1] or _STEPS
    example = {"features": np.zeros((1, steps, bands), np.float32), "lengths": np.array([steps], np.int32)}
    return {name: array for name, array in example.items() if name in signature.inputs}
