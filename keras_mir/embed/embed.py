"""A model made ready to make vectors of songs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_mir.models.embedding import Maker, maker_of
from keras_mir.models.servable import ServableModel
from keras_mir.predict.models import AnswerWav
from keras_mir.predict.prediction import Failure
from keras_mir.predict.predictor import SongAnswer, SongModel


@dataclass(frozen=True)
class Embedding:
    """The vector of a song.

    Attributes:
        path: The file, or None if samples were given.
        duration: In seconds.
        tempo: In beats per minute; None if there is no beat, or the model does not track it.
        vector: float32 `(size,)`, the mean over windows of half a minute.
        maker: The model.
    """

    path: Path | None
    duration: float
    tempo: float | None
    vector: np.ndarray
    maker: Maker


class Embedder:
    """Makes vectors of songs of any length, rate and number of channels.

    Args:
        model: Any that answers to sound.

    Attributes:
        maker: The model, as tables of vectors name it.
        answer_wav: What it makes of WAV files by itself, `embedding` among other outputs; see
            `AudioModel.from_waveform`.

    Raises:
        UserError: If the model takes no sound.
    """

    def __init__(self, model: ServableModel) -> None:
        audio_model = model.embedding_model()
        self.maker: Maker = maker_of(model.place, audio_model)
        self.answer_wav: AnswerWav = audio_model.answer_wav
        self._song_model = SongModel(self.answer_wav)

    def embed(
        self, song: str | Path | np.ndarray, rate: int | None = None
    ) -> Embedding | list[Embedding | Failure]:
        """The vector of a file or of samples; a list for a folder.

        Args:
            song: A file or a folder, or samples as `embed_array` takes them.
            rate: Sample rate of samples, in Hz.

        Raises:
            UserError: If there is none; the message says why.
        """
        answer = self._song_model.answer(song, rate)
        if isinstance(answer, list):
            return [self._outcome(each) for each in answer]
        return self._embedding(answer)

    def embed_array(self, samples: np.ndarray, rate: int) -> Embedding:
        """The vector of samples.

        Args:
            samples: float `(n,)` or `(channels, n)`, from -1 to 1.
            rate: In Hz.

        Raises:
            UserError: If there is none; the message says why.
        """
        return self._embedding(self._song_model.answer_array(samples, rate))

    def embed_file(self, path: str | Path) -> Embedding:
        """The vector of a file of any kind that this machine decodes.

        Raises:
            UserError: If the file cannot be decoded, or has none; the message says why.
        """
        return self._embedding(self._song_model.answer_file(Path(path)))

    def _outcome(self, answer: SongAnswer | Failure) -> Embedding | Failure:
        return answer if isinstance(answer, Failure) else self._embedding(answer)

    def _embedding(self, answer: SongAnswer) -> Embedding:
        vector = answer.vector.astype(np.float32)
        return Embedding(answer.path, answer.duration, answer.tempo, vector, self.maker)


def embed(model: ServableModel) -> Embedder:
    """What makes vectors by a model."""
    return Embedder(model)


def load_embedder(model: str, models: Path) -> Embedder:
    """What makes vectors by a model that is named.

    Args:
        model: As `load` takes it.
        models: The export root.

    Raises:
        UserError: If there is none, or it is damaged, or takes no sound.
    """
    from keras_mir.models.trained_model import load  # TensorFlow, which reading vectors does without

    return embed(load(model, models))
