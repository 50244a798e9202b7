"""TF Serving's gRPC services over a registry of models: Predict, GetModelMetadata, GetModelStatus.

The messages and stubs are those of `tensorflow-serving-api`; its other methods answer UNIMPLEMENTED.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_mir.client.errors import Code
from keras_mir.models.limits import MAX_CLIPS
from keras_mir.models.session import SIGNATURE, ModelError
from keras_mir.serve.registry import Registry
from keras_mir.serve.workers import Workers

logger = logging.getLogger(__name__)

_Method = Callable[["_Services", Any, grpc.ServicerContext], Any]

_STATUS = {status.value[0]: status for status in grpc.StatusCode}

# Where TF Serving puts a tensor's values, and where clients look for them.
_FIELDS = {
    **dict.fromkeys((tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32), "int_val"),
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}


def grpc_server(registry: Registry, workers: Workers) -> grpc.Server:
    """Build the gRPC server; the caller adds a port and starts it.

    Args:
        registry: The models.
        workers: The threads to run them in, with the limits on requests.

    Returns:
        A server with PredictionService and ModelService.
    """
    limits = workers.limits
    server = grpc.server(
        ThreadPoolExecutor(limits.requests, thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", limits.request_bytes),
            ("grpc.max_send_message_length", -1),
            # Or a second server would silently share the port.
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=limits.requests,
    )
    services = _Services(registry, workers)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    return server


def _answered(method: _Method) -> _Method:
    """A service's method that tells clients its errors, and leaves a line in the log."""

    @functools.wraps(method)
    def answered(services: _Services, request: Any, context: grpc.ServicerContext) -> Any:
        started = time.monotonic()
        code = Code.UNKNOWN
        try:
            answer = method(services, request, context)
            code = Code.OK
            return answer
        except ModelError as error:
            code = Code(error.code)
            context.abort(_STATUS[code], str(error))
        finally:
            milliseconds = (time.monotonic() - started) * 1000
            # Quoted, so that no name can break the line.
            name = request.model_spec.name
            logger.info("%s %.100r %s, %.0f ms", method.__name__, name, code.name, milliseconds)

    return answered


class _Services(
    prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer
):
    def __init__(self, registry: Registry, workers: Workers) -> None:
        self._registry = registry
        self._workers = workers

    @_answered
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, the service's name
        limits = self._workers.limits
        seconds = min(limits.seconds, context.time_remaining() or limits.seconds)
        deadline = time.monotonic() + seconds
        future = self._workers.submit(_predict, self._registry, request, limits.request_bytes, deadline)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise self._workers.too_late() from None

    @_answered
    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if list(request.metadata_field) != ["signature_def"]:
            raise ModelError(
                Code.INVALID_ARGUMENT, "metadata_field must be 'signature_def', the only one there is"
            )
        name, version = _model(request)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with self._registry.use(name, version) as (number, model):
            for key, signature in model.signatures.items():
                signatures.signature_def[key].CopyFrom(signature)
        response.model_spec.name = name
        response.model_spec.version.value = number
        response.metadata["signature_def"].Pack(signatures)
        return response

    @_answered
    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self._registry.status(*_model(request)):
            entry = response.model_version_status.add(version=version.version, state=version.state.value)
            entry.status.error_code = version.code
            entry.status.error_message = version.message
        return response


def _predict(registry: Registry, request: Any, most_bytes: int, deadline: float) -> Any:
    with registry.use(*_model(request)) as (number, model):
        signature_name = request.model_spec.signature_name or SIGNATURE
        model.signature(signature_name)
        inputs = {name: _to_array(name, proto, most_bytes) for name, proto in request.inputs.items()}
        outputs = model.run(
            signature_name,
            inputs,
            outputs=list(dict.fromkeys(request.output_filter)),
            seconds=deadline - time.monotonic(),
        )
    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = number
    response.model_spec.signature_name = signature_name
    for name, array in outputs.items():
        _fill(response.outputs[name], array)
    return response


def _model(request: Any) -> tuple[str, int | str | None]:
    spec = request.model_spec
    if not spec.name:
        raise ModelError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    if spec.version_label:
        return spec.name, spec.version_label
    return spec.name, spec.version.value if spec.HasField("version") else None


def _to_array(name: str, proto: Any, most_bytes: int) -> np.ndarray:
    # One value may stand for all of a tensor, so a short message can ask for any amount of memory. Strings,
    # which take many times their bytes, are all to be there.
    sizes = [dimension.size for dimension in proto.tensor_shape.dim]
    try:
        dtype = tf.as_dtype(proto.dtype)
        most = len(proto.string_val) if dtype == tf.string else most_bytes // max(dtype.size, 1)
    except TypeError:
        raise ModelError(Code.INVALID_ARGUMENT, f"input {name!r} has no dtype that can be sent") from None
    if len(proto.string_val) > MAX_CLIPS:
        problem = f"has {len(proto.string_val)} strings; send at most {MAX_CLIPS}"
        raise ModelError(Code.INVALID_ARGUMENT, f"input {name!r} {problem}")
    if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0 or math.prod(sizes) > most:
        raise ModelError(Code.INVALID_ARGUMENT, f"input {name!r} has a shape that cannot be: {sizes}")
    whole = proto.int_val if dtype.is_integer else ()
    if whole and not (dtype.min <= min(whole) and max(whole) <= dtype.max):
        raise ModelError(Code.INVALID_ARGUMENT, f"input {name!r} has a number that {dtype.name} cannot hold")
    try:
        return np.asarray(tf.make_ndarray(proto))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            Code.INVALID_ARGUMENT, f"input {name!r}: tensor parsing error ({str(error)[:200]})"
        ) from None


def _fill(proto: Any, array: np.ndarray) -> None:
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    if dtype not in _FIELDS:
        proto.CopyFrom(tf.make_tensor_proto(array))
        return
    proto.dtype = dtype.as_datatype_enum
    proto.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
    getattr(proto, _FIELDS[dtype]).extend(array.ravel().tolist())
