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

import keras
import numpy as np
import tensorflow as tf

from keras_mir.serving.folders import SAVED_MODEL
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
    # By default the graph is optimised twice, which costs seconds before the first answer and gains none.
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.meta_optimizer_iterations = type(rewriting).ONE
    # Only loading sees this graph as the default one: callers go on reading data sets eagerly.
    with quiet(), closing(tf.compat.v1.Session(graph=graph, config=config)) as session:
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(path))
        except (tf.errors.OpError, OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"{path}: cannot be loaded, export it again ({str(error).splitlines()[0]})"
            ) from error
        yield ServedModel(Path(path), session, meta_graph.signature_def)


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


def verify(path: Path, model: keras.Model) -> None:
    """Compare an exported model, run in a session, with the Keras model it came from.

    Inputs are noise over the range of dB values and silence, clips of different lengths in
    one batch of 3, and a batch of 1. Numbers may differ by 1e-4 (absolute and relative), or
    2e-2 where the Keras model computes in half precision.

    Args:
        path: The folder that holds `saved_model.pb`.
        model: A model with this package's inputs and outputs.

    Raises:
        UserError: If outputs are missing, not finite, or differ.
    """
    _, time, bands = model.input["features"].shape
    time = time or 20
    features = np.random.default_rng(0).uniform(-80.0, 0.0, (4, time, bands)).astype(np.float32)
    features[1] = -80.0
    lengths = np.array([time, max(time // 2, 1), 1, time], np.int32)
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model.layers)
    tolerance = 2e-2 if half else 1e-4
    with _full_float32():
        for rows in (slice(0, 3), slice(3, 4)):
            served = session_predict(path, features[rows], lengths[rows])
            expected = model({"features": features[rows], "lengths": lengths[rows]}, training=False)
            _compare(path, served, {name: np.asarray(value) for name, value in expected.items()}, tolerance)


def _compare(
    path: Path, served: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float
) -> None:
    if "genre" in expected:
        expected = {"probabilities": expected["genre"]}
        best = served["classes"][np.arange(len(served["classes"])), served["probabilities"].argmax(axis=1)]
        if not (served["genre"] == best).all():
            raise UserError(f"{path}: the exported genre is not the class of highest probability")
    for name, value in expected.items():
        value = value if name == "probabilities" else value[:, 0]
        if not np.isfinite(value).all():
            raise UserError(
                f"output {name!r} of the model is not a number: training diverged; lower the learning rate"
            )
        if name not in served or served[name].shape != value.shape:
            raise UserError(f"{path}: the exported model has no output {name!r} of shape {value.shape}")
        if not np.allclose(served[name], value, rtol=tolerance, atol=tolerance):
            difference = np.abs(served[name] - value).max()
            raise UserError(
                f"{path}: the exported model and the Keras model differ by {difference:.2g} in {name!r}"
            )


@contextmanager
def _full_float32() -> Iterator[None]:
    # On a GPU, matrix products round to TensorFloat-32 by default, differently in each kernel.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


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
