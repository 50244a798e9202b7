"""FMA, the Free Music Archive data set: a folder of mp3 and the tables of `fma_metadata`.

M. Defferrard, K. Benzi, P. Vandergheynst, X. Bresson: FMA: a dataset for music analysis. ISMIR 2017.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.datasets.base import GENRE, ID, SPLIT, TAGS
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, LabelTable
from pipelines.datasets.tables import read_rows, read_table
from pipelines.datasets.tags import of_use
from pipelines.errors import ArgumentError, UserError
from pipelines.wording import counted

LICENCE = "metadata under CC BY 4.0, each clip under the licence its artist chose"
CITATION = (
    "M. Defferrard, K. Benzi, P. Vandergheynst, X. Bresson: FMA: a dataset for music analysis. ISMIR 2017"
)
SUBSETS = ("small", "medium", "large", "full")  # each holds those before it
TARGETS = ("valence", "energy", "danceability")
KNOWN_FAULTS: Mapping[str, str] = dict.fromkeys(
    ("099134", "108925", "133297"), "holds no audio in FMA's own clips"
)

_GENRE, _GENRES, _ARTIST = ("track", "genre_top"), ("track", "genres_all"), ("artist", "id")
_SPLIT, _SUBSET = ("set", "split"), ("set", "subset")
_AUDIO_FEATURES = ("echonest", "audio_features")
# A data set has no third part: fit takes its validation clips from train.
_SPLITS = {"training": "train", "validation": "train", "test": "test"}


REFUSES: Mapping[str, str] = {"split_lists": "only GTZAN's split is in lists"}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by the two-row header of `tracks.csv`."""
    try:
        return table is not None and _GENRE in _header(table, len(_GENRE))
    except UserError:
        return False


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read the labels of the clips that are in a folder of FMA's audio.

    The genre is `(track, genre_top)`. Affect values are those of `echonest.csv`, for the tracks
    that have them all, if that file lies beside `tracks.csv`. Tags are all genres of a track,
    `(track, genres_all)`, by their titles in `genres.csv`, if that lies there, too: half of FMA has those
    alone. The split is the official one, which
    keeps artists apart; its `training` and `validation` parts are both `train` here. The
    column `artist` has `(artist, id)`. An id is the file's name, `000002`.

    Tracks without audio in the folder and tracks without any label are left out, and counted in
    the notes.

    Args:
        audio_dir: Holds `000/000002.mp3` and so on, as FMA's archives unpack.
        table: FMA's `tracks.csv`.
        options: The `targets`, any of `echonest.csv`'s audio features, are by default `TARGETS`, if
            the file is there; the `tags` are by default all genres that some clips have and others
            have not, if `genres.csv` is there; the `subset`, one of `SUBSETS`, is by default the one
            that the folder is named after (`fma_small`), or `full`.

    Raises:
        UserError: If a file is missing or not FMA's, or no clip of the subset is there.
    """
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are in FMA's tracks.csv; name it")
    named = audio_dir.resolve().name.removeprefix("fma_")
    by_name = named if named in SUBSETS else SUBSETS[-1]
    chosen = by_name if options.subset is None else options.subset
    if chosen not in SUBSETS:
        raise ArgumentError("subset", chosen, f"FMA has no such subset; give one of {', '.join(SUBSETS)}")
    files = sorted(audio_dir.glob("[0-9][0-9][0-9]/" + "[0-9]" * 6 + ".mp3"))
    audio = {
        path.stem: f"{path.parent.name}/{path.name}" for path in files if path.stem[:3] == path.parent.name
    }
    listed = _read(table, [_GENRE, _GENRES, _ARTIST, _SPLIT, _SUBSET])
    _check_known(table, "subset", listed[_SUBSET], SUBSETS)
    listed = listed[listed[_SUBSET].isin(SUBSETS[: SUBSETS.index(chosen) + 1])]
    there = listed[listed.index.isin(audio)]
    if there.empty:
        raise UserError(
            f"{audio_dir}: no track of FMA's subset {chosen} is in it as 000/000002.mp3; give the folder "
            f"that fma_{chosen}.zip unpacks to"
        )
    notes = _count(len(listed) - len(there), f"of subset {chosen} not in {audio_dir}")
    values = _targets(table.with_name("echonest.csv"), there.index, options.targets)
    names = [str(name) for name in values]
    if not names and options.targets is None:
        notes += [f"no track has affect values of echonest.csv beside {table}: genres alone"]
    genres, known, told = _tags(table, there[_GENRES], options.tags)
    notes += told
    labelled = (there[_GENRE] != "") | values.notna().any(axis=1) | genres.notna()
    notes += _count(
        int((~labelled).sum()), f"with neither genre_top nor affect values{' nor tags' if known else ''}"
    )
    there, values, genres = there[labelled], values[labelled], genres[labelled]
    if there.empty:
        raise UserError(f"{table}: none of the tracks in {audio_dir} has a label; give another subset")
    clips = pd.DataFrame({ID: there.index, FILE: there.index.map(audio)})
    if there[_GENRE].any():
        clips[GENRE] = there[_GENRE].to_list()
    if known:
        clips[TAGS] = genres.to_numpy()
    _check_known(table, "split", there[_SPLIT], _SPLITS)
    clips[SPLIT] = [_SPLITS[split] for split in there[_SPLIT]]
    clips[names] = values.to_numpy()
    clips["artist"] = there[_ARTIST].to_list()
    return LabelledAudio(
        audio_dir,
        LabelTable(clips, tuple(names), table, tags=known),
        lacking=f"no label in {table} up to subset {chosen}",
        name=f"FMA {chosen}",
        terms=f"{LICENCE}; cite {CITATION}",
        notes=tuple(notes),
        known_faults=KNOWN_FAULTS,
    )


def _count(number: int, what: str) -> list[str]:
    return [f"left out: {counted(number, 'track')} {what}"] if number else []


def _check_known(tracks: Path, what: str, values: pd.Series[str], known: Collection[str]) -> None:
    unknown = values[~values.isin(list(known))]
    if len(unknown):
        raise UserError(
            f"{tracks}: track {int(unknown.index[0])} has the {what} {unknown.iloc[0]!r}, not one of "
            f"{', '.join(known)}; download fma_metadata.zip again"
        )


def _tags(
    tracks: Path, cells: pd.Series[str], chosen: Sequence[str] | None
) -> tuple[pd.Series, tuple[str, ...], list[str]]:
    """The genres of each track by title, None where it has none; which to learn; and notes on them."""
    file = tracks.with_name("genres.csv")
    nothing = pd.Series(None, cells.index, object)
    if not file.is_file() if chosen is None else not chosen:
        return nothing, (), []
    table, _ = read_table(file, "take it from fma_metadata.zip")
    if not {"genre_id", "title"} <= set(table):
        raise UserError(f"{file}: no columns genre_id and title; take it from fma_metadata.zip")
    # A title may be anything; what stands between tags may not.
    titles = {
        key: re.sub(r" *[;,|] *", " / ", title)
        for key, title in zip(table["genre_id"], table["title"], strict=True)
    }
    listed = cells.map(lambda cell: re.findall(r"\d+", cell))
    for track, keys in listed.items():
        if unknown := [key for key in keys if key not in titles]:
            raise UserError(
                f"{tracks}: track {int(str(track))} has the genre {unknown[0]}, which {file.name} has not"
            )
    tags = pd.Series(
        [tuple(dict.fromkeys(titles[key] for key in keys)) or None for keys in listed], cells.index, object
    )
    try:
        known, left_out = of_use(tracks, tags.to_frame(TAGS), list(chosen or ()))
    except UserError:
        if chosen:
            raise
        return nothing, (), []
    return tags, tuple(known), left_out


def _targets(path: Path, ids: pd.Index[str], targets: Sequence[str] | None) -> pd.DataFrame:
    """Affect values by id, all NaN where a track has none; no columns if no track has any."""
    none = pd.DataFrame(index=ids)
    names = list(dict.fromkeys(TARGETS if targets is None else targets))
    if not names or (targets is None and not path.is_file()):
        return none
    read = _read(path, [(*_AUDIO_FEATURES, name) for name in names])
    texts = read.set_axis(names, axis=1).reindex(ids, fill_value="")
    values = texts.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    for name in names:
        wrong = texts.index[(texts[name] != "") & ~np.isfinite(values[name])]
        if len(wrong):
            raise UserError(
                f"{path}: track {int(wrong[0])}, {name}: {texts.at[wrong[0], name]!r} is not a finite "
                f"number; download fma_metadata.zip again"
            )
    values[values.isna().any(axis=1)] = np.nan
    if values.notna().any(axis=None):
        return values
    if targets is not None:
        raise UserError(f"{path}: none of the tracks in the folder is in it; ask for no targets")
    return none


def _read(path: Path, columns: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """Some columns of one of FMA's tables, as text, by six-digit id.

    Below the header, which has as many rows as a column has names, is a row for the name of the
    index: `track_id` and nothing else. Columns that nobody needs here (biographies) are most of
    the file, and are not kept.
    """
    depth = len(columns[0])
    header = _header(path, depth)
    for column in columns:
        if column not in header:
            raise UserError(
                f"{path}: no column ({', '.join(column)}), so it is not FMA's table or does not offer that; "
                f"take {'tracks' if depth == 2 else 'echonest'}.csv from fma_metadata.zip"
            )
    at = [header.index(column) for column in columns]
    table: dict[str, list[str]] = {}
    for number, row in islice(read_rows(path, "download fma_metadata.zip again"), depth, None):
        if row[0] == "track_id":
            continue
        identity = row[0].zfill(6)
        if identity in table or not re.fullmatch("[0-9]{6}", identity):
            raise UserError(
                f"{path}: a row begins with {row[0]!r}, which is no track id or was there before; "
                f"download fma_metadata.zip again"
            )
        if len(row) != len(header):
            raise UserError(f"{path}: line {number} is not complete; download fma_metadata.zip again")
        table[identity] = [row[place] for place in at]
    texts = list(zip(*table.values(), strict=True)) or [()] * len(columns)
    return pd.DataFrame(dict(zip(columns, texts, strict=True)), index=pd.Index(list(table), name=ID))


def _header(path: Path, depth: int) -> list[tuple[str, ...]]:
    """The names of each column, from the outermost level to the innermost."""
    rows = [row for _, row in islice(read_rows(path, "take it from fma_metadata.zip"), depth)]
    return list(zip(*rows, strict=False))
