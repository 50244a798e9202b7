"""TF Serving's REST API, asked; see https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote

import numpy as np

from keras_mir.client.address import Address
from keras_mir.client.connections import Connections
from keras_mir.client.errors import ServingError, one_line
from keras_mir.client.metadata import STRING, ModelMetadata, Signature, TensorInfo, VersionStatus
from keras_mir.client.retry import Retry
from keras_mir.client.status import Code
from keras_mir.client.tensors import Arrays, to_text

# What TF Serving and proxies before it answer with; other 4xx are the request's fault, others the server's.
_CODES: dict[int, Code] = {
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: Code.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT: Code.DEADLINE_EXCEEDED,
    HTTPStatus.CONFLICT: Code.ABORTED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.TOO_MANY_REQUESTS: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
    HTTPStatus.BAD_GATEWAY: Code.UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: Code.DEADLINE_EXCEEDED,
}
_MAY_PASS = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_REMEDIES = {
    Code.INVALID_ARGUMENT: "check the inputs",
    Code.NOT_FOUND: "check the model's name and version, and that the server has loaded it",
    Code.UNAVAILABLE: "try again later",
    Code.DEADLINE_EXCEEDED: "send less at a time, or give the server more time",
    Code.UNAUTHENTICATED: "ask whoever runs the server for access",
    Code.PERMISSION_DENIED: "ask whoever runs the server for access",
}


# Of JSON's values, by the kind of dtype they are for.
_TYPES: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}}


class RestTransport:
    """Requests about one model; threads may share it.

    Args:
        address: Of the server.
        model: Its name.
        version: Without one, the version the server prefers.
        retry: How to go about failures.
    """

    def __init__(self, address: Address, model: str, version: int | None, retry: Retry) -> None:
        scheme = "https" if address.encrypted else "http"
        self.where = f"{scheme}://{address.host_and_port}{address.path}, model {model!r}"
        self._path = f"{address.path}/v1/models/{quote(model, safe='')}"
        self._path += "" if version is None else f"/versions/{version}"
        self._connections = Connections(address)
        self._retry = retry

    def status(self) -> list[VersionStatus]:
        """How the model's versions are."""
        answer = self._ask("GET", self._path)
        try:
            return [
                VersionStatus(int(entry["version"]), entry["state"], entry["status"]["error_message"])
                for entry in answer["model_version_status"]
            ]
        except (KeyError, TypeError, ValueError):
            self._not_serving("has no status of versions")

    def metadata(self) -> ModelMetadata:
        """What its signatures take and give."""
        answer = self._ask("GET", self._path + "/metadata")
        try:
            return ModelMetadata(
                name=answer["model_spec"]["name"],
                version=int(answer["model_spec"]["version"]),
                signatures={
                    name: Signature(_tensors(entry["inputs"]), _tensors(entry["outputs"]))
                    for name, entry in answer["metadata"]["signature_def"]["signature_def"].items()
                },
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            self._not_serving("has no signatures")

    def predict(self, name: str, signature: Signature, inputs: Arrays) -> Arrays:
        """Run a signature on one batch."""
        columns = {key: to_json(array) for key, array in inputs.items()}
        body = json.dumps({"signature_name": name, "inputs": columns}).encode("utf-8")
        outputs = self._ask("POST", self._path + ":predict", body).get("outputs")
        # A single output comes without its name.
        if len(signature.outputs) == 1:
            outputs = {next(iter(signature.outputs)): outputs}
        if not isinstance(outputs, dict) or outputs.keys() != signature.outputs.keys():
            self._not_serving(f"does not have the outputs {', '.join(sorted(signature.outputs))}")
        try:
            return {key: from_json(outputs[key], info, key) for key, info in signature.outputs.items()}
        except ValueError as error:
            self._not_serving(str(error))

    def close(self) -> None:
        """Close its connections."""
        self._connections.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        return self._retry.call(partial(self._attempt, method, path, body))

    def _attempt(self, method: str, path: str, body: bytes | None, seconds: float) -> dict[str, Any]:
        try:
            status, content = self._connections.request(method, path, body, seconds)
        except TimeoutError:
            raise ServingError(
                self.where,
                f"no answer within {self._retry.timeout:g} s",
                "give a longer timeout, or send less at a time",
                code=Code.DEADLINE_EXCEEDED,
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        answer = _object(content)
        if status != HTTPStatus.OK:
            raise self._refused(status, content if answer is None else answer.get("error", content))
        if answer is None:
            self._not_serving("is not a JSON object")
        return answer

    def _broken(self, error: Exception) -> ServingError:
        unreachable = "check the address, and that the server runs"
        may_pass = True
        if isinstance(error, (ConnectionResetError, BrokenPipeError, http.client.IncompleteRead)):
            problem, remedy = "the connection broke off before the answer was there", "see the server's log"
        elif isinstance(error, http.client.HTTPException):
            problem, remedy = "what answers is not HTTP", "give the REST port, 8501 for most servers"
            may_pass = False
        elif isinstance(error, ssl.SSLError):
            problem, remedy = (
                f"no encrypted connection: {one_line(str(error))}",
                "check its certificate, or give http://",
            )
            may_pass = False
        elif isinstance(error, socket.gaierror):
            problem, remedy = "the host's name is not known", unreachable
        else:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            problem, remedy = f"cannot be reached: {one_line(reason.lower())}", unreachable
        code = Code.UNAVAILABLE if may_pass else Code.UNKNOWN
        return ServingError(self.where, problem, remedy, code=code, retryable=may_pass)

    def _refused(self, status: int, said: Any) -> ServingError:
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        by_default = Code.INVALID_ARGUMENT if 400 <= status < 500 else Code.INTERNAL
        code = _CODES.get(status, by_default)
        remedy = _REMEDIES.get(code, "see the server's log")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            remedy = "try again later"
        elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            remedy = "send less at a time, with a smaller batch_size"
        problem = f"answered {status}, {one_line(text)}" if text.strip() else f"answered {status}"
        return ServingError(self.where, problem, remedy, code=code, retryable=status in _MAY_PASS)

    def _not_serving(self, wrong: str) -> NoReturn:
        raise ServingError(
            self.where,
            f"the answer {wrong}",
            "check that the address is TF Serving's REST port",
            code=Code.UNKNOWN,
        )


def _object(content: bytes) -> dict[str, Any] | None:
    # TF Serving passes text on without a look whether it is UTF-8.
    try:
        answer = json.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _tensors(entries: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {name: _tensor(entry["dtype"], entry["tensor_shape"]) for name, entry in entries.items()}


def _tensor(dtype: str, shape: Mapping[str, Any]) -> TensorInfo:
    sizes = None if shape["unknown_rank"] else tuple(int(dim["size"]) for dim in shape["dim"])
    return TensorInfo.of(dtype, sizes)


def to_json(array: np.ndarray) -> Any:
    """An input as nested lists of numbers, or of bytes in base64."""
    if array.dtype != object:
        return array.tolist()
    encoded = np.empty(array.size, dtype=object)
    encoded[:] = [{"b64": base64.b64encode(item).decode("ascii")} for item in array.flat]
    return encoded.reshape(array.shape).tolist()


def from_json(value: Any, info: TensorInfo, name: str) -> np.ndarray:
    """An output's nested lists as an array of its dtype.

    Args:
        value: What JSON holds.
        info: What the signature says of the output.
        name: Of the output; it tells binary strings from text.

    Raises:
        ValueError: If it holds anything else, or lists of different lengths.
    """
    items = np.array(value, dtype=object)
    if items.size == 0 and info.shape is not None:
        # [] may stand for (0, 3) as well.
        items = items.reshape(items.shape + tuple(size or 0 for size in info.shape[items.ndim :]))
    if info.dtype == STRING:
        contents = np.empty(items.size, dtype=object)
        contents[:] = [_to_bytes(item, name) for item in items.flat]
        return to_text(contents.reshape(items.shape), name)
    try:
        dtype = np.dtype(info.dtype)
        # Exact types: NumPy would make numbers of text, and whole ones of fractions.
        if not set(map(type, items.flat)) <= _TYPES[dtype.kind]:
            raise TypeError
        # NumPy 1 wraps numbers that are too large.
        if dtype.kind in "iu" and items.size and not _all_fit(items, np.iinfo(dtype)):
            raise TypeError
        return items.astype(dtype)
    except TypeError:
        raise ValueError(f"has an output {name!r} that is not {info.dtype}") from None


def _all_fit(items: np.ndarray, limits: np.iinfo) -> bool:
    return bool(limits.min <= min(items.flat) and max(items.flat) <= limits.max)


def _to_bytes(item: Any, name: str) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "replace")
    if isinstance(item, dict) and isinstance(item.get("b64"), str):
        with suppress(ValueError):
            return base64.b64decode(item["b64"], validate=True)
    raise ValueError(f"has an output {name!r} that is not text or base64")
