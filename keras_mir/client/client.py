"""Asking a served model for predictions."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from keras_mir.client.batches import join, split, to_arrays
from keras_mir.client.codec import ModelMetadata, Signature, VersionStatus
from keras_mir.client.errors import Code, ServingError
from keras_mir.client.rest import RestTransport
from keras_mir.client.transport import Address, Retry, Transport, parse_address
from pipelines.errors import UserError

# The signature that takes WAV files, its input, and the output that says what is wrong with each.
AUDIO_SIGNATURE = "audio"
AUDIO_INPUT = "audio"
AUDIO_ERROR = "error"

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
    DEADLINE_EXCEEDED; one that is refused is not. What the model takes and gives is asked once, and
    again after a failure.

    Args:
        server: `HOST:PORT` or an http(s) URL; the REST or the gRPC port, by the protocol.
        model: The name it is served under.
        version: Without one, the version the server prefers, for most the highest.
        signature: What `predict` runs.
        protocol: "rest", or "grpc", which sends arrays in a fraction of the bytes and needs the
            extra `grpc`.
        timeout: Seconds a request may take, with all its attempts and the pauses between them.
        retries: How often a request is sent again, after .1 to .2 s at first, then twice as long, or
            after as long as the server asks for.
        batch_size: The most examples in one request.
        sleep: Pauses between attempts.

    Raises:
        UserError: If an argument is wrong, or what the protocol needs is not installed.
    """

    def __init__(
        self,
        server: str,
        model: str,
        version: int | None = None,
        *,
        signature: str = "serving_default",
        protocol: Literal["rest", "grpc"] = "rest",
        timeout: float = 60.0,
        retries: int = 3,
        batch_size: int = 32,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not model:
            raise UserError("model '': give the name it is served under")
        for name, value, least in (
            ("version", version if version is not None else 0, 0),
            ("retries", retries, 0),
            ("batch_size", batch_size, 1),
        ):
            if value < least:
                raise UserError(f"{name} {value}: give {least} or more")
        if not timeout > 0:
            raise UserError(f"timeout {timeout}: give more than 0 seconds")
        self.signature = signature
        self.batch_size = batch_size
        retry = Retry(retries=retries, timeout=timeout, sleep=sleep)
        self._transport = _transport(protocol, parse_address(server), model, version, retry)
        self._metadata: ModelMetadata | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        self._transport.close()

    def status(self) -> list[VersionStatus]:
        """Ask how the model's versions are.

        Raises:
            ServingError: If the server does not answer, or has no such model.
        """
        return self._transport.status()

    def metadata(self) -> ModelMetadata:
        """Ask what the model's signatures take and give.

        Raises:
            ServingError: If the server does not answer, or has no such model.
        """
        return self._transport.metadata()

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
            paths: Of the files; read as the answers are taken.

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
                yield FileAnswer(path, error=f"{path}: cannot be read ({(error.strerror or '').lower()})")
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
            outputs = self._predict(AUDIO_SIGNATURE, {AUDIO_INPUT: [content for _, content in batch]})
        except ServingError as error:
            if not error.about_the_request:
                raise
            if len(batch) == 1:
                yield FileAnswer(batch[0][0], error=f"{batch[0][0]}: {error}")
                return
            for one in batch:
                yield from self._answer([one])
            return
        errors = outputs.pop(AUDIO_ERROR, np.full(len(batch), ""))
        for row, (path, _) in enumerate(batch):
            if errors[row]:
                yield FileAnswer(path, error=f"{path}: {errors[row]}")
            else:
                yield FileAnswer(
                    path, {name: _row(value, row, len(batch)) for name, value in outputs.items()}
                )

    def _predict(self, name: str, inputs: Mapping[str, np.ndarray | Sequence[Any]]) -> dict[str, np.ndarray]:
        try:
            signature = self._signature(name)
            batches = list(split(to_arrays(inputs, signature), self.batch_size))
            answers = [self._transport.predict(name, signature, batch) for batch in batches]
            return join(answers, batches)
        except UserError as error:
            # Another version may be served by now, with other inputs and outputs.
            self._metadata = None
            if isinstance(error, ServingError):
                raise
            raise UserError(f"{self._transport.where}, signature {name!r}: {error}") from None

    def _signature(self, name: str) -> Signature:
        metadata = self._metadata = self._metadata or self.metadata()
        if name not in metadata.signatures:
            there = ", ".join(sorted(key for key in metadata.signatures if not key.startswith("__")))
            raise ServingError(
                self._transport.where,
                f"version {metadata.version} has no signature {name!r}",
                f"use one of {there}, or export the model anew",
                code=Code.FAILED_PRECONDITION,
            )
        return metadata.signatures[name]


def _row(value: np.ndarray, row: int, size: int) -> np.ndarray:
    """One example's share of an output; all of it where it is for the whole batch."""
    return value[row, ...] if value.shape[:1] == (size,) else value


def _transport(protocol: str, address: Address, model: str, version: int | None, retry: Retry) -> Transport:
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
