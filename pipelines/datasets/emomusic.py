"""EmoMusic, 1000 Songs for Emotional Analysis of Music: clips of 45 seconds, valence and arousal.

M. Soleymani, M. N. Caro, E. M. Schmidt, C.-Y. Sha, Y.-H. Yang: 1000 songs for emotional analysis of music.
CrowdMM 2013.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.datasets.base import GENRE, ID, SPLIT
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, LabelTable, in_folder
from pipelines.datasets.tables import header_of, read_columns, refuse_repeated
from pipelines.datasets.targets import chosen_targets
from pipelines.errors import ArgumentError, UserError

LICENCE = "for research, each song under the Creative Commons licence its artist chose"
CITATION = (
    "M. Soleymani, M. N. Caro, E. M. Schmidt, C.-Y. Sha, Y.-H. Yang: 1000 songs for emotional analysis of "
    "music. CrowdMM 2013"
)
TARGETS = ("valence", "arousal")  # from 1 to 9, the mean over listeners
SONGS_INFO = "songs_info.csv"

_ID, _SET = "song_id", "Mediaeval 2013 set"
_COLUMNS = {"valence": "mean_valence", "arousal": "mean_arousal"}
_SPLITS = {"development": "train", "evaluation": "test"}
_REMEDY = "take it from the data set's annotations"

REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "EmoMusic's split is in songs_info.csv",
    "tags": "EmoMusic has genres and affect alone",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by the header of the table."""
    return table is not None and {_ID, *_COLUMNS.values()} <= set(header_of(table))


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read the affect, genres and split of the clips that are in a folder of EmoMusic's audio.

    The split is that of MediaEval 2013: `development` is `train`, `evaluation` is `test`. The column
    `artist` has the artists. An id is the song's, `3`.

    Args:
        audio_dir: Holds `3.mp3` and so on, as the archive unpacks them to `clips_45seconds`.
        table: `static_annotations.csv`, beside which lies `songs_info.csv`.
        options: The `targets` are by default both of `TARGETS`.

    Raises:
        UserError: If a table is missing or not EmoMusic's, or no song of it is in the folder.
    """
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are in static_annotations.csv; name it")
    targets = chosen_targets(options.targets, TARGETS)
    about = table.with_name(SONGS_INFO)
    values = read_columns(table, (_ID,), tuple(_COLUMNS.values()), _REMEDY)
    info = read_columns(about, (_ID, "Artist", "Genre", _SET), (), _REMEDY)
    for path, songs in ((table, values), (about, info)):
        refuse_repeated(songs[_ID], path, "song", _REMEDY)
    unknown = info[~info[_SET].isin(_SPLITS)]
    if len(unknown):
        raise UserError(
            f"{about}: line {unknown.index[0]} is of neither set, {', '.join(_SPLITS)}; {_REMEDY}"
        )
    songs = values.merge(info, on=_ID, how="left")
    if (lost := songs[songs[_SET].isna()][_ID]).any():
        raise UserError(f"{about}: song {lost.iloc[0]} is not there; {_REMEDY}")
    ours = {_ID: ID, "Genre": GENRE, "Artist": "artist"} | {column: name for name, column in _COLUMNS.items()}
    songs = songs.rename(columns=ours)
    songs[FILE] = songs[ID] + ".mp3"
    songs[SPLIT] = songs[_SET].map(_SPLITS)
    there, notes = in_folder(audio_dir, table, songs, "song")
    return LabelledAudio(
        audio_dir,
        LabelTable(there[[ID, FILE, GENRE, SPLIT, *targets, "artist"]], targets, table),
        lacking=f"no line in {table}",
        name="EmoMusic",
        terms=f"{LICENCE}; cite {CITATION}",
        notes=notes,
    )
