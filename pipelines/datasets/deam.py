"""DEAM, the MediaEval Database for Emotional Analysis of Music: a folder of mp3, valence and arousal.

A. Aljanaki, Y.-H. Yang, M. Soleymani: Developing a benchmark for emotional analysis of music. PLoS ONE
12(3), 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import ID
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, LabelTable, in_folder
from pipelines.datasets.tables import header_of, read_columns, refuse_repeated
from pipelines.datasets.targets import chosen_targets
from pipelines.errors import ArgumentError

LICENCE = "CC BY-NC 4.0, each song under the Creative Commons licence its artist chose"
CITATION = (
    "A. Aljanaki, Y.-H. Yang, M. Soleymani: Developing a benchmark for emotional analysis of music. PLoS ONE "
    "12(3), 2017"
)
TARGETS = ("valence", "arousal")  # from 1 to 9, the mean over listeners

_ID = "song_id"
_COLUMNS = {"valence": "valence_mean", "arousal": "arousal_mean"}
_TABLES = "static_annotations_averaged_songs_*.csv"
_REMEDY = "take it from DEAM_Annotations.zip"

REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "only GTZAN's split is in lists",
    "tags": "DEAM has affect alone",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by the header of the table."""
    return table is not None and {_ID, *_COLUMNS.values()} <= set(header_of(table))


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read the affect of the songs that are in a folder of DEAM's audio.

    An id is the song's, `10`. There is no split, and no artist.

    Args:
        audio_dir: Holds `2.mp3` and so on, as `DEAM_audio.zip` unpacks them to `MEMD_audio`.
        table: One of the tables in `annotations averaged per song/song_level`, such as
            `static_annotations_averaged_songs_1_2000.csv`; its sisters are read beside it.
        options: The `targets` are by default both of `TARGETS`.

    Raises:
        UserError: If a table is missing or not DEAM's, or no song of it is in the folder.
    """
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are in DEAM's tables; name one")
    targets = chosen_targets(options.targets, TARGETS)
    tables = sorted({table, *table.parent.glob(_TABLES)})
    read = [read_columns(path, (_ID,), tuple(_COLUMNS.values()), _REMEDY) for path in tables]
    songs = pd.concat(read).rename(columns={column: name for name, column in _COLUMNS.items()})
    refuse_repeated(songs[_ID], table, "song", _REMEDY)
    songs[FILE] = songs[_ID] + ".mp3"
    there, notes = in_folder(audio_dir, table, songs.rename(columns={_ID: ID}), "song")
    return LabelledAudio(
        audio_dir,
        LabelTable(there[[ID, FILE, *targets]], targets, table),
        lacking=f"no line in {', '.join(path.name for path in tables)}",
        name="DEAM",
        terms=f"{LICENCE}; cite {CITATION}",
        notes=(*notes, "the tables name no artists: one may be on both sides of the split"),
    )
