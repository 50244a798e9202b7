"""Callbacks of every training: stop on nonsense, measure what Keras cannot, save its state, report."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mir.evaluate.metrics import DivergedError, rank_correlation
from keras_mir.models.answers import predict_source
from pipelines.checksums import sha256
from pipelines.errors import UserError
from pipelines.files import flush_to_disk
from pipelines.source import Source

_STATE, _VARIABLES, _BEST = "state.json", "variables.npz", "best.npz"
_COUNTERS: dict[type, tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
}


class StopOnNan(keras.callbacks.Callback):
    """End training when the loss is not a number any more."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            raise DivergedError(
                f"the loss is not a number after epoch {epoch + 1}; lower learning_rate, or set clip_norm"
            )


class ValidationCorrelation(keras.callbacks.Callback):
    """Spearman's correlation of the validation examples, which no mean over batches gives.

    Adds `val_spearman` to the epoch's logs, the mean over targets, and
    `val_<target>_spearman` where there are several. NaN where a model answers one value only.
    Must stand before the callbacks that are to see it.
    """

    def __init__(self, validation: Source, targets: Sequence[str]) -> None:
        super().__init__()
        self.validation = validation
        self.targets = targets

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is None:
            return
        outputs = predict_source(self.model, self.validation)
        values = {}
        for name in self.targets:
            rows = self.validation.labelled(name)
            rho = rank_correlation(self.validation.labels[name][rows], outputs[name][rows].reshape(-1))
            values[name] = float("nan") if rho is None else rho
        if len(values) > 1:
            logs |= {f"val_{name}_spearman": rho for name, rho in values.items()}
        logs["val_spearman"] = float(np.mean(list(values.values())))


class EpochLines(keras.callbacks.Callback):
    """One line an epoch, for logs and pipes, where a progress bar is noise."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        logs = logs or {}
        # Keras has them by the alphabet, where those of several heads surround their sum.
        first = [name for name in ("loss", "val_loss") if name in logs]
        values = "  ".join(f"{name} {float(logs[name]):.4g}" for name in dict.fromkeys((*first, *logs)))
        print(f"epoch {epoch + 1}/{self.params['epochs']}  {values}", flush=True)


class Checkpoint(keras.callbacks.Callback):
    """Write the whole state of training after every epoch; take it up when training begins.

    Keras's own `BackupAndRestore` leaves out what EarlyStopping and ReduceLROnPlateau have counted and
    the best weights so far, so a run continued with it may stop at another epoch.

    Must stand after the callbacks it saves, so that it sees them when they have seen the
    epoch, and restores them after they have reset themselves.

    Args:
        folder: Replaced as a whole after every epoch; never there half-written.
        others: The callbacks whose counters are saved.
        resume: Whether to take up the checkpoint in `folder`, if there is one.
        training: What is trained, and how, as JSON holds it: another's checkpoint is refused.
    """

    def __init__(
        self,
        folder: Path,
        others: list[keras.callbacks.Callback],
        resume: bool,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.training = dict(training or {})
        self.others = [callback for callback in others if type(callback) in _COUNTERS]
        self.resume = resume
        self.history: list[dict[str, float]] = []

    @property
    def next_epoch(self) -> int:
        """The epoch to continue with: 0 unless there is a checkpoint to take up."""
        return len(self._saved["history"]) if self._resumes else 0

    @property
    def stopped(self) -> bool:
        """Whether the checkpoint is of a training that stopped early."""
        return self._resumes and bool(self._saved["stopped"])

    def restore_best_weights(self) -> None:
        """Give the model the best weights of a training that had ended."""
        best = self._read_arrays(_BEST)
        if best:
            self.model.set_weights(best)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        if not self._resumes:
            return
        self.history = list(self._saved["history"])
        saved, variables = self._read_arrays(_VARIABLES), self._variables()
        if saved is None or [value.shape for value in saved] != [tuple(v.shape) for v in variables]:
            raise UserError(f"{self.folder}: not a checkpoint of this model; start a new run")
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)
        for callback, counters in zip(self.others, self._saved["counters"], strict=True):
            for name, value in counters.items():
                setattr(callback, name, value)
            if isinstance(callback, keras.callbacks.EarlyStopping):
                callback.best_weights = self._read_arrays(_BEST)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.history.append({name: float(value) for name, value in (logs or {}).items()})
        temporary = self.folder.with_name(f".{self.folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            self._write(temporary)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise OSError(error.errno, error.strerror, str(self.folder)) from None
        # A folder cannot be replaced in one step; the old one waits under another name until the
        # new one is in place, and `_resumes` finds it should the run end in between.
        old = self._old
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        temporary.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    @property
    def _old(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.old")

    @property
    def _resumes(self) -> bool:
        if self.resume and not self.folder.exists() and self._old.exists():
            self._old.rename(self.folder)
        return self.resume and self.folder.exists()

    def _write(self, folder: Path) -> None:
        # Plain arrays, not HDF5, which crashes the process where the disk is full.
        files = {_VARIABLES: _npz([keras.ops.convert_to_numpy(v) for v in self._variables()])}
        counters, best = [], None
        for callback in self.others:
            names = _COUNTERS[type(callback)]
            # Keras keeps some as numpy numbers, some as tensors.
            counters.append({name: np.asarray(getattr(callback, name, None)).item() for name in names})
            if isinstance(callback, keras.callbacks.EarlyStopping):
                best = callback.best_weights
        if best is not None:
            files[_BEST] = _npz(best)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        state = {
            "training": self.training,
            "history": self.history,
            "counters": counters,
            "stopped": bool(self.model.stop_training),
            "files": {name: sha256(content) for name, content in files.items()},
        }
        (folder / _STATE).write_text(json.dumps({"state": state, "sha256": _digest(state)}), encoding="utf-8")
        flush_to_disk(folder)

    @cached_property
    def _saved(self) -> dict[str, Any]:
        """What `_write` wrote, all of it as it was written.

        Raises:
            UserError: If it is not, or is of another training.
        """
        path = self.folder / _STATE
        try:
            saved = json.loads(path.read_bytes())
            state: dict[str, Any] = saved["state"]
            if _digest(state) != saved["sha256"]:
                raise ValueError("its checksum is of something else")
            for name, digest in state["files"].items():
                if sha256(self.folder / name) != digest:
                    raise ValueError(f"the checksum of {name} is of something else")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError | TypeError) else error
            raise UserError(f"{path}: damaged, or of another version ({reason}); start a new run") from None
        for what, before in state["training"].items():
            if before != json.loads(json.dumps(self.training.get(what))):
                raise UserError(f"{self.folder}: the {what} is not what was trained; start a new run")
        return state

    def _variables(self) -> list[Any]:
        """Weights, averages and random states of the model, and what the optimizer keeps."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _read_arrays(self, name: str) -> list[np.ndarray] | None:
        if name not in self._saved["files"]:
            return None
        with np.load(self.folder / name, allow_pickle=False) as arrays:
            return [arrays[f"arr_{number}"] for number in range(len(arrays.files))]


def _npz(arrays: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def _digest(state: Any) -> str:
    return sha256(json.dumps(state).encode())
