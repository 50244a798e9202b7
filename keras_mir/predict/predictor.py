"""Songs in, predictions out.

    with Predictor("saved_models/lstm-beat-mel") as predictor:
        print(predictor.predict_file("song.mp3").genre)

Songs are decoded here, whatever they are, and go to the model's signature `audio`.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from keras_mir.client import ServingError
from keras_mir.models.limits import NO_NUMBER, WINDOW_SECONDS
from keras_mir.models.outputs import EMBEDDING, GENRE, PROBABILITIES, TAGS, THRESHOLDS
from keras_mir.predict.models import AnswerWav, choose_local
from keras_mir.predict.prediction import Failure, Prediction, Window
from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.audio_files import Found, Sound, audio_files, check_sound, decode_parts
from pipelines.limits import CANCELLED, CANCELS, SILENCE

if TYPE_CHECKING:
    from keras_mir.models.servable import ServableModel

Progress = Callable[[int, int], None]

_AFFECT = "affect"  # what the targets are together
_FULL_RATE = 48_000  # Hz; a second at a higher rate counts for more, as it is larger


@dataclass(frozen=True)
class SongAnswer:
    """What a model made of a song, window by window.

    Attributes:
        path: The file, or None if samples were given.
        duration: In seconds.
        names: Names of the values of each head, in the model's order; empty for vectors.
        values: By head (genre, tags, affect), or as `embedding`, float `(windows, n)`, at least one window.
        spans: Where each window begins and ends, in seconds.
        tempo: In beats per minute; None if there is no beat, or the model does not track it.
        beat_times: In seconds, increasing.
        note: What to know of the model; mostly empty.
        thresholds: By tag, if the model has some.
    """

    path: Path | None
    duration: float
    names: Mapping[str, tuple[str, ...]]
    values: Mapping[str, np.ndarray]
    spans: tuple[tuple[float, float], ...]
    tempo: float | None
    beat_times: tuple[float, ...]
    note: str
    thresholds: Mapping[str, float]

    @property
    def vector(self) -> np.ndarray:
        """Vector of a song, by a model of vectors: the mean over the windows, `(size,)`."""
        vector: np.ndarray = self.values[EMBEDDING].mean(axis=0)
        return vector


class SongModel:
    """A model that takes songs of any length, rate and number of channels, cut into pieces that it can take.

    Args:
        answer_wav: The model.
        longest_seconds: As of `Predictor`.
        batch_seconds: Likewise.
    """

    def __init__(
        self,
        answer_wav: AnswerWav,
        *,
        longest_seconds: float = 300.0,  # 77 MB of JSON at 48 kHz, and servers have limits
        batch_seconds: float = 120.0,  # each song counted as the longest, which a model makes of it
    ) -> None:
        if longest_seconds < 2 * WINDOW_SECONDS:
            raise ArgumentError("longest_seconds", longest_seconds, f"give {2 * WINDOW_SECONDS:.0f} or more")
        self._answer_wav = answer_wav
        self._longest_seconds = longest_seconds
        self._batch_seconds = batch_seconds

    def answer(
        self, song: str | Path | np.ndarray, rate: int | None = None
    ) -> SongAnswer | list[SongAnswer | Failure]:
        """What the model makes of whatever is given: a file, a folder, or samples.

        Args:
            song: A file or a folder, or samples as `answer_array` takes them.
            rate: Sample rate of samples, in Hz.

        Returns:
            A list for a folder.

        Raises:
            UserError: If there is no answer; the message says why.
        """
        if isinstance(song, str | Path):
            path = Path(song)
            return (
                list(self.answer_files(find_songs([path]).audio)) if path.is_dir() else self.answer_file(path)
            )
        if rate is None:
            raise ArgumentError("rate", rate, "give that of the samples, in Hz")
        return self.answer_array(np.asarray(song), rate)

    def answer_array(self, samples: np.ndarray, rate: int) -> SongAnswer:
        """What the model makes of samples.

        Args:
            samples: float `(n,)` or `(channels, n)`, from -1 to 1.
            rate: In Hz.

        Raises:
            UserError: If there is no answer; the message says why.
        """
        return self._only_one(None, _cut(samples, rate))

    def answer_file(self, path: Path) -> SongAnswer:
        """What the model makes of a file of any kind that this machine decodes.

        Raises:
            UserError: If the file cannot be decoded, or has no answer; the message says why.
        """
        return self._only_one(path, decode_parts(path, WINDOW_SECONDS))

    def answer_files(self, paths: Iterable[Path]) -> Iterator[SongAnswer | Failure]:
        """What the model makes of files, several at once; or the reason why there is no answer, in order."""
        return self._outcomes((path, decode_parts(path, WINDOW_SECONDS)) for path in paths)

    def _only_one(self, path: Path | None, blocks: Iterator[Sound]) -> SongAnswer:
        (outcome,) = self._outcomes([(path, blocks)])
        if isinstance(outcome, Failure):
            raise UserError(outcome.reason)
        return outcome

    def _outcomes(self, songs: Iterable[_Song]) -> Iterator[SongAnswer | Failure]:
        def parts_of_all() -> Iterator[_Part | _End]:
            for path, blocks in songs:
                try:
                    yield from _parts(path, blocks, self._longest_seconds)
                    yield _End(path)
                except UserError as error:
                    yield _End(path, str(error))

        answers: list[_Answer] = []
        for batch in _batches(parts_of_all(), self._batch_seconds):
            answered = iter(self._answer([item for item in batch if isinstance(item, _Part)]))
            for item in batch:
                if isinstance(item, _Part):
                    answers.append(next(answered))
                else:
                    yield _joined(item, answers)
                    answers = []

    def _answer(self, parts: Sequence[_Part]) -> list[_Answer]:
        if not parts:
            return []
        try:
            outputs = self._answer_wav([part.wav() for part in parts])
        except ServingError as error:
            if not error.about_the_request:
                raise
            if len(parts) > 1:  # it may be about one of them
                return [answer for part in parts for answer in self._answer([part])]
            return [_Answer(parts[0].end, error=str(error))]
        return [_answer_of(part, outputs, row) for row, part in enumerate(parts)]


class Predictor:
    """Predicts genres, tags or affect of songs of any length, sample rate and number of channels.

    Args:
        model: What `load` takes: a name, a folder of an export or of a run, a `.zip`, `hf://OWNER/NAME`; a
            model that is loaded already; or what answers WAV files, as `open_served` gives it.
        models: The export root, where a name is looked up.
        longest_seconds: The longest piece to send to the model at once, in seconds, at least 60. Longer
            songs are cut where a window ends, and the answers joined.
        batch_seconds: About how many seconds of audio to send at once where songs are shorter.

    Raises:
        UserError: If there is no such model, or it is damaged.
    """

    def __init__(
        self,
        model: str | Path | ServableModel | AnswerWav,
        models: str | Path = "saved_models",
        *,
        longest_seconds: float = 300.0,  # 77 MB of JSON at 48 kHz, and servers have limits
        batch_seconds: float = 120.0,  # each song counted as the longest, which a model makes of it
    ) -> None:
        self._stack = ExitStack()
        if isinstance(model, str | Path):
            answer_wav = self._stack.enter_context(choose_local(str(model), Path(models)).open())
        else:
            answer_wav = model if callable(model) else model.audio_model().answer_wav
        self._song_model = SongModel(answer_wav, longest_seconds=longest_seconds, batch_seconds=batch_seconds)

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory of a model that was loaded here."""
        self._stack.close()

    def predict(
        self, song: str | Path | np.ndarray, rate: int | None = None
    ) -> Prediction | list[Prediction | Failure]:
        """Predict whatever is given: a file, a folder, or samples.

        Args:
            song: A file or a folder, or samples as `predict_array` takes them.
            rate: Sample rate of samples, in Hz.

        Returns:
            The answer; for a folder a list, with a `Failure` for each file that has none.

        Raises:
            UserError: If there is no answer; the message says why.
        """
        answer = self._song_model.answer(song, rate)
        return [_outcome(each) for each in answer] if isinstance(answer, list) else _prediction(answer)

    def predict_array(self, samples: np.ndarray, rate: int) -> Prediction:
        """Predict samples.

        Args:
            samples: float `(n,)` or `(channels, n)`, from -1 to 1.
            rate: In Hz.

        Raises:
            UserError: If there is no answer for the samples; the message says why.
        """
        return _prediction(self._song_model.answer_array(samples, rate))

    def predict_file(self, path: str | Path) -> Prediction:
        """Predict a file of any kind that this machine decodes.

        Raises:
            UserError: If the file cannot be decoded, or has no answer; the message says why.
        """
        return _prediction(self._song_model.answer_file(Path(path)))

    def predict_files(
        self, paths: Iterable[str | Path], progress: Progress | None = None
    ) -> Iterator[Prediction | Failure]:
        """Predict files, several at once, going on after one without an answer.

        Args:
            paths: The files.
            progress: Called with the number of files done and of all.

        Yields:
            An answer, or the reason why there is none, for each file, in order.

        Raises:
            ServingError: If a server does not answer any more.
        """
        files = [Path(path) for path in paths]
        for done, outcome in enumerate(self._song_model.answer_files(files), 1):
            if progress is not None:
                progress(done, len(files))
            yield _outcome(outcome)

    def predict_folder(
        self, folder: str | Path, progress: Progress | None = None
    ) -> Iterator[Prediction | Failure]:
        """Predict the audio files in a folder, at any depth, as `predict_files` does.

        Raises:
            UserError: If there are none.
        """
        return self.predict_files(find_songs([Path(folder)]).audio, progress)


def find_songs(given: Sequence[Path]) -> Found:
    """Files, and the audio files in folders at any depth, each once, in order; and the folders' other files.

    Raises:
        UserError: If something is not there, or a folder has no audio files.
    """
    songs: dict[str, Path] = {}
    others: list[Path] = []
    for path in given:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give audio files, or folders of them")
        found = audio_files(path) if path.is_dir() else Found([path], [])
        if not found.audio:
            raise UserError(f"{path}: no audio file in it; give another folder")
        for song in found.audio:
            songs.setdefault(os.path.realpath(song), song)
        others += found.others
    return Found(list(songs.values()), others)


@dataclass(frozen=True)
class _Part:
    """A piece of a song that is sent at once: mono float32 `(n,)`, from `start` seconds on."""

    samples: np.ndarray
    rate: int
    start: float
    loudest: float  # of all channels

    @property
    def end(self) -> float:
        return self.start + len(self.samples) / self.rate

    @property
    def cost(self) -> float:
        """Its seconds, more of them at a high rate."""
        return (self.end - self.start) * _cost_of_second(self.rate)

    def wav(self) -> bytes:
        """A WAV file of 32-bit floats: the very same numbers."""
        file = io.BytesIO()
        soundfile.write(file, self.samples, self.rate, format="WAV", subtype="FLOAT")
        return file.getvalue()


@dataclass(frozen=True)
class _End:
    """Follows the last part of a song; the reason if there is no more because of an error."""

    path: Path | None
    error: str = ""


@dataclass(frozen=True)
class _Answer:
    """A model's answer for a part, times in seconds from the start of the song."""

    end: float  # of the part
    silent: bool = False  # the part is, so that there is no answer
    error: str = ""  # empty if there is an answer
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # as of `SongAnswer`; so are the next
    values: Mapping[str, np.ndarray] = field(default_factory=dict)  # empty if there is no answer
    spans: tuple[tuple[float, float], ...] = ()
    tempo: float = 0.0  # in beats per minute, or 0
    beats: tuple[float, ...] = ()
    note: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict)


_Song = tuple[Path | None, Iterator[Sound]]


def _cost_of_second(rate: int) -> float:
    return max(1.0, rate / _FULL_RATE)


def _cut(samples: np.ndarray, rate: int) -> Iterator[Sound]:
    """Samples a window at a time."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind != "f":
        given = f"of shape {samples.shape} and dtype {samples.dtype}"
        raise ArgumentError("samples", given, "give floats (n,) or (channels, n)")
    channels = np.atleast_2d(samples).astype(np.float32)
    length = max(channels.shape[1], 1)
    if len(channels) > length:
        given = f"of shape {samples.shape}"
        raise ArgumentError("samples", given, "more channels than samples; give (channels, n)")
    try:
        check_sound(channels, rate)
    except UserError as error:
        raise ArgumentError("samples", None, str(error)) from None
    step = round(WINDOW_SECONDS * rate)
    return (Sound(channels[:, start : start + step], rate) for start in range(0, length, step))


def _parts(path: Path | None, blocks: Iterable[Sound], longest_seconds: float) -> Iterator[_Part]:
    """Blocks of a window each, mono and joined to as few parts as need be.

    The last block of a long song may be too short for an answer alone, so a full one stays with it.
    """
    start, rate, waiting, loudest = 0.0, 0, list[np.ndarray](), list[float]()
    for samples, rate in blocks:
        if not samples.size:
            raise UserError(f"{_name(path)}: without a single sample; leave it out")
        most = max(2, math.floor(longest_seconds / _cost_of_second(rate) / WINDOW_SECONDS))
        if len(waiting) == most:
            part = _Part(np.concatenate(waiting[:-1]), rate, start, max(loudest[:-1]))
            yield part
            start, waiting, loudest = part.end, waiting[-1:], loudest[-1:]
        waiting.append(samples.mean(axis=0, dtype=np.float32))
        loudest.append(float(np.abs(samples).max()))
    yield _Part(np.concatenate(waiting), rate, start, max(loudest))


def _batches(items: Iterable[_Part | _End], seconds: float) -> Iterator[list[_Part | _End]]:
    """Parts that together cost at most so many seconds, each as much as the dearest; or a single one."""
    batch: list[_Part | _End] = []
    count, dearest = 0, 0.0
    for item in items:
        if isinstance(item, _Part):
            if count and (count + 1) * max(dearest, item.cost) > seconds:
                yield batch
                batch, count, dearest = [], 0, 0.0
            count, dearest = count + 1, max(dearest, item.cost)
        batch.append(item)
    yield batch


def _answer_of(part: _Part, outputs: Mapping[str, np.ndarray], row: int) -> _Answer:
    """A part's share of a batch's outputs."""
    if missing := {"error", "windows", "window_starts"} - outputs.keys():
        raise UserError(
            f"the model's answer is without {', '.join(sorted(missing))}; take one exported by keras_mir"
        )
    mono = float(np.abs(part.samples).max())
    if mono < CANCELLED * part.loudest:
        return _Answer(part.end, silent=True, error=f"{CANCELS}; leave it out")
    if error := str(outputs["error"][row]):
        return _Answer(part.end, silent=mono < SILENCE, error=f"{error}; leave it out")
    count = int(outputs["windows"][row])
    of_windows = {name for name in outputs if f"window_{name}" in outputs}
    names, values = dict[str, tuple[str, ...]](), dict[str, np.ndarray]()
    for head, (called, listed) in PROBABILITIES.items():
        if called in of_windows:
            names[head] = tuple(str(name) for name in outputs[listed][row])
            values[head] = outputs[f"window_{called}"][row, :count]
    if EMBEDDING in of_windows:
        values[EMBEDDING] = outputs[f"window_{EMBEDDING}"][row, :count]
    targets = sorted(of_windows - {called for called, _ in PROBABILITIES.values()} - {EMBEDDING})
    if targets:
        names[_AFFECT] = tuple(targets)
        values[_AFFECT] = np.stack([outputs[f"window_{name}"][row, :count] for name in targets], axis=-1)
    starts = (part.start + outputs["window_starts"][row, :count].astype(float)).tolist()
    if not all(np.isfinite(each).all() for each in values.values()):  # of models exported before they said so
        return _Answer(part.end, error=f"{NO_NUMBER}; leave it out")
    length = part.end - starts[-1]  # all are as long as the last, which ends with the part;
    if len(starts) > 1 and length < WINDOW_SECONDS / 2:  # but a tagger's, which leave out what is left there
        length = starts[1] - starts[0]
    beats = np.zeros(0)
    if "beat_times" in outputs:
        beats = outputs["beat_times"][row, : outputs["beat_counts"][row]].astype(float)
    return _Answer(
        part.end,
        names=names,
        values={head: each.astype(float) for head, each in values.items()},
        spans=tuple((at, at + length) for at in starts),
        tempo=float(outputs["tempo"][row]) if "tempo" in outputs else 0.0,
        beats=tuple((part.start + beats).tolist()),
        note=str(outputs["note"][row]) if "note" in outputs else "",  # older exports have none
        thresholds=dict(zip(names[TAGS], outputs[THRESHOLDS][row].tolist(), strict=True))
        if THRESHOLDS in outputs
        else {},
    )


def _joined(song: _End, answers: Sequence[_Answer]) -> SongAnswer | Failure:
    """A song's answer from those of its parts."""
    # Silent parts of a song that is not silent do not count.
    sounding = [answer for answer in answers if not answer.silent] or answers
    name = _name(song.path)
    if reason := song.error or next((f"{name}: {a.error}" for a in sounding if a.error), ""):
        return Failure(name, reason)
    with_beat = [answer for answer in sounding if answer.tempo > 0]
    weights = [len(answer.spans) for answer in with_beat]
    return SongAnswer(
        path=song.path,
        duration=answers[-1].end,
        names=sounding[0].names,
        values={
            head: np.concatenate([answer.values[head] for answer in sounding]) for head in sounding[0].values
        },
        spans=tuple(span for answer in sounding for span in answer.spans),
        tempo=fmean((a.tempo for a in with_beat), weights=weights) if with_beat else None,
        beat_times=tuple(beat for answer in sounding for beat in answer.beats),
        note=sounding[0].note,
        thresholds=sounding[0].thresholds,
    )


def _outcome(answer: SongAnswer | Failure) -> Prediction | Failure:
    return answer if isinstance(answer, Failure) else _prediction(answer)


def _prediction(answer: SongAnswer) -> Prediction:
    """What a model made of a song, in its words."""

    def by_name(head: str, values: np.ndarray) -> dict[str, float]:
        return dict(zip(answer.names[head], values.tolist(), strict=True))

    def windows_of(head: str) -> list[dict[str, float]]:
        if head not in answer.values:
            return [{} for _ in answer.spans]
        return [by_name(head, values) for values in answer.values[head]]

    means = {head: by_name(head, values.mean(axis=0)) for head, values in answer.values.items()}
    genres = means.get(GENRE, {})
    return Prediction(
        path=answer.path,
        duration=answer.duration,
        genre=max(genres, key=genres.__getitem__) if genres else "",
        probabilities=genres,
        tags=means.get(TAGS, {}),
        affect=means.get(_AFFECT, {}),
        tempo=answer.tempo,
        beat_times=answer.beat_times,
        windows=tuple(
            Window(*span, *values)
            for span, *values in zip(answer.spans, *map(windows_of, (GENRE, TAGS, _AFFECT)), strict=True)
        ),
        note=answer.note,
        thresholds=answer.thresholds,
    )


def _name(path: Path | None) -> Path:
    return path or Path("samples")
