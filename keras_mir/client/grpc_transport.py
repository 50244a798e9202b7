"""TF Serving's gRPC services, asked; with the messages of `tensorflow-serving-api`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_mir.client.codec import (
    Arrays,
    ModelMetadata,
    Signature,
    VersionStatus,
    parse_signature,
    signature_json,
    to_text,
)
from keras_mir.client.errors import Code, Retry, ServingError, one_line
from keras_mir.client.rest import Address

# RESOURCE_EXHAUSTED is not among them: over gRPC it is a message too large, too.
_MAY_PASS = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
_REMEDIES = {
    Code.INVALID_ARGUMENT: "check the inputs, and the version's label if you gave one",
    Code.NOT_FOUND: "check the model's name and version, and that the server has loaded it",
    Code.UNAVAILABLE: "check the address, the gRPC port (8500 for most servers), and that the server runs",
    Code.DEADLINE_EXCEEDED: "give a longer timeout, or send less at a time",
    Code.RESOURCE_EXHAUSTED: "send less at a time, with a smaller batch_size",
    Code.UNIMPLEMENTED: "check that the address is TF Serving's gRPC port",
}
_OPTIONS = (
    # The default refuses answers over 4 MiB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Or a channel that failed to connect would refuse our retries unsent for a second and more.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Its name notwithstanding, how long a connection may take: a far or busy server needs more than 100 ms.
    ("grpc.min_reconnect_backoff_ms", 5000),
)


class GrpcTransport:
    """What `RestTransport` is, over gRPC."""

    def __init__(self, address: Address, model: str, version: int | str | None, retry: Retry) -> None:
        self.where = f"{address.host_and_port} (gRPC), model {model!r}"
        self._model = model
        self._version = version
        self._retry = retry
        target = address.host_and_port
        if address.encrypted:
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(target, _OPTIONS)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def status(self) -> list[VersionStatus]:
        request = self._about_model(get_model_status_pb2.GetModelStatusRequest())
        states = get_model_status_pb2.ModelVersionStatus.State
        return [
            VersionStatus(entry.version, states.Name(entry.state), entry.status.error_message)
            for entry in self._ask(self._models.GetModelStatus, request).model_version_status
        ]

    def metadata(self) -> ModelMetadata:
        request = self._about_model(get_model_metadata_pb2.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        answer = self._ask(self._predictions.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        return ModelMetadata(
            name=answer.model_spec.name,
            version=answer.model_spec.version.value,
            signatures={
                name: parse_signature(signature_json(entry))
                for name, entry in signatures.signature_def.items()
            },
        )

    def predict(self, name: str, signature: Signature, inputs: Arrays) -> Arrays:
        request = self._about_model(predict_pb2.PredictRequest())
        request.model_spec.signature_name = name
        for key, array in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(array))
        answer = self._ask(self._predictions.Predict, request)
        return {key: to_text(tf.make_ndarray(answer.outputs[key]), key) for key in sorted(answer.outputs)}

    def close(self) -> None:
        """Close its connection; requests that run are cancelled."""
        self._channel.close()

    def _about_model(self, request: Any) -> Any:
        request.model_spec.name = self._model
        if isinstance(self._version, str):
            request.model_spec.version_label = self._version
        elif self._version is not None:
            request.model_spec.version.value = self._version
        return request

    def _ask(self, method: Callable[..., Any], request: Any) -> Any:
        return self._retry.call(partial(self._attempt, method, request))

    def _attempt(self, method: Callable[..., Any], request: Any, seconds: float) -> Any:
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            code = Code(error.code().value[0])
            raise ServingError(
                self.where,
                f"{code.name}, {one_line(error.details() or 'no reason given')}",
                _REMEDIES.get(code, "see the server's log"),
                code=code,
                retryable=code in _MAY_PASS,
            ) from error
