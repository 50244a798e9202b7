"""Several models as one, which answers with their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_mir.models.kernel_ridge import REGRESSION
from keras_mir.models.outputs import EMBEDDING, PROBABILITIES


def mean_model(members: Sequence[keras.Model]) -> keras.Model:
    """A model that gives its inputs to all members and answers with the mean of their outputs.

    Args:
        members: Two models or more of `keras_mir.models`, with the same inputs and outputs; their weights
            are copied.

    Returns:
        A model like its members. Its `embedding` is theirs side by side, `(batch, sum of sizes)`, and each
        member's head reads its own part of it.
    """
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in members[0].input.items()
    }
    read = [_read(member, number, inputs) for number, member in enumerate(members, start=1)]
    parts = [each[EMBEDDING] for each in read]
    joined = keras.layers.Concatenate(dtype="float32", name=EMBEDDING)(parts)
    answers, start = [], 0
    for number, (member, each) in enumerate(zip(members, read, strict=True), start=1):
        end = start + each[EMBEDDING].shape[-1]
        stood_on = {**each, EMBEDDING: joined[:, start:end]}
        answers.append(_head(member, number)([stood_on[name] for name in _below(member)]))
        start = end
    outputs = {
        # The names that a member's own heads have.
        name: keras.layers.Average(dtype="float32", name=name if name in PROBABILITIES else f"target_{name}")(
            [answer[name] for answer in answers]
        )
        for name in members[0].output
    }
    return keras.Model(inputs, outputs, name=f"mean_of_{len(members)}")


def _read(member: keras.Model, number: int, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a member's outputs stand on, of other inputs, by copies of its layers, named after it."""

    def renamed(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": f"member_{number}_{layer.name}"})

    body = keras.Model(member.input, _below(member))
    copy = keras.models.clone_model(body, input_tensors=dict(inputs), clone_function=renamed)
    copy.set_weights(body.get_weights())
    return dict(copy.output)


def _head(member: keras.Model, number: int) -> keras.Model:
    """A copy of what stands on that."""
    head = keras.Model(list(_below(member).values()), member.output, name=f"member_{number}_head")
    copy = keras.models.clone_model(head)
    copy.set_weights(head.get_weights())
    return copy


def _below(member: keras.Model) -> dict[str, Any]:
    """The embedding, and what a kernel ridge regression beside the network gives, where there is one."""
    names = [layer.name for layer in member.layers if layer.name in (EMBEDDING, REGRESSION)]
    return {name: member.get_layer(name).output for name in names}
