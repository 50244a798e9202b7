"""Experiments 1, 2 and 3: spectrograms and chromagrams of two clips of different genre."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.experiments.base import Earlier, Experiment, Runs, Setup
from keras_mir.reproduce.pictures import ClipFeatures, clip_pair
from keras_mir.reproduce.results import Picture
from pipelines.datasets.base import BEATS, GENRE, ID, PATH
from pipelines.errors import UserError
from pipelines.input.steps import BeatSync, ReadFused
from pipelines.ops.beat_sync import beat_sync
from pipelines.spec import FeatureSpec


@dataclass(frozen=True)
class Spectrograms(Experiment):
    """Two clips below each other.

    Attributes:
        part: Which bands are shown.
        full: The paper's figure of every frame; empty to leave it out.
        beats: The paper's figure of one column per beat; empty to leave it out.
    """

    part: Literal["mel", "chroma"] = "mel"
    full: str = ""
    beats: str = ""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        clips, spec = _two_clips(setup.dataset), setup.dataset.either.spectrogram_spec
        bands = "Chromagrams" if self.part == "chroma" else "Mel spectrograms"
        what = f"{bands} of {' and '.join(f'{clip.genre} ({clip.id})' for clip in clips)}"
        if self.full:
            figure = clip_pair(clips, spec, part=self.part, synced=False)
            yield setup.save(f"{self.id}-full", figure, f"{what}; beats are marked above", self.full)
        if self.beats:
            figure = clip_pair(clips, spec, part=self.part, synced=True)
            caption = f"{what}, one column per beat: the median between beats"
            yield setup.save(f"{self.id}-beats", figure, caption, self.beats)


def _two_clips(dataset: DataSet) -> list[ClipFeatures]:
    """The first clips of the two largest classes, full and beat-synchronous."""
    assert dataset.genre is not None  # or the experiment would be missing
    examples = dataset.class_map.apply(dataset.genre)
    table, spec = examples.table, examples.spectrogram_spec
    classes = table[GENRE].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(classes) < 2:
        raise UserError(f"{dataset.name}: clips of one class only; two of different classes are compared")
    clips = []
    for genre in classes.index[:2]:
        row = int((table[GENRE] == genre).to_numpy().argmax())
        full, beats, synced = (part.numpy() for part in _read(table[PATH][row], table[BEATS][row], spec))
        clips.append(ClipFeatures(str(table[ID][row]), str(genre), full.T, synced.T, beats))
    return clips


def _read(path: str, beats: str, spec: FeatureSpec) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Features `(time, bands)`, beat frames `(n,)`, and the features between them."""

    # In a compiled graph, as in the pipeline: tracking beats one by one takes seconds.
    @tf.function
    def read() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        element = ReadFused((spec.n_bands,), spec)({"path": tf.constant(path), "beats": tf.constant(beats)})
        found = BeatSync(spec).boundaries(element)
        return element["features"], found, beat_sync(element["features"], found, spec)

    try:
        return read()
    except tf.errors.OpError:
        raise UserError(f"{path}: no mel and chroma to show; the figures need fused spectrograms") from None


MEL = Spectrograms("1", "Mel spectrograms of two clips of different genre", full="Fig 1")
BEAT_MEL = Spectrograms("2", "The same, beat-synchronous", beats="Fig 2")
_TITLE = "Chromagrams, and beat-synchronous chromagrams"
CHROMA = Spectrograms("3", _TITLE, part="chroma", full="Fig 3", beats="Fig 4")
