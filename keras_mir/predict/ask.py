"""Who answers: an exported model on this machine, or a server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from keras_mir.client import ServingClient

# Answers WAV files: the outputs of the signature `audio` by name, each `(batch, ...)`, strings as str.
Ask = Callable[[Sequence[bytes]], Mapping[str, np.ndarray]]

# A file is a fourth of what JSON makes of its samples, and needs nothing to fill it up to the longest.
_SIGNATURE = "audio"


@contextmanager
def ask_model(version: Path) -> Iterator[Ask]:
    """Load an exported model, run as TF Serving would run it.

    Args:
        version: The folder that holds `saved_model.pb`.

    Raises:
        UserError: If there is no such model, or it is damaged.
    """
    from keras_mir.models.session import ServedModel

    with ServedModel(version) as model:
        yield lambda files: model.predict({_SIGNATURE: files}, _SIGNATURE)


@contextmanager
def ask_server(
    server: str, model: str, version: int | None = None, *, protocol: Literal["rest", "grpc"] = "rest"
) -> Iterator[Ask]:
    """Ask a model that is served elsewhere; over REST this needs no TensorFlow.

    Args:
        server: `HOST:PORT` or an http(s) URL.
        model: The name it is served under.
        version: Without one, the version the server prefers.
        protocol: As `ServingClient` takes it.

    Raises:
        ServingError: When asked, if the server does not answer, or has no such model.
    """
    with ServingClient(server, model, version, signature=_SIGNATURE, protocol=protocol) as client:
        yield lambda files: client.predict({_SIGNATURE: files})


def to_wav(samples: np.ndarray, rate: int) -> bytes:
    """Samples `(n,)` as a WAV file of 32-bit floats: the very same numbers."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()
