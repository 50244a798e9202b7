"""A folder of audio and a label table of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.datasets.labelled import AudioOptions, LabelledAudio
from pipelines.datasets.labels import read_label_table
from pipelines.errors import ArgumentError

REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "only GTZAN's split is in lists",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`; whatever is nothing else is this."""
    return True


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """As `pipelines.datasets.audio.AudioDataSet`."""
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are not known; name their table")
    labels = read_label_table(table, targets=options.targets, group_by=options.group_by)
    return LabelledAudio(audio_dir, labels, lacking=f"no line in {table}")
