"""Asking a served model for predictions: arrays as it takes them, in batches, and the answers joined."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from keras_mir.client.codec import (
    STRING,
    Arrays,
    ModelMetadata,
    Signature,
    TensorInfo,
    VersionStatus,
    each,
    in_range,
)
from keras_mir.client.errors import Code, Retry, ServingError
from keras_mir.client.expected import DESCRIPTION, SIGNATURE, Expected
from keras_mir.client.rest import Address, RestTransport, parse_address
from pipelines.errors import UserError, reason_of

if TYPE_CHECKING:
    from keras_mir.client.grpc_transport import GrpcTransport

_AUDIO = "audio"  # the signature that takes WAV files, and its input
CLOSED = "this client is closed; make another, or ask within its `with`"
_BATCH_BYTES = 32 * 2**20  # of files in one request; a third more in base64, and servers have limits


@dataclass(frozen=True)
class FileAnswer:
    """What a model says of one file: either outputs or an error.

    Attributes:
        path: As it was given.
        outputs: By name, without the batch axis: a single number has shape `()`.
        error: One line naming the file, or empty.
    """

    path: Path
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    error: str = ""


class ServingClient:
    """Asks one signature of one model; connections are kept open, and threads may share a client.

    Requests have no effects on the server, so one that failed for a reason that may pass is sent
    again: no connection or a broken one, HTTP 429, 502, 503 and 504, gRPC's UNAVAILABLE and
    DEADLINE_EXCEEDED; one that is refused is not. What the model takes and gives is asked once, before
    the first request, and again after a failure; then it is also made sure that it is the `expected` one.

    Args:
        server: `HOST:PORT` or an http(s) URL; the REST or the gRPC port, by the protocol.
        model: The name it is served under.
        version: A number, or a label that the server's configuration gives one, such as "stable"; without,
            the version the server prefers, for most the highest.
        signature: What `predict` runs.
        protocol: "rest", or "grpc", which sends arrays in a fraction of the bytes and needs the
            extra `grpc`.
        timeout: Seconds a request may take, with all its attempts and the pauses between them.
        retries: How often a request is sent again, after .1 to .2 s at first, then twice as long, or
            after as long as the server asks for; in the long run a tenth of all requests at most are.
        batch_size: The most examples in one request.
        expected: The exported model that the server should have, as `check` takes it: a program that
            depends on one model learns of another at its first request. None to take any.
        sleep: Pauses between attempts.

    Raises:
        UserError: If an argument is wrong, or what the protocol needs is not installed.
    """

    def __init__(
        self,
        server: str,
        model: str,
        version: int | str | None = None,
        *,
        signature: str = SIGNATURE,
        protocol: Literal["rest", "grpc"] = "rest",
        timeout: float = 60.0,
        retries: int = 3,
        batch_size: int = 32,
        expected: str | Path | Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not model:
            raise UserError("model '': give the name it is served under")
        for name, value, least in (
            ("version", version if isinstance(version, int) else 0, 0),
            ("retries", retries, 0),
            ("batch_size", batch_size, 1),
        ):
            if value < least:
                raise UserError(f"{name} {value}: give {least} or more")
        if version == "":
            raise UserError("version '': give a number, a label such as 'stable', or None")
        if not timeout > 0:
            raise UserError(f"timeout {timeout}: give more than 0 seconds")
        self.signature = signature
        self.batch_size = batch_size
        retry = Retry(retries=retries, timeout=timeout, sleep=sleep)
        self._transport = _transport(protocol, parse_address(server), model, version, retry)
        self._metadata: ModelMetadata | None = None  # of a model that is the expected one
        self._expected = None if expected is None else Expected.of(expected)
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server; what is asked afterwards is a `UserError`."""
        self._closed = True
        self._transport.close()

    def status(self) -> list[VersionStatus]:
        """Ask how the model's versions are; with a number, that one alone.

        Raises:
            ServingError: If the server does not answer, or has no such model.
        """
        return self._opened().status()

    def metadata(self) -> ModelMetadata:
        """Ask what the model's signatures take and give.

        Raises:
            ServingError: If the server does not answer, or has no such model.
        """
        return self._opened().metadata()

    def check(self, expected: str | Path | Mapping[str, Any]) -> None:
        """Make sure that the served model is the one that was exported, before anything depends on it.

        Its whole description is compared: feature specification, settings, genres, tags, targets, and the
        report, which is another after another training.

        Args:
            expected: Folder of the exported version, such as `saved_models/NAME/1`, whose number the served
                one must have; or what its `keras_mir.json` holds, where the number does not matter.

        Raises:
            UserError: If that is no exported model.
            ServingError: FAILED_PRECONDITION if the served model differs; or if the server does not answer.
        """
        self._check(self.metadata(), Expected.of(expected))

    def _check(self, metadata: ModelMetadata, expected: Expected) -> None:
        if wrong := expected.difference(metadata, partial(self._transport.predict, DESCRIPTION)):
            raise ServingError(
                self._transport.where,
                f"version {metadata.version} is another model: {wrong}",
                "check the model's name and version, or export and serve the model again",
                code=Code.FAILED_PRECONDITION,
            )

    def predict(self, inputs: Mapping[str, np.ndarray | Sequence[Any]]) -> dict[str, np.ndarray]:
        """Run the client's signature.

        Args:
            inputs: By name, each `(n, ...)`; read as the dtype the model takes, strings from bytes or
                text. They are sent in batches of `batch_size` along the first axis.

        Returns:
            The outputs by name, each `(n, ...)`, in the model's dtypes. Strings are text, or bytes in
            an object array where the name ends in `_bytes`. Some outputs, such as beat times, are as
            wide as the longest example of a batch needs; where batches differ, narrow ones are filled
            up with NaN, 0, False or empty strings, so read them with the output that counts.

        Raises:
            UserError: If the inputs do not fit the signature.
            ServingError: If the server does not answer, or refuses.
        """
        return self._predict(self.signature, inputs)

    def predict_files(self, paths: Iterable[str | Path]) -> Iterator[FileAnswer]:
        """Send WAV files to the signature `audio`, several in a request.

        A file that cannot be read or answered gets its error, and the others go on. When a request of
        several files is refused or takes too long, each is sent alone.

        Args:
            paths: Paths of the files, which are read as the answers are taken.

        Yields:
            An answer for each file, in order.

        Raises:
            ServingError: If the server is not there, has no such model, or that has no such signature.
        """
        batch: list[tuple[Path, bytes]] = []
        for path in map(Path, paths):
            try:
                content = path.read_bytes()
            except OSError as error:
                yield from self._answer(batch)
                batch = []
                yield FileAnswer(path, error=f"{path}: cannot be read ({reason_of(error)})")
                continue
            size = len(content) + sum(len(other) for _, other in batch)
            if len(batch) == self.batch_size or size > _BATCH_BYTES:
                yield from self._answer(batch)
                batch = []
            batch.append((path, content))
        yield from self._answer(batch)

    def _answer(self, batch: Sequence[tuple[Path, bytes]]) -> Iterator[FileAnswer]:
        if not batch:
            return
        try:
            outputs = self._predict(_AUDIO, {_AUDIO: [content for _, content in batch]})
        except ServingError as error:
            if not error.about_the_request:
                raise
            if len(batch) == 1:
                yield FileAnswer(batch[0][0], error=f"{batch[0][0]}: {error}")
                return
            for one in batch:
                yield from self._answer([one])
            return
        errors = outputs.pop("error", np.full(len(batch), ""))
        for row, (path, _) in enumerate(batch):
            if errors[row]:
                yield FileAnswer(path, error=f"{path}: {errors[row]}")
                continue
            # An output may also be one for the whole batch.
            rows = {
                name: value[row, ...] if value.shape[:1] == (len(batch),) else value
                for name, value in outputs.items()
            }
            yield FileAnswer(path, rows)

    def _predict(self, name: str, inputs: Mapping[str, np.ndarray | Sequence[Any]]) -> dict[str, np.ndarray]:
        transport = self._opened()
        try:
            signature = self._signature(name)
            batches = list(_split(_to_arrays(inputs, signature), self.batch_size))
            return _join([transport.predict(name, signature, batch) for batch in batches], batches)
        except UserError as error:
            # Another version may be served by now, with other inputs and outputs.
            self._metadata = None
            if isinstance(error, ServingError):
                raise
            raise UserError(f"{self._transport.where}, signature {name!r}: {error}") from None

    def _opened(self) -> RestTransport | GrpcTransport:
        if self._closed:
            raise UserError(CLOSED)
        return self._transport

    def _signature(self, name: str) -> Signature:
        metadata = self._metadata
        if metadata is None:
            metadata = self.metadata()
            if self._expected:
                self._check(metadata, self._expected)
            self._metadata = metadata
        if name not in metadata.signatures:
            there = ", ".join(sorted(key for key in metadata.signatures if not key.startswith("__")))
            raise ServingError(
                self._transport.where,
                f"version {metadata.version} has no signature {name!r}",
                f"use one of {there}, or export the model anew",
                code=Code.FAILED_PRECONDITION,
            )
        return metadata.signatures[name]


def _transport(
    protocol: str, address: Address, model: str, version: int | str | None, retry: Retry
) -> RestTransport | GrpcTransport:
    if protocol == "rest":
        return RestTransport(address, model, version, retry)
    if protocol != "grpc":
        raise UserError(f"protocol {protocol!r}: give rest or grpc")
    if any(importlib.util.find_spec(module) is None for module in ("grpc", "tensorflow_serving")):
        raise UserError(
            "protocol 'grpc': tensorflow-serving-api is not installed; "
            "pip install 'keras-mir[grpc]', or use protocol 'rest'"
        )
    from keras_mir.client.grpc_transport import GrpcTransport

    return GrpcTransport(address, model, version, retry)


def _to_arrays(inputs: Mapping[str, Any], signature: Signature) -> Arrays:
    """What a user gave, in the dtypes and shapes of a signature; strings as objects of bytes, in UTF-8.

    Raises:
        UserError: If names or shapes do not fit, there is nothing in the batch, or values would
            change: fractions for whole numbers, numbers for text, numbers too large.
    """
    expected = signature.inputs
    missing, unknown = sorted(set(expected) - set(inputs)), sorted(set(inputs) - set(expected))
    if missing or unknown:
        wrong = [f"without {', '.join(missing)}"] * bool(missing)
        wrong += [f"with {', '.join(unknown)}"] * bool(unknown)
        raise UserError(f"inputs {' and '.join(wrong)}; give {', '.join(sorted(expected)) or 'none'}")
    arrays = {}
    for name, info in expected.items():
        try:
            arrays[name] = _to_array(inputs[name], info)
        except UserError as error:
            raise UserError(f"input {name!r}: {error}") from None
    return arrays


def _to_array(value: Any, info: TensorInfo) -> np.ndarray:
    array = _to_bytes(value) if info.dtype == STRING else _to_numbers(value, info.dtype)
    if info.shape is None:
        return array
    if array.ndim != len(info.shape) or any(
        wanted not in (None, size) for size, wanted in zip(array.shape, info.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in info.shape)
        raise UserError(f"shape {array.shape} where the model takes ({wanted}); reshape it")
    if array.ndim and len(array) == 0:
        raise UserError("nothing in the batch; give at least one example")
    return array


def _to_bytes(value: Any) -> np.ndarray:
    given = np.asarray(value, dtype=object)
    for item in given.flat:
        if not isinstance(item, (bytes, str)):
            raise UserError(f"{type(item).__name__} where the model takes bytes or text")
    return each(lambda item: item.encode("utf-8") if isinstance(item, str) else item, given)


def _to_numbers(value: Any, dtype: str) -> np.ndarray:
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise UserError(f"the model takes {dtype}, which cannot be sent") from None
    try:
        given = np.asarray(value)
    except ValueError:
        raise UserError("ragged; give rows of one length") from None
    if given.size and not np.can_cast(given.dtype, wanted, "same_kind"):
        raise UserError(f"{given.dtype} where the model takes {dtype}; convert it")
    if not in_range(given, wanted):
        raise UserError(f"has numbers that {dtype} cannot hold; check them")
    return given.astype(wanted)


def _split(inputs: Arrays, batch_size: int) -> Iterator[Arrays]:
    """Cut inputs into batches along the first axis.

    Raises:
        UserError: If they are longer than a batch and not all of one length.
    """
    lengths = {name: array.shape[0] if array.ndim else 0 for name, array in inputs.items()}
    longest = max(lengths.values(), default=0)
    if longest <= batch_size:
        yield inputs
        return
    if set(lengths.values()) != {longest}:
        sizes = ", ".join(f"{name} {length}" for name, length in sorted(lengths.items()))
        raise UserError(
            f"inputs of different lengths ({sizes}) cannot be cut into batches of {batch_size}; "
            f"give a batch_size of at least {longest}"
        )
    for start in range(0, longest, batch_size):
        yield {name: array[start : start + batch_size] for name, array in inputs.items()}


def _join(answers: Sequence[Arrays], batches: Sequence[Arrays]) -> Arrays:
    """Put the answers to several batches behind one another.

    Where an output is as wide as the longest in its batch, such as beat times, batches differ; narrow
    ones are filled up with NaN, 0, False, empty text or empty bytes.

    Raises:
        UserError: If an output has no batch axis.
    """
    if len(answers) == 1:
        return answers[0]
    sizes = [len(next(iter(batch.values()))) for batch in batches]
    joined = {}
    for name in answers[0]:
        parts = [answer[name] for answer in answers]
        if any(part.shape[:1] != (size,) for part, size in zip(parts, sizes, strict=True)):
            raise UserError(
                f"output {name!r} is not one for each example and cannot be put together from batches; "
                f"give a batch_size of at least {sum(sizes)}"
            )
        widths = np.max([part.shape[1:] for part in parts], axis=0)
        fill = {"f": np.nan, "U": "", "O": b""}.get(parts[0].dtype.kind, 0)
        joined[name] = np.concatenate([_widened(part, widths, fill) for part in parts])
    return joined


def _widened(part: np.ndarray, widths: Sequence[int], fill: object) -> np.ndarray:
    wide = np.full((len(part), *widths), fill, dtype=part.dtype)
    wide[tuple(slice(size) for size in part.shape)] = part
    return wide
