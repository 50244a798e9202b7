"""What is in an exported graph, and whether stock TF Serving can run it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.protobuf import saved_model_pb2

from keras_mir.models.folders import SAVED_MODEL
from keras_mir.models.session import SIGNATURE
from pipelines.errors import UserError

# TensorFlow has these, but TF Serving's CPU binary cannot run them, or runs them only with Python,
# a GPU, a TPU, XLA or other hosts beside it.
NOT_SERVABLE = {
    "CudnnRNN": "cuDNN; build the model with use_cudnn=False for export",
    "PyFunc": "Python",
    "EagerPyFunc": "Python",
    "Xla": "XLA",
    "TPU": "a TPU",
    "Nccl": "several GPUs",
    "Collective": "several hosts",
}

# TF Serving is behind TensorFlow. An export is loaded by this version, and by later ones.
OLDEST = "2.17"


def check_graph(path: Path) -> None:
    """Refuse a SavedModel with anything that stock TF Serving lacks.

    Every node of every graph and function is looked at. An operation passes if TensorFlow `OLDEST`
    defines it with all the attributes that it has here, and if it is not in `NOT_SERVABLE`.

    Args:
        path: The folder that holds `saved_model.pb`.

    Raises:
        UserError: Naming the first operation that cannot be served, or if the file is
            missing or damaged.
    """
    for meta_graph in _read(path).meta_graphs:
        graph = meta_graph.graph_def
        for function in graph.library.function:
            if function.attr["_XlaMustCompile"].b:
                name = function.signature.name
                raise UserError(f"{path}: function {name!r} needs XLA; export it without jit_compile")
        # A function may be called by its name, as if it were an operation.
        functions = {function.signature.name for function in graph.library.function}
        for node in nodes(graph):
            place = f"{path}: operation {node.op} ({node.name})"
            for prefix, needs in NOT_SERVABLE.items():
                if node.op.startswith(prefix):
                    raise UserError(f"{place} cannot be served: it needs {needs}")
            if node.attr["_XlaMustCompile"].b:
                raise UserError(f"{place} needs XLA; export it without jit_compile")
            if node.op in functions:
                continue
            if not hasattr(tf.raw_ops, node.op):
                raise UserError(f"{place} is not TensorFlow's own, and TF Serving lacks it")
            known = _operations().get(node.op)
            newer = "it" if known is None else _first_newer(node, known)
            if newer:
                oldest = f"TensorFlow {OLDEST}, which exports are promised to run in"
                raise UserError(f"{place} cannot be served: {oldest}, lacks {newer}")


def nodes(graph: Any) -> Iterator[Any]:
    """The `NodeDef`s of a `GraphDef` and of all its functions."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def read_signatures(path: Path) -> dict[str, Any]:
    """The signatures of a SavedModel.

    Args:
        path: The folder that holds `saved_model.pb`.

    Returns:
        `tensorflow.SignatureDef` by name, the default one first, then alphabetically.

    Raises:
        UserError: If the file is missing or damaged.
    """
    (meta_graph,) = _read(path).meta_graphs
    found = {name: value for name, value in meta_graph.signature_def.items() if not name.startswith("__")}
    return dict(sorted(found.items(), key=lambda item: (item[0] != SIGNATURE, item[0])))


@functools.cache
def _operations() -> dict[str, frozenset[str]]:
    """The attributes of each operation of `OLDEST`."""
    lines = (files("keras_mir.export") / f"tensorflow_{OLDEST}.txt").read_text().splitlines()
    words = (line.split() for line in lines if not line.startswith("#"))
    return {name: frozenset(attributes) for name, *attributes in words}


def _first_newer(node: Any, known: frozenset[str]) -> str:
    """The first of a node's attributes that is not known, in words; empty if there is none."""
    # Those with an underscore belong to no operation, and every loader takes them.
    newer = sorted(name for name in node.attr if not name.startswith("_") and name not in known)
    return f"its attribute {newer[0]}" if newer else ""


def _read(path: Path) -> Any:
    file = Path(path) / SAVED_MODEL
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString(file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{file}: missing; export the model again") from None
    except DecodeError:
        raise UserError(f"{file}: damaged; export the model again") from None
    return model
