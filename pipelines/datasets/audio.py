"""One entry to every kind of labelled audio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pipelines.datasets import deam, emomusic, emotify, fma, gtzan, labels, magnatagatune, mtg_jamendo
from pipelines.datasets.labels import AudioOptions, LabelledAudio
from pipelines.errors import ArgumentError, UserError


class AudioDataSet(Protocol):
    """A kind of labelled audio: a module here, or any object that has the same.

    Attributes:
        REFUSES: The options it has no use for, and why.
    """

    REFUSES: Mapping[str, str]

    def recognises(self, audio_dir: Path, table: Path | None) -> bool:
        """Whether a folder, with the label table a user named, is of this kind."""

    def load(self, audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
        """Its labels; see `load_labelled_audio`."""


# A new kind is a file, and a line here. The first that recognises a folder loads it.
AUDIO_DATA_SETS: dict[str, AudioDataSet] = {
    "fma": fma,
    "gtzan": gtzan,
    "mtg-jamendo": mtg_jamendo,
    "magnatagatune": magnatagatune,
    "deam": deam,
    "emomusic": emomusic,
    "emotify": emotify,
    "table": labels,
}


def load_labelled_audio(
    audio_dir: Path,
    table: Path | None,
    *,
    layout: str = "auto",
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
    group_by: str | None = None,
    subset: str | None = None,
    split_lists: Sequence[Path] | None = None,
) -> LabelledAudio:
    """Read the labels of a folder of audio, of whichever kind it is.

    Args:
        audio_dir: The audio.
        table: A label table, or one of a data set's own, such as FMA's `tracks.csv`; `None` for GTZAN.
        layout: A key of `AUDIO_DATA_SETS`. `"auto"` tells them apart: by the table's header, GTZAN by its
            folders, where no table is given.
        targets: The affect columns; see `read_label_table` and `fma.load`.
        tags: The tags; see `read_label_table`.
        group_by: The column of a label table that says what belongs together.
        subset: Size of FMA; see `fma.load`.
        split_lists: Files of GTZAN's split; see `gtzan.load`.

    Raises:
        UserError: If there is no such folder, an option does not go with the kind, or what it names is
            missing or malformed.
    """
    if not audio_dir.is_dir():
        raise UserError(f"{audio_dir}: no such folder; give the folder with the audio files")
    if layout not in ("auto", *AUDIO_DATA_SETS):
        raise ArgumentError("layout", layout, f"choose auto, {', '.join(AUDIO_DATA_SETS)}")
    kind = AUDIO_DATA_SETS.get(layout) or next(
        kind for kind in AUDIO_DATA_SETS.values() if kind.recognises(audio_dir, table)
    )
    options = AudioOptions(targets, tags, group_by, subset, split_lists)
    for name, reason in kind.REFUSES.items():
        if (table if name == "labels" else getattr(options, name)) is not None:
            raise ArgumentError(name, None, f"{reason}; leave it out")
    return kind.load(audio_dir, table, options)
