"""MagnaTagATune: sixteen folders of mp3 and the tags that players of a game gave them.

E. Law, K. West, M. Mandel, M. Bay, J. S. Downie: Evaluation of algorithms using games: the case of music
tagging. ISMIR 2009.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import ID, SPLIT, TAGS
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, tagged_audio
from pipelines.datasets.tables import read_rows
from pipelines.datasets.tags import counts_of
from pipelines.errors import ArgumentError, UserError

LICENCE = "CC BY-NC-SA 3.0, the music by the label Magnatune"
CITATION = (
    "E. Law, K. West, M. Mandel, M. Bay, J. S. Downie: Evaluation of algorithms using games: the case of "
    "music tagging. ISMIR 2009"
)
MOST = 50  # tags that are usually learnt, those that most clips have
KNOWN_FAULTS: Mapping[str, str] = dict.fromkeys(
    ("35644", "55753", "57881"), "without a sound in the set's own archive"
)
CLIP_INFO = "clip_info_final.csv"

_ID, _PATH = "clip_id", "mp3_path"
# The usual split, by the first letter of a clip's path: thirteen folders to train and choose by, three to
# test on. A data set has no third part: fit takes its validation clips from train.
_TEST = "def"
_REMEDY = "take it from the data set's own page"

REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "MagnaTagATune's usual split is by folders",
    "targets": "MagnaTagATune has tags alone",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by the header of `annotations_final.csv`."""
    try:
        return table is not None and _is_header(next(_rows(table), (1, []))[1])
    except UserError:
        return False


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read the tags of the clips that are in a folder of MagnaTagATune's audio.

    The split is the usual one: folders `0` to `c` are `train` (`c` is where others choose the epoch), `d` to
    `f` are `test`. An id is the clip's. Where `clip_info_final.csv` lies beside the table, the column
    `artist` has its artists.

    Args:
        audio_dir: Holds the folders `0` to `f`.
        table: `annotations_final.csv`.
        options: The `tags` are by default the 50 that most clips have.

    Raises:
        UserError: If the table is missing or not MagnaTagATune's, or no clip of it is in the folder.
    """
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are in annotations_final.csv; name it")
    clips = pd.DataFrame(_clips(table))
    if (artists := _artists(table.with_name(CLIP_INFO))) is not None:
        clips["artist"] = clips[ID].map(artists).fillna("")
    notes = []
    if options.tags is None:
        # Of a part of the set, those that tell nothing are left out, not refused.
        counts = counts_of(clips[TAGS])
        wanted = set(counts.sort_values(ascending=False, kind="stable").index[:MOST])
        clips[TAGS] = [tuple(name for name in tags if name in wanted) for tags in clips[TAGS]]
        if len(counts) > MOST:
            notes.append(f"the {MOST} tags that most clips have, of {len(counts)}")
    return tagged_audio(
        audio_dir,
        table,
        clips,
        options.tags,
        what="clip",
        name="MagnaTagATune",
        terms=f"{LICENCE}; cite {CITATION}",
        notes=notes,
        known_faults=KNOWN_FAULTS,
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    return read_rows(path, _REMEDY, "\t")


def _is_header(cells: list[str]) -> bool:
    return len(cells) > 2 and (cells[0], cells[-1]) == (_ID, _PATH)


def _clips(path: Path) -> Iterator[dict[str, object]]:
    rows = _rows(path)
    _, (_, *names) = next(rows, (1, [""]))
    if not _is_header([_ID, *names]):
        raise UserError(f"{path}: not MagnaTagATune's annotations_final.csv; {_REMEDY}")
    seen = set[str]()
    for line, cells in rows:
        identity, *flags = cells
        if len(flags) != len(names) or set(flags[:-1]) - {"0", "1"} or identity in seen:
            problem = "has a clip that was there before" if identity in seen else "is not complete"
            raise UserError(f"{path}: line {line} {problem}; {_REMEDY}")
        seen.add(identity)
        tags = tuple(name for name, flag in zip(names[:-1], flags, strict=False) if flag == "1")
        yield {
            ID: identity,
            FILE: flags[-1],
            SPLIT: "test" if flags[-1][:1] in _TEST else "train",
            TAGS: tags,
        }


def _artists(path: Path) -> dict[str, str] | None:
    """Artists by clip; None without the file."""
    if not path.is_file():
        return None
    rows = _rows(path)
    _, header = next(rows, (1, []))
    if not {_ID, "artist"} <= set(header):
        raise UserError(f"{path}: no columns {_ID} and artist; {_REMEDY}")
    at, artist = header.index(_ID), header.index("artist")
    return {cells[at]: cells[artist] for _, cells in rows if len(cells) > max(at, artist)}
