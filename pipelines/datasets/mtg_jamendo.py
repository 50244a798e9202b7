"""MTG-Jamendo: a folder of mp3 and its tables of tags, with the splits that come with them.

D. Bogdanov, M. Won, P. Tovstogan, A. Porter, X. Serra: The MTG-Jamendo dataset for automatic music
tagging. Machine Learning for Music Discovery Workshop, ICML 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import ID, SPLIT, TAGS
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, tagged_audio
from pipelines.datasets.tables import read_rows, refuse_repeated
from pipelines.errors import ArgumentError, UserError

LICENCE = "metadata under CC BY-NC-SA 4.0, each track under the Creative Commons licence its artist chose"
CITATION = (
    "D. Bogdanov, M. Won, P. Tovstogan, A. Porter, X. Serra: The MTG-Jamendo dataset for automatic music "
    "tagging. Machine Learning for Music Discovery Workshop, ICML 2019"
)
_HEADER = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
# By how the files of a split end. A data set has no third part: fit takes its validation clips from train.
_SPLITS = {"-train": "train", "-validation": "train", "-test": "test"}
_REMEDY = "take it from the data set's repository"

REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "MTG-Jamendo's split is in the tables beside the one that is given",
    "targets": "MTG-Jamendo has tags alone",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by the header of the table."""
    try:
        return table is not None and next(_rows(table), (1, []))[1] == _HEADER
    except UserError:
        return False


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read the tags of the tracks that are in a folder of MTG-Jamendo's audio.

    Tags are as published, such as `genre---rock` or `mood/theme---calm`. An id is the track's,
    `track_0000214`; the columns `artist` and `album` have the data set's own ids.

    Args:
        audio_dir: Holds `14/214.mp3` and so on, or `14/214.low.mp3`, as the archives unpack.
        table: One of the tables: a whole one, such as `autotagging_top50tags.tsv`, which has no split,
            or one of a split, such as `splits/split-0/autotagging_genre-train.tsv`, whose
            `-validation` and `-test` are read beside it. The first two are both `train` here.
        options: The `tags` are by default all.

    Raises:
        UserError: If a table is missing or not MTG-Jamendo's, or no track of it is in the folder.
    """
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are in MTG-Jamendo's tables; name one")
    ending = next((each for each in _SPLITS if table.stem.endswith(each)), "")
    name = table.stem.removesuffix(ending)
    tables = {table.with_name(f"{name}{each}.tsv"): split for each, split in _SPLITS.items()}
    tracks = [
        {
            ID: row[0],
            FILE: _file(audio_dir, row[3]),
            SPLIT: split,
            TAGS: tuple(row[5:]),
            "artist": row[1],
            "album": row[2],
        }
        for path, split in (tables if ending else {table: ""}).items()
        for row in _tracks(path)
    ]
    clips = pd.DataFrame(tracks)
    refuse_repeated(clips[ID], table, "track", _REMEDY)
    return tagged_audio(
        audio_dir,
        table,
        clips if ending else clips.drop(columns=SPLIT),
        options.tags,
        what="track",
        name=f"MTG-Jamendo ({name})",
        terms=f"{LICENCE}; cite {CITATION}",
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    return read_rows(path, _REMEDY, "\t", quoted=False)


def _tracks(path: Path) -> list[list[str]]:
    """The rows of a table: six cells or more, of which those from the sixth on are tags."""
    rows = list(_rows(path))
    if not rows or rows.pop(0)[1] != _HEADER:
        raise UserError(f"{path}: not one of MTG-Jamendo's tables; {_REMEDY}")
    for line, row in rows:
        if len(row) < len(_HEADER) or not all(row):
            raise UserError(f"{path}: line {line} is not complete; {_REMEDY}")
    return [row for _, row in rows]


def _file(audio_dir: Path, name: str) -> str:
    """A track's file in the folder, of whichever quality."""
    low = f"{name.removesuffix('.mp3')}.low.mp3"
    return low if (audio_dir / low).is_file() else name
