"""Which models and versions are served: found on disk, loaded, swapped and dropped while running."""

from __future__ import annotations

import enum
import itertools
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from keras_mir.client.errors import Code
from keras_mir.models.folders import SAVED_MODEL
from keras_mir.models.session import ModelError, ServedModel
from pipelines.errors import ArgumentError, reason_of

logger = logging.getLogger(__name__)

# By model: what its labels stand for.
Labels = Mapping[str, Mapping[str, int]]
# Of every file of a version: name, size and time of change.
_Stamp = frozenset[tuple[str, int, int]]


class State(enum.Enum):
    """A version's life, in TF Serving's words and numbers."""

    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What the status API says of one version; a version that would not load ended with an error."""

    version: int
    state: State = State.LOADING
    code: Code = Code.OK
    message: str = ""


@dataclass
class _Version:
    status: VersionStatus
    stamp: _Stamp
    model: ServedModel | None = None
    users: int = 0

    @property
    def state(self) -> State:
        return self.status.state


class Registry:
    """The models under one root, in TF Serving's layout `<root>/<name>/<version>/saved_model.pb`.

    As TF Serving does by default, it serves the highest version of each model, and beside it those
    that have a label. A new version is loaded beside the old one, which goes on until the new one
    answers; a request keeps the version it began with until it ends. A version that cannot be loaded
    is an error in the status and the next lower one is served; it is tried again once its files
    change. (TF Serving does not look for a lower one at its start.)

    A folder whose name is not a plain number, as one still being written has, is not looked at.

    Args:
        root: The folder of the models.
        labels: For each model that has some, which version a label stands for.

    Raises:
        ArgumentError: If there is no such folder, it is a model's own, or a labelled version is not there.
    """

    def __init__(self, root: Path, labels: Labels | None = None) -> None:
        self.root = Path(root)
        self._labels = labels or {}
        if not self.root.is_dir():
            raise ArgumentError("models", root, "no such folder; export a model with keras_mir.fit")
        if _versions(self.root):
            above = self.root.parent
            raise ArgumentError("models", root, f"is one model's folder; give the folder above it, {above}")
        for name, versions in self._labels.items():
            for label, number in versions.items():
                if not (self.root / name / str(number) / SAVED_MODEL).is_file():
                    raise ArgumentError("label", f"{label}={name}/{number}", f"{root} has no such version")
        self._models: dict[str, dict[int, _Version]] = {}
        self._lock = threading.Lock()
        self._polling = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._complaint = ""

    def poll(self) -> None:
        """Look at the disk once: load what is new and highest, drop what it replaces or is gone."""
        with self._polling:
            try:
                folders = {path.name: path for path in self.root.iterdir() if path.is_dir()}
            except OSError as error:
                self._complain(f"{self.root}: {reason_of(error)}; what is loaded goes on")
                return
            for name in sorted(folders.keys() | self._models.keys()):
                if name.startswith("."):
                    continue
                try:
                    found = _versions(folders[name]) if name in folders else {}
                except OSError as error:
                    self._complain(f"{folders[name]}: {reason_of(error)}; what is loaded goes on")
                else:
                    self._update(name, found)

    def start(self, seconds: float) -> None:
        """Poll in a thread of its own, with this pause between."""

        def work() -> None:
            while not self._stop.wait(seconds):
                self.poll()

        self._thread = threading.Thread(target=work, name="model poll", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop polling and drop every model, each when its last request has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._polling:
            for name in list(self._models):
                self._update(name, {})

    @contextmanager
    def use(self, name: str, version: int | str | None = None) -> Iterator[tuple[int, ServedModel]]:
        """Hold a served version for the length of a request.

        Args:
            name: Name of the model.
            version: A number or a label; without, the highest version being served.

        Yields:
            The version's number, and the loaded model.

        Raises:
            ModelError: NOT_FOUND if it is not served, UNAVAILABLE if it is being loaded, INVALID_ARGUMENT
                for a label that is not known.
        """
        if isinstance(version, str):
            label, version = version, self._labels.get(name, {}).get(version)
            if version is None:
                raise ModelError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        with self._lock:
            entry, model = self._find(name, version)
            entry.users += 1
        try:
            yield entry.status.version, model
        finally:
            with self._lock:
                entry.users -= 1
            self._close_if_unused(name, entry)

    def names(self) -> list[str]:
        """The models there is a status of."""
        with self._lock:
            return sorted(name for name, versions in self._models.items() if versions)

    def status(self, name: str, version: int | str | None = None) -> list[VersionStatus]:
        """What is known of a model's versions, the highest first; of all of them for a label, as TF Serving.

        Raises:
            ModelError: NOT_FOUND if nothing is.
        """
        if isinstance(version, str):
            version = None
        with self._lock:
            versions = self._models.get(name, {})
            if version is not None and version not in versions:
                raise ModelError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
            if not versions:
                raise ModelError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
            highest_first = sorted(versions if version is None else [version], reverse=True)
            return [versions[number].status for number in highest_first]

    def _find(self, name: str, version: int | None) -> tuple[_Version, ServedModel]:
        versions = self._models.get(name, {})
        wanted = [versions[n] for n in sorted(versions, reverse=True) if version in (None, n)]
        for entry in wanted:
            if entry.state is State.AVAILABLE and entry.model is not None:
                return entry, entry.model
        request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        if any(entry.state is State.LOADING for entry in wanted):
            raise ModelError(Code.UNAVAILABLE, f"{request} is being loaded; try again")
        messages = (f" ({entry.status.message})" for entry in wanted if entry.status.message)
        reason = f"Servable not found for request: {request}{next(messages, '')}"
        raise ModelError(Code.NOT_FOUND, reason)

    def _complain(self, text: str) -> None:
        # Once, not at every poll.
        if text != self._complaint:
            logger.warning("%s", text)
            self._complaint = text

    def _update(self, name: str, folders: dict[int, Path]) -> None:
        with self._lock:
            versions = self._models.setdefault(name, {})
        labelled = folders.keys() & self._labels.get(name, {}).values()
        served = {number for number in labelled if self._serves(name, number, folders[number])}
        highest_first = sorted(folders, reverse=True)
        served.update(itertools.islice((n for n in highest_first if self._serves(name, n, folders[n])), 1))
        for number, entry in list(versions.items()):
            if entry.state is State.AVAILABLE and number not in served:
                with self._lock:
                    entry.status = replace(entry.status, state=State.UNLOADING)
                self._close_if_unused(name, entry)
            elif entry.state is State.END and number not in folders:
                with self._lock:
                    del versions[number]

    def _serves(self, name: str, number: int, folder: Path) -> bool:
        """Whether a version answers, loaded if it was not."""
        versions = self._models[name]
        before = versions.get(number)
        if before is not None and before.state is State.AVAILABLE:
            return True
        stamp = _stamp(folder)
        if before is not None and before.status.message and before.stamp == stamp:
            return False
        entry = _Version(VersionStatus(number), stamp)
        with self._lock:
            versions[number] = entry
        started = time.monotonic()
        try:
            model = ServedModel(folder)
        except ModelError as error:
            with self._lock:
                entry.status = VersionStatus(number, State.END, Code(error.code), str(error))
            logger.warning("%s/%d: not served: %s", name, number, error)
            return False
        with self._lock:
            entry.status, entry.model = VersionStatus(number, State.AVAILABLE), model
        logger.info("%s/%d: loaded in %.1f s", name, number, time.monotonic() - started)
        return True

    def _close_if_unused(self, name: str, entry: _Version) -> None:
        with self._lock:
            if entry.state is not State.UNLOADING or entry.users:
                return
            entry.status = replace(entry.status, state=State.END)
            model, entry.model = entry.model, None
        if model is not None:
            model.close()
            logger.info("%s/%d: dropped", name, entry.status.version)


def _versions(folder: Path) -> dict[int, Path]:
    # TF Serving reads 00000123 as 123, and numbers of 64 bits.
    numbered = {int(path.name): path for path in folder.iterdir() if re.fullmatch(r"[0-9]{1,18}", path.name)}
    return {number: path for number, path in numbered.items() if (path / SAVED_MODEL).is_file()}


def _stamp(folder: Path) -> _Stamp:
    try:
        files = [(str(path), path.stat()) for path in folder.rglob("*")]
    except OSError:
        return frozenset()  # it is being removed: loading will say so
    return frozenset((path, status.st_size, status.st_mtime_ns) for path, status in files)
