"""Which model a user means: one exported on this machine, or one that a server has."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from keras_mir.client import ServingClient
from keras_mir.models.folders import SAVED_MODEL, latest_version, read_description
from keras_mir.predict.ask import Ask, ask_model, ask_server
from pipelines.errors import UserError
from pipelines.spec import FeatureSpec


@dataclass(frozen=True)
class Chosen:
    """A model that is there.

    Attributes:
        name: NAME/VERSION.
        spec: What its features are made with, as far as it says so.
        open: Makes it ready to be asked.
    """

    name: str
    spec: FeatureSpec
    open: Callable[[], AbstractContextManager[Ask]]


def choose_exported(model: str, root: Path) -> Chosen:
    """Find an exported model by its name or its folder, or the only one there is.

    Args:
        model: `NAME` or `NAME/VERSION` in `root`, a model's folder, or empty.
        root: The export root, `saved_models`.

    Raises:
        UserError: If there is none, or `model` is empty and there are several; the message lists them.
    """
    version = _find(model, root)
    spec = FeatureSpec.from_dict(read_description(version).get("feature_spec", {}))

    folder = version.resolve()
    return Chosen(f"{folder.parent.name}/{folder.name}", spec, partial(ask_model, version))


def _find(model: str, root: Path) -> Path:
    if model:
        named = root / model
        return latest_version(named if named.is_dir() or not Path(model).is_dir() else Path(model))
    names = sorted({file.parent.parent.name for file in root.glob(f"*/*/{SAVED_MODEL}")})
    names = [name for name in names if not name.startswith(".")]  # half exported
    if not names:
        raise UserError(
            f"{root}: no exported model in it; train one with `python -m keras_mir.fit`, "
            f"or give another folder as --models"
        )
    if len(names) > 1:
        raise UserError(f"{root}: has {', '.join(names)}; choose one with --model")
    return latest_version(root / names[0])


def choose_served(model: str, server: str) -> Chosen:
    """Ask a server for a model.

    Args:
        model: `NAME`, meaning the version it prefers, or `NAME/VERSION`.
        server: `HOST:PORT` or an http(s) URL for REST, `grpc://HOST:PORT` for gRPC.

    Raises:
        UserError: If the model is not named.
        ServingError: If the server does not answer, or has no such model.
    """
    name, _, number = model.partition("/")
    if not name or not (number.isdecimal() or "/" not in model):
        raise UserError(
            f"--model {model!r}: give the name that {server} serves it under, or NAME/VERSION, with --server"
        )
    protocol: Literal["rest", "grpc"] = "rest"
    if server.startswith("grpc://"):
        protocol, server = "grpc", server.removeprefix("grpc://")
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what matters comes as an exception
    with ServingClient(server, name, int(number) if number else None, protocol=protocol) as client:
        version = client.metadata().version
    # That version to the end, or a new one would answer for half of a song.
    ask = partial(ask_server, server, name, version, protocol=protocol)
    return Chosen(f"{name}/{version}", FeatureSpec(), ask)
