"""Emotify: excerpts of a minute in four folders, and the emotions that players of a game felt.

A. Aljanaki, F. Wiering, R. C. Veltkamp: Studying emotion induced by music through a crowdsourcing game.
Information Processing and Management 52(1), 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.datasets.base import GENRE, ID
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, LabelTable, in_folder
from pipelines.datasets.tables import header_of, read_columns
from pipelines.datasets.targets import chosen_targets
from pipelines.errors import ArgumentError, UserError

LICENCE = "no licence stated, for research"
CITATION = (
    "A. Aljanaki, F. Wiering, R. C. Veltkamp: Studying emotion induced by music through a crowdsourcing "
    "game. Information Processing and Management 52(1), 2016"
)
# Of the Geneva Emotional Music Scales; each the share of a clip's listeners who chose it, from 0 to 1.
TARGETS = (
    *("amazement", "solemnity", "tenderness", "nostalgia", "calmness"),
    *("power", "joyful_activation", "tension", "sadness"),
)

_ID, _GENRE = "track id", "genre"
_IN_A_FOLDER = 100  # clips of a genre; ids go on from one to the next, names of files may begin again
_REMEDY = "take it from the data set's own page"

REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "only GTZAN's split is in lists",
    "tags": "Emotify has genres and affect alone",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by the header of the table."""
    return table is not None and {_ID, _GENRE, *TARGETS} <= set(header_of(table))


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read the genres and emotions of the clips that are in a folder of Emotify's audio.

    The table has a row for each time that somebody listened to a clip; a clip's emotion is the share of
    those rows that have it. An id is the clip's, `101`. There is no split, and no artist.

    Args:
        audio_dir: Holds the folders `classical`, `rock`, `electronic` and `pop`, each with `1.mp3` to
            `100.mp3`, or with files named after the ids.
        table: `data.csv`.
        options: The `targets` are by default all of `TARGETS`.

    Raises:
        UserError: If the table is missing or not Emotify's, or no clip of it is in the folder.
    """
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are in Emotify's data.csv; name it")
    targets = chosen_targets(options.targets, TARGETS)
    rows = read_columns(table, (_ID, _GENRE), TARGETS, _REMEDY)
    for line, identity in rows[_ID].items():
        if not identity.isdecimal():
            raise UserError(f"{table}: line {line} begins with {identity!r}, no id of a clip; {_REMEDY}")
    genres = rows.groupby(_ID)[_GENRE].nunique()
    if (genres > 1).any():
        raise UserError(f"{table}: clip {genres.idxmax()} has lines of two genres; {_REMEDY}")
    clips = rows.groupby(_ID, sort=False, as_index=False).agg(
        {_GENRE: "first", **dict.fromkeys(TARGETS, "mean")}
    )
    clips = clips.rename(columns={_ID: ID, _GENRE: GENRE})
    clips[FILE] = [_file(audio_dir, *clip) for clip in zip(clips[ID], clips[GENRE], strict=True)]
    there, notes = in_folder(audio_dir, table, clips, "clip")
    return LabelledAudio(
        audio_dir,
        LabelTable(there[[ID, FILE, GENRE, *targets]], targets, table),
        lacking=f"no line in {table}",
        name="Emotify",
        terms=f"{LICENCE}; cite {CITATION}",
        notes=(*notes, "the table names no artists: one may be on both sides of the split"),
    )


def _file(audio_dir: Path, identity: str, genre: str) -> str:
    """A clip's file, named after its id, or after its place in its folder."""
    by_id = f"{genre}/{identity}.mp3"
    place = (int(identity) - 1) % _IN_A_FOLDER + 1
    return by_id if (audio_dir / by_id).is_file() else f"{genre}/{place}.mp3"
