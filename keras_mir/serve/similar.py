"""Songs of a table that sound like one that is sent, and their sound where the server may give it out."""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keras_mir.client.codec import STRING, CodecError, from_json, parse_object
from keras_mir.client.errors import Code
from keras_mir.models.session import ModelError
from keras_mir.similar.similar import Similar
from pipelines.errors import ArgumentError
from pipelines.extraction.audio_files import AUDIO_SUFFIXES

_AUDIO, _EMBEDDING = "audio", "embedding"  # as inputs and outputs of a model are called
SONGS = "/v1/similar/songs"
_TOP = 10


class SimilarSongs:
    """A table of vectors, and the model that they are of, ready to be asked.

    Args:
        vectors: The table.
        models: The export root, where its model is looked for.
        music: Folders whose songs may be listened to. Whoever wrote a table chose the paths in it, so
            without such a folder no file is given out, whatever they are.

    Raises:
        UserError: If the table cannot be read, or its model is not there or is another one by now.
    """

    def __init__(self, vectors: Path, models: Path, music: Sequence[Path] = ()) -> None:
        for folder in music:
            if not folder.is_dir():
                raise ArgumentError("music", folder, "no such folder; give that of the table's songs")
        self._music = [folder.resolve() for folder in music]
        self._finder = Similar(vectors, models=models)
        self._answer_wav = self._finder.embedder.answer_wav
        # Now, as it may take long: what is compared is made, or an index of very many songs.
        self._finder.nearest(self._table.vectors[0], (), _TOP)

    @property
    def _table(self) -> Any:
        return self._finder.library.table

    def __len__(self) -> int:
        return len(self._table)

    @property
    def model(self) -> str:
        """Whose vectors the table has."""
        return str(self._table.maker.model)

    def answer(self, body: bytes | bytearray) -> str:
        """What sounds like one song.

        Args:
            body: JSON, an object with either `audio`, a WAV file as `{"b64": ...}`, or `embedding`, a list of
                numbers, as an answer has it.

        Returns:
            JSON, an object with `songs`, the nearest first. For `audio` also with `embedding`, and
            `windows`, of how many it is the mean: so a long song can be sent in parts.

        Raises:
            CodecError: If it is something else.
            ModelError: INVALID_ARGUMENT if the sound has no answer; it says why.
        """
        request = parse_object(body)
        if len(request) != 1 or not request.keys() <= {_AUDIO, _EMBEDDING}:
            raise CodecError(f"the request must have either {_AUDIO!r} or {_EMBEDDING!r}, and nothing else")
        answer: dict[str, Any] = {}
        if _AUDIO in request:
            outputs = self._heard(_array(request, _AUDIO, STRING, ()))
            vector = outputs[_EMBEDDING][0]
            answer = {_EMBEDDING: vector.astype(float).tolist(), "windows": int(outputs["windows"][0])}
        else:
            vector = _array(request, _EMBEDDING, "float32", self._table.vectors.shape[1:])
        return json.dumps({**answer, "songs": self._songs(vector)})

    def sound_file(self, row: int) -> Path | None:
        """The file of a song of the table; None if it is not there, or may not be given out.

        Args:
            row: Its place in the table.
        """
        if row >= len(self):
            return None
        try:
            # Where links lead: from the folder of music they may lead anywhere.
            path = Path(self._table.frame["path"].iloc[row]).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # the last of a link that leads to itself
            return None
        is_music = path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES and os.access(path, os.R_OK)
        return path if is_music and any(path.is_relative_to(folder) for folder in self._music) else None

    @cached_property
    def _folder(self) -> str:
        """What all songs have in common; what lies above a library is nobody's business."""
        paths = self._table.frame["path"]
        return os.path.commonpath([os.path.dirname(path) for path in (paths.min(), paths.max())])  # noqa: PTH120

    def _heard(self, wav: np.ndarray) -> Mapping[str, np.ndarray]:
        outputs = self._answer_wav([wav.item()])
        if error := str(outputs["error"][0]):
            raise ModelError(Code.INVALID_ARGUMENT, error)
        return outputs

    def _songs(self, vector: np.ndarray) -> list[dict[str, Any]]:
        near = self._finder.nearest(vector, (), _TOP)
        found = self._finder.described(near)
        found = found.astype(object).where(found.notna(), None)  # NaN is no JSON
        return [
            {
                "path": os.path.relpath(path, self._folder),
                "similarity": round(similarity, 4),
                "duration": duration,
                "tempo": tempo,
                _AUDIO: f"{SONGS}/{one.row}" if self.sound_file(one.row) else None,
            }
            for one, path, similarity, duration, tempo in zip(
                near, *(found[name] for name in ("path", "similarity", "duration", "tempo")), strict=True
            )
        ]


def media_type(path: Path) -> str:
    """Media type of a file of sound, by its name."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _array(request: Mapping[str, Any], name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """A value of a request, of this dtype and shape."""
    try:
        array = from_json(request[name], dtype)
    except CodecError as error:
        raise CodecError(f"{name!r} {error}") from None
    if array.shape != shape:
        wanted = f"a list of {shape[0]} numbers" if shape else 'one WAV file, {"b64": ...}'
        raise CodecError(f"{name!r} must be {wanted}")
    if dtype != STRING and not np.isfinite(array).all():
        raise CodecError(f"{name!r} has numbers that are NaN or infinite")
    return array
