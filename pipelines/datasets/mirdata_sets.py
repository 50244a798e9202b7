"""Data sets that mirdata knows, by their names: https://mirdata.readthedocs.io.

Each has a loader of its own there; what its tracks have are attributes of one object each.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.datasets.base import GENRE, ID, TAGS
from pipelines.datasets.labels import FILE, LabelledAudio, LabelTable, in_folder
from pipelines.datasets.tags import of_use
from pipelines.datasets.targets import check_targets
from pipelines.errors import ArgumentError, UserError
from pipelines.wording import counted

# Attributes that are taken without being asked for.
AFFECT = ("valence", "arousal", "energy", "danceability")
_ARTIST = ("artist", "artist_name", "artist_id")


def load_mirdata(
    name: str,
    data_home: Path | None = None,
    *,
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> LabelledAudio:
    """Read the labels of one of mirdata's data sets, which is on the disk. Nothing is downloaded.

    A track's `genre` is its genre, or tags where it is a list; `tags` are tags; `artist` is one. An id is
    the track's, with `_` for slashes.

    Args:
        name: Name of the data set, such as `gtzan_genre`.
        data_home: Where it lies; None for where mirdata puts it.
        targets: Attributes of numbers that are learnt as affect, such as `loudness`; by default those of
            `AFFECT` that the tracks have.
        tags: Those to learn; by default all.

    Raises:
        UserError: If mirdata is not installed or has no such data set, this is not on the disk, or its
            tracks have no sound or no labels.
    """
    if importlib.util.find_spec("mirdata") is None:
        raise ArgumentError("mirdata", name, "needs mirdata; pip install 'keras-mir[mirdata]'")
    import mirdata

    if name not in mirdata.list_datasets():
        raise ArgumentError("mirdata", name, f"no such data set; it has {', '.join(mirdata.list_datasets())}")
    if data_home is not None and not data_home.is_dir():
        raise ArgumentError("data_home", data_home, "no such folder; give that of the data set")
    dataset = mirdata.initialize(name, data_home=None if data_home is None else str(data_home))
    folder = Path(dataset.data_home)
    try:
        tracks = dataset.load_tracks()
    except FileNotFoundError:
        command = f"python -c \"import mirdata; mirdata.initialize('{name}').download(['index'])\""
        raise ArgumentError(
            "mirdata", name, f"its index is not on this machine; get it with {command}"
        ) from None
    except (AttributeError, NotImplementedError):
        raise ArgumentError("mirdata", name, "a data set without tracks; choose another") from None
    table = pd.DataFrame(_rows(name, folder, tracks, AFFECT if targets is None else targets))
    there, notes = in_folder(folder, folder, table, "track")
    there = there.dropna(axis=1, how="all")
    known = _targets(name, there, targets)
    there.loc[there[list(known)].isna().any(axis=1), list(known)] = np.nan
    learnt, left_out = of_use(folder, there, list(tags or ())) if TAGS in there and tags != () else ([], [])
    labels = LabelTable(there.fillna({GENRE: "", "artist": ""}), known, folder, tags=tuple(learnt))
    labelled = labels.has_labels("genre") | labels.has_labels("affect") | labels.has_labels("tags")
    if not labelled.any():
        has = sorted(each for each in vars(next(iter(tracks.values()))) if not each.startswith("_"))
        problem = f"its tracks have no genre, tags or affect; choose targets among {', '.join(has)}"
        raise ArgumentError("mirdata", name, problem)
    if without := int((~labelled).sum()):
        notes = (*notes, f"left out: {counted(without, 'track')} without labels")
        labels = replace(labels, table=labels.table[labelled].reset_index(drop=True))
    licence = getattr(dataset, "_license_info", None) or "no licence stated"
    return LabelledAudio(
        folder,
        labels,
        lacking=f"no track in mirdata's {name}",
        name=name,
        terms=" ".join(f"{licence}; cite {dataset.bibtex or name}".split()),
        notes=(*notes, *left_out),
    )


def _rows(
    name: str, folder: Path, tracks: Mapping[str, Any], targets: Sequence[str]
) -> Iterator[dict[str, object]]:
    for identity, track in tracks.items():
        audio = getattr(track, "audio_path", None)
        if not audio:
            raise ArgumentError(
                "mirdata", name, f"its track {identity} has no sound (audio_path); choose another"
            )
        try:
            said = {each: getattr(track, each, None) for each in (GENRE, TAGS, *_ARTIST, *targets)}
        except OSError as error:
            what = f"labels of track {identity} are not there ({error.filename or error})"
            raise UserError(f"{folder}: {what}; get them with mirdata's download") from None
        genre, tags = said[GENRE], said[TAGS]
        if genre is not None and not isinstance(genre, str):  # several
            genre, tags = None, tags or genre
        row: dict[str, object] = {
            ID: identity.replace("/", "_").replace("\\", "_"),
            FILE: os.path.relpath(audio, folder),
            GENRE: genre,
            # A name may be anything; what stands between tags may not.
            TAGS: None if tags is None else tuple(re.sub(r" *[;,|] *", " / ", str(tag)) for tag in tags),
            "artist": next((str(said[each]) for each in _ARTIST if said[each]), None),
        }
        yield row | {each: _number(said[each]) for each in targets}


def _number(value: object) -> float:
    return float(value) if isinstance(value, Real) else np.nan


def _targets(name: str, table: pd.DataFrame, chosen: Sequence[str] | None) -> tuple[str, ...]:
    """The targets that there are; of those that were asked for, all."""
    for each in chosen or ():
        if each not in table:
            raise ArgumentError("targets", each, f"tracks of mirdata's {name} have no number of that name")
    found = [each for each in (AFFECT if chosen is None else dict.fromkeys(chosen)) if each in table]
    check_targets(found)
    return tuple(found)
