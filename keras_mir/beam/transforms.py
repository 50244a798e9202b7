"""Transforms from songs, by their names, to what the commands make of them, and to dead letters."""

from __future__ import annotations

import atexit
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from keras_mir.beam.files import everywhere, is_remote, local_copy
from keras_mir.beam.one_song import features_of, prediction_of
from keras_mir.embed.embed import load_embedder
from keras_mir.embed.songs import row_of
from keras_mir.embed.table import Row, check_parquet
from keras_mir.predict.models import choose_local
from pipelines.errors import UserError
from pipelines.extraction.features import Extraction, check_spec
from pipelines.extraction.workers import Worker
from pipelines.processes import Died
from pipelines.spec import FeatureSpec

_STANDARD = FeatureSpec()
_MADE, _FAILED = "made", "failed"
_IDLE: dict[bytes, list[Worker[Any, Any]]] = {}  # processes that wait for more of the same work


@atexit.register
def _stop() -> None:
    for workers in _IDLE.values():
        for worker in workers:
            worker.stop()


class DeadLetter(NamedTuple):
    """A song of which nothing could be made, and why: one line, the same that the command says."""

    path: str
    reason: str


class Work(ABC):
    """What is made of songs.

    Attributes:
        function: Makes it, in a process of its own; what it returns as a text is a reason.
    """

    function: Callable[[Any], Any]

    @abstractmethod
    def outcome(self, worker: Worker[Any, Any], item: Any) -> Any:
        """What `function` makes of an item, called there; or a `DeadLetter`."""

    @abstractmethod
    def seconds(self, made: Any) -> float:
        """Length of the sound that something was made of."""


class _SongWork(Work):
    """Work on songs by their names."""

    def outcome(self, worker: Worker[Any, Any], item: str) -> Any:
        try:
            with local_copy(item) as song:
                made = worker.apply(song)
        except UserError as error:
            return DeadLetter(item, str(error))
        if isinstance(made, Died):
            return DeadLetter(item, f"{item}: {made.reason}")
        if isinstance(made, str):
            return DeadLetter(item, made.replace(str(song), item, 1))
        return self.named(item, made)

    @abstractmethod
    def named(self, name: str, made: Any) -> Any:
        """What was made of a song, or of its copy on this machine, as the song's."""


class FeaturesOfSongs(_SongWork):
    """See `ExtractFeatures`."""

    def __init__(self, spec: FeatureSpec) -> None:
        check_spec(spec)
        self.function = partial(features_of, spec=spec)

    def named(self, name: str, made: Extraction) -> tuple[str, Extraction]:
        return name, made

    def seconds(self, made: tuple[str, Extraction]) -> float:
        return made[1].fused.shape[1] / made[1].spec.frame_rate


class VectorsOfSongs(_SongWork):
    """See `Embed`."""

    def __init__(self, model: str, models: Path) -> None:
        check_parquet()
        self.maker = load_embedder(model, models).maker
        self.function = partial(row_of, **_places(model, models), fingerprint=self.maker.fingerprint)

    def named(self, name: str, made: Row) -> Row:
        return replace(made, path=name) if is_remote(name) else made

    def seconds(self, made: Row) -> float:
        return made.duration


class PredictionsOfSongs(_SongWork):
    """See `Predict`."""

    def __init__(self, model: str, models: Path) -> None:
        self.model = choose_local(model, models).name
        self.function = partial(prediction_of, **_places(model, models))

    def named(self, name: str, made: Any) -> tuple[str, Any]:
        return name, replace(made, path=None) if is_remote(name) else made

    def seconds(self, made: tuple[str, Any]) -> float:
        return float(made[1].duration)


class EachItem(beam.DoFn):
    """Does work with items, in a process beside this one, which keeps what it has loaded.

    Counts clips, milliseconds of music, and failures, for the runner's own display.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    def setup(self) -> None:
        # Some runners set up anew for every few items, and loading a model takes longer than using it.
        self._idle = _IDLE.setdefault(pickle.dumps(self._work.function), [])
        try:
            self._worker = self._idle.pop()
        except IndexError:
            self._worker = Worker(self._work.function)

    def process(self, item: Any) -> Iterator[Any]:
        outcome = self.outcome(item)
        yield TaggedOutput(_FAILED, outcome) if isinstance(outcome, DeadLetter) else outcome

    def outcome(self, item: Any) -> Any:
        """What is made of an item, or a `DeadLetter`."""
        outcome = self._work.outcome(self._worker, item)
        if isinstance(outcome, DeadLetter):
            _count("failures")
        else:
            _count("clips")
            _count("milliseconds", round(1000 * self._work.seconds(outcome)))
        return outcome

    def teardown(self) -> None:
        self._idle.append(self._worker)


def _places(model: str, models: Path) -> dict[str, Any]:
    there = everywhere(model) if Path(model).exists() else model  # a name is none of a place
    return {"model": there, "models": models.absolute()}


def _count(what: str, number: int = 1) -> None:
    Metrics.counter("keras_mir", what).inc(number)


class _PerSong(beam.PTransform):
    """From the names of songs to two collections: what was made of them, and dead letters."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def expand(self, songs: Any) -> Any:
        outputs = songs | beam.ParDo(EachItem(self._work)).with_outputs(_FAILED, main=_MADE)
        return outputs[_MADE], outputs[_FAILED]


class ExtractFeatures(_PerSong):
    """From songs to their features, as `keras_mir.features` makes them.

    Takes the names of audio files, text such as `/music/one.mp3` or `s3://bucket/one.mp3`, and gives two
    collections: pairs of the name and its `Extraction`, and a `DeadLetter` for every other file.

    Args:
        spec: What to make.

    Raises:
        UserError: If `spec` cannot be met.
    """

    def __init__(self, spec: FeatureSpec = _STANDARD) -> None:
        super().__init__(FeaturesOfSongs(spec))


class Embed(_PerSong):
    """From songs to their vectors, as `python -m keras_mir.embed` makes them.

    Takes the names of audio files, and gives two collections: a `keras_mir.embed.table.Row` for every song,
    and a `DeadLetter` for every other file.

    Args:
        model: As `load` takes it; on every machine that works.
        models: The export root, likewise.

    Attributes:
        maker: The model, as tables of vectors name it.

    Raises:
        UserError: If there is no such model here, or it makes no vectors.
    """

    def __init__(self, model: str, models: str | Path = "saved_models") -> None:
        work = VectorsOfSongs(model, Path(models))
        super().__init__(work)
        self.maker = work.maker


class Predict(_PerSong):
    """From songs to what a model says of them, as `python -m keras_mir.predict` does.

    Takes the names of audio files, and gives two collections: pairs of the name and its `Prediction`, and a
    `DeadLetter` for every other file.

    Args:
        model: Name, NAME/VERSION or folder of an exported model, or a pretrained tagger; on every machine
            that works.
        models: The export root, likewise.

    Raises:
        UserError: If there is no such model here.
    """

    def __init__(self, model: str, models: str | Path = "saved_models") -> None:
        super().__init__(PredictionsOfSongs(model, Path(models)))
