"""One exported model with all its signatures, loaded as TF Serving loads it and run."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_mir.client.status import Code, StatusError
from keras_mir.models.session import new_session

DEFAULT_SIGNATURE = "serving_default"


class Servable:
    """A SavedModel in a session; any number of threads may run it at once.

    Attributes:
        path: The version's folder.
        signatures: `SignatureDef` protos by name, as the model has them.
    """

    def __init__(self, path: Path, session: Any, signatures: Mapping[str, Any]) -> None:
        self.path = path
        self.signatures = dict(signatures)
        self._session = session

    @classmethod
    def load(cls, path: Path) -> Servable:
        """Load the graph tagged `serve` into a session of its own.

        Args:
            path: The folder that holds `saved_model.pb`.

        Raises:
            StatusError: If it is damaged or incomplete.
        """
        graph = tf.Graph()
        session = new_session(graph)
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(path))
        except tf.errors.OpError as error:
            session.close()
            raise StatusError(
                Code(error.error_code), f"{path}: cannot be loaded: {_reason(error)}"
            ) from error
        # What the importer raises follows from what a damaged graph holds.
        except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
            session.close()
            raise StatusError(Code.UNKNOWN, f"{path}: cannot be loaded: {_first_line(str(error))}") from error
        return cls(path, session, meta_graph.signature_def)

    def signature(self, name: str = "") -> Any:
        """The `SignatureDef` of that name; without a name, `serving_default`.

        Raises:
            StatusError: FAILED_PRECONDITION if the model has none of that name.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            there = ", ".join(sorted(other for other in self.signatures if not other.startswith("__")))
            raise StatusError(
                Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found; there is {there}.'
            )
        return self.signatures[name]

    def run(
        self,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        *,
        outputs: Sequence[str] = (),
        deadline: float,
    ) -> dict[str, np.ndarray]:
        """Run a signature.

        Args:
            signature_name: Empty for `serving_default`.
            inputs: An array for each named input, of its dtype; strings as an object array of bytes.
            outputs: Names of the outputs wanted; all of them without.
            deadline: When to give up, in seconds of `time.monotonic`.

        Returns:
            The outputs by name; strings as object arrays of bytes.

        Raises:
            StatusError: INVALID_ARGUMENT if names, dtypes or shapes do not fit or the batch is empty,
                DEADLINE_EXCEEDED if it took too long, and otherwise what the graph raised.
        """
        signature = self.signature(signature_name)
        _check_names(inputs, signature.inputs)
        for name, value in inputs.items():
            _check_input(name, value, signature.inputs[name])
        for name in outputs:
            if name not in signature.outputs:
                there = ", ".join(sorted(signature.outputs))
                raise StatusError(
                    Code.INVALID_ARGUMENT,
                    f"output tensor alias not found in signature: {name}; there is {there}",
                )
        fetches = {name: signature.outputs[name].name for name in outputs or signature.outputs}
        feed = {signature.inputs[name].name: value for name, value in inputs.items()}
        milliseconds = int((deadline - time.monotonic()) * 1000)
        if milliseconds <= 0:
            raise StatusError(Code.DEADLINE_EXCEEDED, "the time limit passed before the model ran")
        try:
            results = self._session.run(
                fetches, feed, options=tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
            )
        except tf.errors.DeadlineExceededError as error:
            raise StatusError(
                Code.DEADLINE_EXCEEDED, "the model did not answer within the time limit"
            ) from error
        except tf.errors.OpError as error:
            raise StatusError(Code(error.error_code), _reason(error)) from error
        return {name: _as_array(value) for name, value in results.items()}

    def close(self) -> None:
        """Give the model's memory back; nobody may be running it."""
        self._session.close()


def _check_names(inputs: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> None:
    missing, unknown = sorted(set(expected) - set(inputs)), sorted(set(inputs) - set(expected))
    if missing or unknown:
        wrong = [f"missing {', '.join(missing)}"] * bool(missing)
        wrong += [f"unknown {', '.join(unknown)}"] * bool(unknown)
        raise StatusError(
            Code.INVALID_ARGUMENT,
            f"inputs do not match the signature: {'; '.join(wrong)}; it takes {', '.join(sorted(expected))}",
        )


def _check_input(name: str, value: np.ndarray, expected: Any) -> None:
    dtype = tf.as_dtype(expected.dtype)
    # NumPy has no dtype of its own for strings of any length.
    if value.dtype != (object if dtype == tf.string else dtype.as_numpy_dtype):
        sent = "string" if value.dtype == object else value.dtype.name
        raise StatusError(
            Code.INVALID_ARGUMENT, f"input {name!r} is {sent}, but the model takes {dtype.name}"
        )
    shape = tf.TensorShape(expected.tensor_shape)
    if not shape.is_compatible_with(value.shape):
        raise StatusError(
            Code.INVALID_ARGUMENT,
            f"input {name!r} has shape {_shape_text(value.shape)}, but the model takes "
            f"{_shape_text(shape.as_list())}",
        )
    if value.ndim and len(value) == 0:
        raise StatusError(Code.INVALID_ARGUMENT, f"input {name!r} has nothing in its batch")


def _shape_text(shape: Sequence[int | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _as_array(value: Any) -> np.ndarray:
    # A session gives a scalar string as bytes, which NumPy would strip of trailing zeros.
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


# Around the one line that says what is wrong, TensorFlow says where in the graph.
_FRAME = re.compile(r"^$|^Graph execution error:$|^\d+ root error|^Detected at|^\[\[")


def _reason(error: Any) -> str:
    lines = (line.strip() for line in (error.message or "").splitlines())
    reason = next((line for line in lines if not _FRAME.search(line)), type(error).__name__)
    return _first_line(re.sub(r"^\(\d+\) [A-Z_]+: ", "", reason))


def _first_line(text: str) -> str:
    return (text.splitlines() or [""])[0][:500]
