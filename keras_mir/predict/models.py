"""Which model answers: one exported on this machine, or one that a server has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from keras_mir.client import ServingClient
from keras_mir.models.folders import (
    DESCRIPTION,
    SAVED_MODEL,
    find_version,
    latest_version,
    read_description,
    spec_of,
)
from keras_mir.models.hub import HUB
from keras_mir.models.package import ZIP
from keras_mir.models.pretrained.networks import Network, network_named
from keras_mir.models.run_folder import RunFolder
from pipelines.errors import ArgumentError
from pipelines.spec import FeatureSpec, VectorSpec

# Answers WAV files: the outputs of the signature `audio` by name, each `(batch, ...)`, strings as str.
AnswerWav = Callable[[Sequence[bytes]], Mapping[str, np.ndarray]]

# A file is a fourth of what JSON makes of its samples, and needs nothing to fill it up to the longest.
_SIGNATURE = "audio"


@dataclass(frozen=True)
class ChosenModel:
    """A model that is there.

    Attributes:
        name: NAME/VERSION.
        spec: What a picture of what it was given is made with.
        open: Makes it ready to answer.
    """

    name: str
    spec: FeatureSpec
    open: Callable[[], AbstractContextManager[AnswerWav]]


def choose_local(model: str, models: Path) -> ChosenModel:
    """Find a model on this machine, or the only one that was exported.

    Args:
        model: `NAME` or `NAME/VERSION` in `models`, an exported model's folder, a run's folder, a `.zip`,
            `hf://OWNER/NAME`, the name of a pretrained network where no model is called so, or empty.
        models: The export root, `saved_models`.

    Raises:
        UserError: If there is none, or `model` is empty and there are several; the message lists them.
    """
    if network := network_named(model, models):
        network.check()
        return ChosenModel(model, FeatureSpec(), partial(open_network, network))
    if model.startswith(HUB) or model.endswith(ZIP) or (model and RunFolder(Path(model)).options.is_file()):
        return ChosenModel(model, FeatureSpec(), partial(open_trained, model))
    if model:
        version = find_version(model, models)
    else:
        found = {file.parent.parent.name for file in models.glob(f"*/*/{SAVED_MODEL}")}
        names = sorted(name for name in found if not name.startswith("."))  # half exported
        if not names:
            remedy = "train one with `python -m keras_mir.fit`, or give another folder"
            raise ArgumentError("models", models, f"no exported model in it; {remedy}")
        if len(names) > 1:
            raise ArgumentError("model", None, f"{models} has {', '.join(names)}; choose one")
        version = latest_version(models / names[0])
    spec = spec_of(read_description(version), version / DESCRIPTION)
    if isinstance(spec, VectorSpec):
        if not spec.sample_rate:
            raise ArgumentError("model", model or None, f"{version} takes vectors, and no sound")
        spec = FeatureSpec()
    folder = version.resolve()
    return ChosenModel(f"{folder.parent.name}/{folder.name}", spec, partial(open_exported, version))


def choose_served(model: str, server: str) -> ChosenModel:
    """Find a model that a server has.

    Args:
        model: `NAME`, meaning the version it prefers, `NAME/VERSION`, or `NAME/LABEL`.
        server: `HOST:PORT` or an http(s) URL for REST, `grpc://HOST:PORT` for gRPC.

    Raises:
        UserError: If the model is not named.
        ServingError: If the server does not answer, or has no such model.
    """
    name, _, version = model.partition("/")
    if not name or "/" in version or model.endswith("/"):
        problem = f"give the name that {server} serves it under, or NAME/VERSION or NAME/LABEL"
        raise ArgumentError("model", model or None, problem)
    protocol: Literal["rest", "grpc"] = "rest"
    if server.startswith("grpc://"):
        protocol, server = "grpc", server.removeprefix("grpc://")
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what matters comes as an exception
    wanted = int(version) if version.isdecimal() else version or None
    with ServingClient(server, name, wanted, protocol=protocol) as client:
        number = client.metadata().version
    # That version to the end, or a new one would answer for half of a song.
    connect = partial(open_served, server, name, number, protocol=protocol)
    return ChosenModel(f"{name}/{number}", FeatureSpec(), connect)


@contextmanager
def open_exported(version: Path) -> Iterator[AnswerWav]:
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
def open_network(network: Network) -> Iterator[AnswerWav]:
    """Make a pretrained network ready to answer, without an export.

    Raises:
        UserError: If its weights are not there.
    """
    from keras_mir.models.tagger import Tagger

    yield Tagger(network).audio_model().answer_wav


@contextmanager
def open_trained(place: str) -> Iterator[AnswerWav]:
    """Load a run's model, or one that others made, a `.zip` or on a model hub, and make it ready to answer.

    Raises:
        UserError: As `load`.
    """
    from keras_mir.models.trained_model import load

    yield load(place).audio_model().answer_wav


@contextmanager
def open_served(
    server: str, model: str, version: int | None = None, *, protocol: Literal["rest", "grpc"] = "rest"
) -> Iterator[AnswerWav]:
    """Connect to a model that is served elsewhere; over REST this needs no TensorFlow.

    Args:
        server: `HOST:PORT` or an http(s) URL.
        model: The name it is served under.
        version: Without one, the version the server prefers.
        protocol: As `ServingClient` takes it.

    Raises:
        ServingError: When it is to answer, if the server does not, or has no such model.
    """
    with ServingClient(server, model, version, signature=_SIGNATURE, protocol=protocol) as client:
        yield lambda files: client.predict({_SIGNATURE: files})
