"""Running a SavedModel the way TF Serving does.

TF Serving's binary is not needed: it loads a SavedModel by restoring the graph tagged
`serve` into a session and running a signature's tensors, and `tf.compat.v1.saved_model.load`
is the same loader from Python. What works here needs no Python of ours, no Keras and no
object graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import tensorflow as tf

from keras_mir.models.folders import SAVED_MODEL, check_unchanged, served_files
from keras_mir.models.limits import MAX_CLIPS
from pipelines.errors import UserError

SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY  # serving_default


class ModelError(UserError):
    """A model cannot be loaded, or does not answer as it was asked to; one line.

    Attributes:
        code: The kind of failure, in the numbers of `tf.errors`, which are those of gRPC.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServedModel:
    """A SavedModel in a session; any number of threads may run it at once.

    Args:
        path: The folder that holds `saved_model.pb`.

    Attributes:
        path: That folder.
        signatures: `SignatureDef` protos by name, as the model has them.

    Raises:
        ModelError: If there is no such model, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (Path(path) / SAVED_MODEL).is_file():
            raise ModelError(
                tf.errors.NOT_FOUND,
                f"{path}: no {SAVED_MODEL} there; give the folder of an exported model's version",
            )
        try:
            check_unchanged(path, served_files(path))
        except UserError as error:
            raise ModelError(tf.errors.DATA_LOSS, str(error)) from None
        graph = tf.Graph()
        # A graph is optimised once: twice, as is usual, costs seconds and gains none.
        config = tf.compat.v1.ConfigProto()
        rewriting = config.graph_options.rewrite_options
        rewriting.meta_optimizer_iterations = type(rewriting).ONE
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            # Only loading sees this graph as the default one: callers go on reading data sets eagerly.
            with quiet(), graph.as_default(), plainly_named(path) as name:
                loaded = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], name)
        # What the importer raises follows from what a damaged graph holds.
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
            self._session.close()
            code = error.error_code if isinstance(error, tf.errors.OpError) else tf.errors.UNKNOWN
            raise ModelError(code, f"{path}: cannot be loaded: {_reason(error)}; export it again") from error
        self.signatures: Mapping[str, Any] = dict(loaded.signature_def)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the model's memory back; nobody may be running it."""
        self._session.close()

    def signature(self, name: str = "") -> Any:
        """The `SignatureDef` of that name; without a name, `serving_default`.

        Raises:
            ModelError: FAILED_PRECONDITION if the model has none of that name.
        """
        name = name or SIGNATURE
        if name not in self.signatures:
            there = ", ".join(sorted(other for other in self.signatures if not other.startswith("__")))
            raise ModelError(
                tf.errors.FAILED_PRECONDITION, f'Serving signature key "{name}" not found; there is {there}.'
            )
        return self.signatures[name]

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence[Any]], signature: str = ""
    ) -> dict[str, np.ndarray]:
        """Run a signature on one batch, as `ServingClient.predict` does.

        Args:
            inputs: By name, each `(batch, ...)`, read as the dtypes the signature takes.
            signature: Its name; without, `serving_default`.

        Returns:
            The outputs by name; strings as str.

        Raises:
            ModelError: As `run` does, naming the model's folder.
        """
        try:
            expected = self.signature(signature).inputs
            arrays = {
                name: np.asarray(value, _dtype(expected[name]) if name in expected else None)
                for name, value in inputs.items()
            }
            outputs = self.run(signature, arrays)
        except ModelError as error:
            raise ModelError(error.code, f"{self.path}: {error}") from error
        return with_text(outputs)

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        outputs: Sequence[str] = (),
        seconds: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Run a signature on exactly what it takes.

        Args:
            signature: Its name; empty for `serving_default`.
            inputs: An array for each named input, of its dtype; strings as an object array of bytes.
            outputs: Names of the outputs wanted; all of them without.
            seconds: When to give up.

        Returns:
            The outputs by name; strings as object arrays of bytes.

        Raises:
            ModelError: FAILED_PRECONDITION if there is no such signature, INVALID_ARGUMENT if names,
                dtypes or shapes do not fit or the batch is empty, DEADLINE_EXCEEDED if it took too
                long, and otherwise what the graph raised.
        """
        takes, gives = self.signature(signature).inputs, self.signature(signature).outputs
        _check(inputs, takes)
        for name in outputs:
            if name not in gives:
                there = ", ".join(sorted(gives))
                raise _invalid(f"output tensor alias not found in signature: {name}; there is {there}")
        fetches = {name: gives[name].name for name in outputs or gives}
        feed = {takes[name].name: value for name, value in inputs.items()}
        milliseconds = 0 if seconds is None else int(seconds * 1000)  # 0 is for ever
        if seconds is not None and milliseconds <= 0:
            raise ModelError(tf.errors.DEADLINE_EXCEEDED, "the time limit passed before the model ran")
        try:
            options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
            results = self._session.run(fetches, feed, options=options)
        except tf.errors.DeadlineExceededError as error:
            raise ModelError(error.error_code, "the model did not answer within the time limit") from error
        except tf.errors.OpError as error:
            raise ModelError(error.error_code, _reason(error)) from error
        # A scalar string comes as bytes, which NumPy would strip of trailing zeros.
        return {
            name: np.asarray(value, dtype=object if isinstance(value, bytes) else None)
            for name, value in results.items()
        }


def with_text(outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name whose strings, object arrays of bytes in UTF-8, have become str."""
    return {
        name: np.char.decode(value.astype(bytes), "utf-8") if value.dtype == object else value
        for name, value in outputs.items()
    }


def _invalid(message: str) -> ModelError:
    return ModelError(tf.errors.INVALID_ARGUMENT, message)


def _check(inputs: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> None:
    missing, unknown = sorted(set(expected) - set(inputs)), sorted(set(inputs) - set(expected))
    if missing or unknown:
        wrong = [f"missing {', '.join(missing)}"] * bool(missing)
        wrong += [f"unknown {', '.join(unknown)}"] * bool(unknown)
        takes = ", ".join(sorted(expected))
        raise _invalid(f"inputs do not match the signature: {'; '.join(wrong)}; it takes {takes}")
    for name, value in inputs.items():
        if value.dtype != _dtype(expected[name]):
            sent = "string" if value.dtype == object else value.dtype.name
            takes = tf.as_dtype(expected[name].dtype).name
            raise _invalid(f"input {name!r} is {sent}, but the model takes {takes}")
        shape = tf.TensorShape(expected[name].tensor_shape)
        if not shape.is_compatible_with(value.shape):
            sent, takes = (
                ", ".join("any" if size is None else str(size) for size in sizes)
                for sizes in (value.shape, shape.as_list())
            )
            raise _invalid(f"input {name!r} has shape ({sent}), but the model takes ({takes})")
        if value.ndim and len(value) == 0:
            raise _invalid(f"input {name!r} has nothing in its batch")
        if value.ndim and len(value) > MAX_CLIPS:  # what is answered of each takes memory, too
            raise _invalid(f"input {name!r} has {len(value)} in its batch; send at most {MAX_CLIPS}")


def _dtype(tensor: Any) -> Any:
    """A tensor's dtype in NumPy, which has none of its own for strings of any length."""
    return tf.as_dtype(tensor.dtype).as_numpy_dtype


# Around the one line that says what is wrong, TensorFlow says where in the graph.
_FRAME = re.compile(r"^$|^Graph execution error:$|^\d+ root error|^Detected at|^\[\[")


def _reason(error: Exception) -> str:
    text = (error.message or "") if isinstance(error, tf.errors.OpError) else str(error)
    lines = (line.strip() for line in text.splitlines())
    reason = next((line for line in lines if not _FRAME.search(line)), type(error).__name__)
    return re.sub(r"^\(\d+\) [A-Z_]+: ", "", reason)[:500].rstrip(".;")


@contextmanager
def plainly_named(path: Path) -> Iterator[str]:
    """What to call a model when it is loaded by Python's session loader, which takes names for patterns.

    A folder called `Songs [2024]` is any of `Songs 2`, `Songs 0` ... there: it gets a passing name without.
    """
    if not set(str(path)) & set("[]*?\\"):
        yield str(path)
        return
    with TemporaryDirectory() as place:
        link = Path(place) / "model"
        link.symlink_to(path.resolve(), target_is_directory=True)
        yield str(link)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep TensorFlow's notes on deprecation and written assets off the screen."""
    logger = tf.get_logger()
    before = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)
