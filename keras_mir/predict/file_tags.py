"""What a model says, in the tags of music files: shown, written, and taken back."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from keras_mir.predict.patch import Part, apply_patch, patch
from keras_mir.predict.prediction import Failure, Prediction, ranked
from keras_mir.predict.predictor import SongModel
from pipelines.errors import ArgumentError, UserError, reason_of
from pipelines.files import write_atomically

_MOST_WORDS = 3  # of a tagger without thresholds
_BETWEEN = "; "  # values, where a format has room for one; names have slashes


def _genre(prediction: Prediction) -> list[str]:
    return [prediction.genre] if prediction.genre else _words(prediction)


def _mood(prediction: Prediction) -> list[str]:
    return [f"{name} {value:.2f}" for name, value in prediction.affect.items()] or _words(prediction)


def _bpm(prediction: Prediction) -> list[str]:
    return [] if prediction.tempo is None else [f"{prediction.tempo:.0f}"]


def _words(prediction: Prediction) -> list[str]:
    if prediction.thresholds:
        return prediction.given_tags
    return [name for name, _ in ranked(prediction.tags)[:_MOST_WORDS]]


@dataclass(frozen=True)
class Field:
    """A tag of a file.

    Attributes:
        values: What a prediction has for it; nothing if it is of something else, or says nothing.
        gives: Whether a prediction is of a model that can have something for it.
        frame: Its frame in ID3.
        comment: Its name in a Vorbis comment, and in ID3 before version 2.4 where `frame` is later than that.
        atom: Its name in MP4.
        wants: Those models, in words.
    """

    values: Callable[[Prediction], list[str]]
    gives: Callable[[Prediction], bool]
    frame: str
    comment: str
    atom: str
    wants: str


FIELDS = {
    "genre": Field(
        _genre, lambda p: bool(p.genre or p.tags), "TCON", "GENRE", "\xa9gen", "of genres or of tags"
    ),
    "mood": Field(
        _mood,
        lambda p: bool(p.affect or p.tags),
        "TMOO",
        "MOOD",
        "----:com.apple.iTunes:MOOD",
        "of affect or of tags",
    ),
    "bpm": Field(_bpm, lambda _: True, "TBPM", "BPM", "tmpo", "of any kind"),
}


class _ID3:
    """ID3, in mp3, wav and aiff."""

    def __init__(self, audio: Any) -> None:
        self._audio = audio
        # What was written by version 2.3 is read by what reads that.
        self._old = (2, 0, 0) < audio.tags.version < (2, 4, 0)

    def read(self, field: Field) -> list[str]:
        frames = self._audio.tags.getall(self._name(field))
        texts = [text for frame in frames for text in getattr(frame, "genres", None) or map(str, frame.text)]
        return [value for text in texts for value in text.split(_BETWEEN)] if self._old else texts

    def write(self, field: Field, values: list[str]) -> None:
        from mutagen import id3

        if self._is_free(field):
            frame = id3.TXXX(encoding=id3.Encoding.UTF8, desc=field.comment, text=values)
        else:
            frame = getattr(id3, field.frame)(encoding=id3.Encoding.UTF8, text=values)
        self._audio.tags.setall(self._name(field), [frame])

    def save(self, file: io.BytesIO) -> None:
        self._audio.save(file, v2_version=3 if self._old else 4, v23_sep=_BETWEEN)

    def _name(self, field: Field) -> str:
        return f"TXXX:{field.comment}" if self._is_free(field) else field.frame

    def _is_free(self, field: Field) -> bool:
        return self._old and field.frame == "TMOO"  # of version 2.4


class _Vorbis:
    """Vorbis comments, in ogg, opus and flac."""

    def __init__(self, audio: Any) -> None:
        self._audio = audio

    def read(self, field: Field) -> list[str]:
        return [str(value) for value in self._audio.tags.get(field.comment, [])]

    def write(self, field: Field, values: list[str]) -> None:
        self._audio.tags[field.comment] = values

    def save(self, file: io.BytesIO) -> None:
        self._audio.save(file)


class _MP4(_Vorbis):
    """The atoms of m4a and mp4."""

    def read(self, field: Field) -> list[str]:
        found = self._audio.tags.get(field.atom, [])
        return [
            value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in found
        ]

    def write(self, field: Field, values: list[str]) -> None:
        made: list[Any] = list(values)
        if field.atom == "tmpo":
            made = [int(value) for value in values]
        elif field.atom.startswith("----"):
            made = [value.encode() for value in values]
        self._audio.tags[field.atom] = made


@dataclass(frozen=True)
class Change:
    """What is to become of a file's tags.

    Attributes:
        written: Values by field.
        kept: What stays, by field, for somebody has written it.
        lacking: Fields for which there is no answer.
    """

    written: dict[str, list[str]]
    kept: dict[str, list[str]]
    lacking: list[str]

    def __str__(self) -> str:
        parts = [f"{name} -> {', '.join(values)}" for name, values in self.written.items()]
        parts += [f"{name} stays {', '.join(values)}" for name, values in self.kept.items()]
        return "; ".join([*parts, *(f"{name} has no answer" for name in self.lacking)])


class FileTags:
    """Writes predictions into the files they are of.

    Args:
        fields: Some of `FIELDS`.
        replace: Whether values that are there give way.
        journal: Where to keep how files were, a new file; None to write nothing.

    Raises:
        UserError: If mutagen is not installed, a field is unknown, or the journal is there already.
    """

    def __init__(self, fields: Sequence[str], replace: bool, journal: Path | None) -> None:
        if importlib.util.find_spec("mutagen") is None:
            raise ArgumentError(
                "write_tags", ",".join(fields), "needs mutagen; pip install 'keras-mir[file-tags]'"
            )
        unknown = [name for name in fields if name not in FIELDS]
        if unknown or not fields:
            raise ArgumentError("write_tags", ",".join(fields), f"choose among {', '.join(FIELDS)}")
        if journal is not None and journal.exists():
            raise ArgumentError("journal", journal, "is there already; name a new file")
        self.journal = journal
        self._fields = {name: FIELDS[name] for name in dict.fromkeys(fields)}
        self._replace = replace

    def wants(self, song: Path) -> bool:
        """Whether there is a field to fill in.

        Raises:
            UserError: If the file's tags cannot be read, or not be written.
        """
        with _opened(song) as file:
            tags = _tags_of(song, file)
        return self._replace or not all(tags.read(field) for field in self._fields.values())

    def check(self, prediction: Prediction) -> None:
        """Refuse fields for which a model has nothing, going by one of its answers.

        Raises:
            ArgumentError: If there is such a field.
        """
        for name, field in self._fields.items():
            if not field.gives(prediction):
                raise ArgumentError("write_tags", name, f"wants a model {field.wants}")

    def write(self, song: Path, prediction: Prediction) -> Change:
        """Write what a model says of a song, where there is a journal.

        Returns:
            What was written, or would be.

        Raises:
            UserError: If the model has nothing for a field, or the file cannot be written.
        """
        with _opened(song) as opened:
            content = opened.read()
        file = io.BytesIO(content)
        file.name = song.name  # by which mutagen knows files that do not say what they are
        tags = _tags_of(song, file)
        if prediction.tempo is None and "bpm" in self._fields:  # the model may track no beats
            prediction = replace(prediction, tempo=self._tempo_model.answer_file(song).tempo)
        change = Change({}, {}, [])
        for name, field in self._fields.items():
            there, values = tags.read(field), field.values(prediction)
            if there and (there == values or not values or not self._replace):
                change.kept[name] = there
            elif values:
                _check(song, name, values)
                change.written[name] = values
            else:
                change.lacking.append(name)
        if self.journal is None or not change.written:
            return change
        for name, values in change.written.items():
            tags.write(self._fields[name], values)
        with _errors_named(song):
            file.seek(0)
            tags.save(file)
        made = file.getvalue()
        place = os.path.realpath(song)
        entry = _Entry(place, change.written, _digest(content), _digest(made), patch(made, content))
        # On the disk before the file is: what only the journal says has not happened.
        _append(self.journal, json.dumps(asdict(entry)).encode() + b"\n")
        _replace(Path(place), made)
        return change

    @cached_property
    def _tempo_model(self) -> SongModel:
        from keras_mir.models.tempo import tempo_tracker

        return SongModel(tempo_tracker().answer_wav)


@dataclass(frozen=True)
class _Entry:
    """A line of a journal: what was written into a file, and how to make it as it was.

    Attributes:
        path: Path of the file.
        written: Values by field.
        before: SHA-256 of its bytes.
        after: The same, once written.
        patch: What makes the first of the second.
    """

    path: str
    written: dict[str, list[str]]
    before: str
    after: str
    patch: list[Part]

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or "\0" in self.path:
            raise ValueError("path is no file's")

    def take_back(self) -> None:
        """Make the file as it was.

        Raises:
            UserError: If it has changed since, or cannot be written.
        """
        path = Path(self.path)
        with _opened(path) as file:
            content = file.read()
        if _digest(content) == self.before:
            return
        if _digest(content) != self.after:
            raise UserError(f"{path}: has changed since; it was left alone")
        try:
            was = apply_patch(content, self.patch)
        except (ValueError, TypeError, zlib.error):
            was = b""
        if _digest(was) != self.before:
            raise UserError(f"{path}: the journal is damaged there; it was left alone")
        _replace(path, was)


def take_back(journal: Path) -> Iterator[Path | Failure]:
    """Make files as they were before what a journal says was written, the last first.

    Yields:
        A file that is now as it was, or one that is not, and the reason.

    Raises:
        UserError: If the journal is not there, or damaged.
    """
    for entry in reversed(_read(journal)):
        path = Path(entry.path)
        try:
            entry.take_back()
        except UserError as error:
            yield Failure(path, str(error))
        else:
            yield path


@contextmanager
def _opened(song: Path) -> Iterator[IO[bytes]]:
    """A file, to read, that may be written.

    Raises:
        UserError: If it cannot be read, or must not be written.
    """
    try:
        if not song.stat().st_mode & stat.S_IWUSR or not os.access(song, os.W_OK):
            raise UserError(f"{song}: read-only; make it writable, or leave it out")
        with song.open("rb") as file:
            yield file
    except OSError as error:
        raise UserError(f"{song}: cannot be read ({reason_of(error)}); it was left alone") from None


def _tags_of(song: Path, file: IO[bytes]) -> _ID3 | _Vorbis:
    import mutagen
    from mutagen.flac import FLAC
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4
    from mutagen.ogg import OggFileType

    with _errors_named(song):
        file.seek(0)
        audio = mutagen.File(file)
        if audio is not None and audio.tags is None:
            audio.add_tags()
    if isinstance(audio, MP4):
        return _MP4(audio)
    if isinstance(audio, FLAC | OggFileType):
        return _Vorbis(audio)
    if audio is not None and isinstance(audio.tags, ID3):
        return _ID3(audio)
    raise UserError(f"{song}: no format whose tags are written; those are ID3, Vorbis comments and MP4")


@contextmanager
def _errors_named(song: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of damaged files mutagen raises others than its own, too
        raise UserError(f"{song}: its tags are damaged ({reason_of(error)}); it was left alone") from None


def _replace(song: Path, content: bytes) -> None:
    try:
        write_atomically(song, content)
    except OSError as error:
        raise UserError(f"{song}: cannot be written ({reason_of(error)}); it was left alone") from None


def _check(song: Path, name: str, values: Sequence[str]) -> None:
    for value in values:
        if not value.strip() or not value.isprintable():
            raise UserError(f"{song}: no tag holds the {name} {value!r}; train the model with another name")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _append(journal: Path, line: bytes) -> None:
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _read(journal: Path) -> list[_Entry]:
    try:
        *lines, _ = journal.read_bytes().split(b"\n")  # of a last one without an end nothing was written
    except OSError as error:
        raise ArgumentError("undo", journal, f"cannot be read ({reason_of(error)})") from None
    try:
        return [_Entry(**json.loads(line)) for line in lines]
    except (ValueError, TypeError, RecursionError):
        raise ArgumentError("undo", journal, "no journal of write_tags, or a damaged one") from None
