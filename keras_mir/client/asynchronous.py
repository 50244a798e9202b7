"""The client for programs that run an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from keras_mir.client.client import CLOSED, FileAnswer, ServingClient
from keras_mir.client.codec import ModelMetadata, VersionStatus
from pipelines.errors import UserError


class AsyncServingClient:
    """`ServingClient` whose methods are awaited: the same requests, retries and errors, in other threads.

    A task that is cancelled leaves its request to end by itself, within its timeout.

    Args:
        server: As `ServingClient` takes it.
        model: As `ServingClient` takes it.
        version: As `ServingClient` takes it.
        concurrency: How many requests may be under way at once; others wait.
        **options: What else `ServingClient` takes.

    Raises:
        UserError: As `ServingClient`.
    """

    def __init__(
        self,
        server: str,
        model: str,
        version: int | str | None = None,
        *,
        concurrency: int = 8,
        **options: Any,
    ) -> None:
        self._client = ServingClient(server, model, version, **options)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="keras_mir client")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for what is under way, and close the connections to the server."""
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()

    async def status(self) -> list[VersionStatus]:
        """As `ServingClient.status`."""
        return await self._run(self._client.status)

    async def metadata(self) -> ModelMetadata:
        """As `ServingClient.metadata`."""
        return await self._run(self._client.metadata)

    async def check(self, expected: str | Path | Mapping[str, Any]) -> None:
        """As `ServingClient.check`."""
        await self._run(partial(self._client.check, expected))

    async def predict(self, inputs: Mapping[str, np.ndarray | Sequence[Any]]) -> dict[str, np.ndarray]:
        """As `ServingClient.predict`."""
        return await self._run(partial(self._client.predict, inputs))

    async def predict_files(self, paths: Sequence[str | Path]) -> AsyncIterator[FileAnswer]:
        """As `ServingClient.predict_files`: answers in the order of the paths."""
        answers = self._client.predict_files(paths)
        while (answer := await self._run(partial(next, answers, None))) is not None:
            yield answer

    async def _run(self, function: Any) -> Any:
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, function)
        except RuntimeError:  # of threads that have been shut down
            raise UserError(CLOSED) from None
        return await asked
