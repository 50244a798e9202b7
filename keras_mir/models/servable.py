"""What every model that answers to sound has, whoever trained it.

What can be done with one (evaluate, predict, embed, export) is the code of the command of that name. Those
stand above this file, so its methods look them up when they are called: loading a model imports none
of them, and nothing here knows what they do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model

    from keras_mir.models.audio_model import AudioModel


class ServableModel(ABC):
    """A Keras model that answers to sound.

    Attributes:
        name: What an export of it is called, unless the user says otherwise.
        description: What it says of itself.
        keras: The Keras model, from `{"features": (batch, time, bands), "lengths": (batch,)}` to its
            outputs.
    """

    name: str
    description: Any
    keras: Any
    _embedder: Any = None
    _predictor: Any = None

    @property
    @abstractmethod
    def names(self) -> Mapping[str, Sequence[str]]:
        """By output that is probabilities, of genres or tags, what these are of, in order."""

    @property
    @abstractmethod
    def place(self) -> str:
        """What `load` finds it by: a name, NAME/VERSION of an export, or a run's folder."""

    @property
    def thresholds(self) -> Sequence[float]:
        """From which probability on a clip is given each tag, in order; empty if that is not known."""
        return ()

    @property
    def exported(self) -> Path | None:
        """The folder of the version, if the model is an exported one."""
        return None

    @abstractmethod
    def audio_model(self, model: Model | None = None) -> AudioModel:
        """What answers to sound: resampling, features, and the model in one.

        Args:
            model: A twin of this model to put in its place, such as one built anew for export.
        """

    @abstractmethod
    def embedding_model(self) -> AudioModel:
        """What makes a vector of sound: as `audio_model`, up to what the model makes of a clip before it
        decides, the mean over windows of half a minute."""

    def embed(self, song: Any, rate: int | None = None) -> Any:
        """Make the vector of a song, by which others that sound alike are found: of a file, a folder, or
        samples `(n,)` or `(channels, n)` with their rate in Hz.

        Returns:
            An `Embedding`; a list of them, or of `Failure`s, for a folder.

        Raises:
            UserError: If there is none; the message says why.
        """
        if self._embedder is None:
            self._embedder = function_of("embed")(self)
        return self._embedder.embed(song, rate)

    def predict(self, song: Any, rate: int | None = None) -> Any:
        """Predict a song: a file, a folder, or samples `(n,)` or `(channels, n)` with their rate in Hz.

        Returns:
            A `Prediction`; a list of them, or of `Failure`s, for a folder.

        Raises:
            UserError: If there is no answer; the message says why.
        """
        if self._predictor is None:
            self._predictor = function_of("predict")(self)
        return self._predictor.predict(song, rate)

    def export(self, folder: str | Path = "saved_models", **options: Any) -> Path:
        """Write the model for TF Serving, or in another format; see `keras_mir.export.export`."""
        path: Path = function_of("export")(self, folder, **options).path
        return path


def function_of(command: str) -> Callable[..., Any]:
    """What a command does with a model: by convention, its function and file have its name."""
    function: Callable[..., Any] = getattr(import_module(f"keras_mir.{command}.{command}"), command)
    return function
