"""One entry to every kind of labelled audio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pipelines.datasets.fma import is_fma, load_fma
from pipelines.datasets.gtzan import is_gtzan, load_gtzan
from pipelines.datasets.labelled import LabelledAudio
from pipelines.datasets.labels import read_label_table
from pipelines.errors import UserError

Layout = Literal["auto", "table", "fma", "gtzan"]


def load_labelled_audio(
    audio_dir: Path,
    labels: Path | None,
    *,
    layout: Layout = "auto",
    targets: Sequence[str] | None = None,
    group_by: str | None = None,
    subset: str | None = None,
    split_lists: Sequence[Path] | None = None,
) -> LabelledAudio:
    """Read the labels of a folder of audio, whichever of the known layouts it has.

    Args:
        audio_dir: The audio.
        labels: A label table, or FMA's `tracks.csv`; `None` for GTZAN.
        layout: `"auto"` tells them apart: FMA by the table's two-row header, GTZAN by its
            folders, where no table is given.
        targets: The affect columns; see `read_label_table` and `load_fma`.
        group_by: The column of a label table that says what belongs together.
        subset: Of FMA; see `load_fma`.
        split_lists: Of GTZAN; see `load_gtzan`.

    Raises:
        UserError: If an option does not go with the layout, or what it names is missing or malformed.
    """
    if layout == "auto":
        layout = _recognise(audio_dir, labels, split_lists)
    _refuse(subset is not None and layout != "fma", "--subset", "only FMA has subsets")
    _refuse(split_lists is not None and layout != "gtzan", "--split-lists", "only GTZAN's split is in lists")
    if layout == "gtzan":
        _refuse(labels is not None, "--labels", "GTZAN's genres are the names of its folders")
        _refuse(targets is not None, "--targets", "GTZAN has genres alone")
        return load_gtzan(audio_dir, split_lists)
    if labels is None:
        what = "FMA's labels, fma_metadata/tracks.csv," if layout == "fma" else "the table of labels"
        raise UserError(f"{audio_dir}: its labels are not known; name {what} with --labels")
    if layout == "fma":
        return load_fma(audio_dir, labels, targets=targets, subset=subset)
    table = read_label_table(labels, targets=targets, group_by=group_by)
    return LabelledAudio(table, lacking=f"no line in {labels}")


def _recognise(audio_dir: Path, labels: Path | None, split_lists: Sequence[Path] | None) -> Layout:
    if labels is not None:
        return "fma" if is_fma(labels) else "table"
    return "gtzan" if split_lists is not None or is_gtzan(audio_dir) else "table"


def _refuse(wrong: bool, option: str, reason: str) -> None:
    if wrong:
        raise UserError(f"{option}: {reason}; leave it out")
