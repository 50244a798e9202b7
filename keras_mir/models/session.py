"""Running a SavedModel the way TF Serving does.

TF Serving's binary is not needed: it loads a SavedModel by restoring the graph tagged
`serve` into a session and running a signature's tensors, and `tf.compat.v1.saved_model.load`
is the same loader from Python. What works here needs no Python of ours, no Keras and no
object graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_mir.models.folders import SAVED_MODEL
from pipelines.errors import UserError

SIGNATURE = "serving_default"


@dataclass(frozen=True)
class ServedModel:
    """An exported model's signatures, loaded; made by `serve`."""

    path: Path
    session: Any
    signatures: Mapping[str, Any]

    def predict(self, features: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
        """Run the default signature on one batch.

        Args:
            features: `(batch, time, bands)`, read as float32, with batch at least 1.
            lengths: `(batch,)`, read as int32, in frames.

        Returns:
            The outputs by name, each `(batch, ...)`; strings as str.

        Raises:
            UserError: If the features do not fit the model.
        """
        expected = self.signatures[SIGNATURE].inputs["features"].tensor_shape
        _check_shape(self.path, features, tf.TensorShape(expected))
        return self.run(SIGNATURE, {"features": features, "lengths": lengths})

    def run(self, signature: str, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run any signature on one batch.

        Args:
            signature: Its name.
            feed: All its inputs by name, read as the dtypes it takes.

        Returns:
            The outputs by name; strings as str.

        Raises:
            UserError: If the model has no such signature.
        """
        if signature not in self.signatures:
            raise UserError(f"{self.path}: has no signature {signature!r}; export the model again")
        inputs, outputs = self.signatures[signature].inputs, self.signatures[signature].outputs
        arrays = {
            inputs[name].name: np.asarray(value, tf.as_dtype(inputs[name].dtype).as_numpy_dtype)
            for name, value in feed.items()
        }
        answer = self.session.run({name: tensor.name for name, tensor in outputs.items()}, arrays)
        return {
            name: np.char.decode(value.astype(bytes), "utf-8") if value.dtype == object else value
            for name, value in answer.items()
        }


@contextmanager
def serve(path: Path) -> Iterator[ServedModel]:
    """Load an exported model into a session.

    Args:
        path: The folder that holds `saved_model.pb`.

    Raises:
        UserError: If there is no such model, or it is damaged.
    """
    if not (Path(path) / SAVED_MODEL).is_file():
        raise UserError(f"{path}: no {SAVED_MODEL} there; give the folder of an exported model's version")
    graph = tf.Graph()
    # Only loading sees this graph as the default one: callers go on reading data sets eagerly.
    with quiet(), closing(new_session(graph)) as session:
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(path))
        except (tf.errors.OpError, OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"{path}: cannot be loaded, export it again ({str(error).splitlines()[0]})"
            ) from error
        yield ServedModel(Path(path), session, meta_graph.signature_def)


def new_session(graph: tf.Graph) -> tf.compat.v1.Session:
    """A session that optimises a graph once: twice, as is usual, costs seconds and gains none."""
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.meta_optimizer_iterations = type(rewriting).ONE
    return tf.compat.v1.Session(graph=graph, config=config)


def session_predict(
    path: Path, features: np.ndarray, lengths: np.ndarray, *, batch_size: int = 32
) -> dict[str, np.ndarray]:
    """Run an exported model's default signature on arrays, in a session.

    Args:
        path: The folder that holds `saved_model.pb`.
        features: `(n, time, bands)`, read as float32, with n at least 1.
        lengths: `(n,)`, read as int32, in frames.
        batch_size: Examples at a time.

    Returns:
        The signature's outputs by name, each `(n, ...)`; strings as str.

    Raises:
        UserError: If there is no such model, it is damaged, or the features do not fit it.
    """
    with serve(path) as model:
        starts = range(0, max(len(features), 1), batch_size)
        batches = [
            model.predict(features[at : at + batch_size], lengths[at : at + batch_size]) for at in starts
        ]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _check_shape(path: Path, features: np.ndarray, expected: tf.TensorShape) -> None:
    if len(features) == 0 or not expected.is_compatible_with(features.shape):
        wanted = ", ".join("any" if size is None else str(size) for size in expected.as_list()[1:])
        raise UserError(
            f"{path}: features of shape {features.shape} do not fit; the model takes (n, {wanted})"
        )


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
