"""A signature as one graph, to convert."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from keras_mir.export.signatures import Signature


def traced(signature: Signature) -> Any:
    """A signature as a `tf.function`, with its graph made."""
    function = tf.function(signature.answer, input_signature=signature.inputs, autograph=False)
    function.get_concrete_function()
    return function


def operations(function: Any) -> set[str]:
    """The types of all operations in a `tf.function` and in what it calls."""
    graph = function.get_concrete_function().graph.as_graph_def()
    library = graph.library.function
    inside = {node.op for called in library for node in called.node_def}
    return (inside | {node.op for node in graph.node}) - {called.signature.name for called in library}


def frozen(function: Any) -> Any:
    """The same function with all that it takes from outside made constants.

    LiteRT's converter would lose what is in variables.
    """
    concrete = function.get_concrete_function()
    constant = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    names = sorted(concrete.structured_outputs)

    def answer(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, constant(*inputs), strict=True))

    return tf.function(answer, input_signature=function.input_signature, autograph=False)
