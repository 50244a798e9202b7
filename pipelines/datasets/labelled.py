"""What every loader of labelled audio hands to the extraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.datasets.labels import LabelTable


@dataclass(frozen=True)
class AudioOptions:
    """What a user may say of labelled audio; see `pipelines.datasets.audio.load_labelled_audio`."""

    targets: Sequence[str] | None = None
    group_by: str | None = None
    subset: str | None = None
    split_lists: Sequence[Path] | None = None


@dataclass(frozen=True)
class LabelledAudio:
    """The labels of a folder of audio, and what is known of the data set.

    Attributes:
        folder: Of the audio files, at any depth.
        labels: One row for every clip to extract; its audio is there.
        lacking: What audio files without a row have not, to complete "3 audio files have ...".
        name: What reports call the data set; `""` for the name of its folder.
        terms: Licence and citation, as stated by its source; may be empty.
        notes: What the user should know before training on it: what was left out, and why.
        known_faults: Ids of clips that are damaged in common copies, and how. One that cannot be
            extracted is no surprise, and no failure.
    """

    folder: Path
    labels: LabelTable
    lacking: str
    name: str = ""
    terms: str = ""
    notes: tuple[str, ...] = ()
    known_faults: Mapping[str, str] = field(default_factory=dict)
