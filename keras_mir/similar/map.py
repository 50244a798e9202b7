"""A library drawn in two dimensions: one page without anything from elsewhere, where a dot is a song."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import numpy as np

from keras_mir.similar.library import Library
from pipelines.wording import clock

_MOST_BY_NEIGHBOURS = 5000  # songs; t-SNE of more takes minutes
_DIMENSIONS = 50  # that t-SNE is given: more is noise, and slow
_PERPLEXITY = 30.0
_GENRE = "genre"  # a column that users may add


def map_page(
    library: Library, folder: Path, rows: Sequence[int] | None = None, marked: Collection[int] = ()
) -> str:
    """The page, in HTML.

    Args:
        library: The songs.
        folder: Where the page will be: it links to the songs from there.
        rows: The songs that are drawn; all without.
        marked: Those that are marked, a song and what sounds like it.
    """
    songs = library.table.frame if rows is None else library.table.frame.iloc[list(rows)]
    points = _in_two_dimensions(library.directions if rows is None else library.directions[list(rows)])
    # One by one: pandas takes bytes for text in UTF-8.
    known = songs[_GENRE].astype(object).fillna("") if _GENRE in songs else [""] * len(songs)
    genres = [str(genre) for genre in known]
    names = sorted(set(genres))
    drawn = [
        {
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "name": Path(path).name,
            "link": _link(path, folder),
            "about": _about(seconds, tempo),
            "genre": names.index(genre),
            "marked": row in marked,
        }
        for row, (x, y), path, seconds, tempo, genre in zip(
            songs.index, points, songs["path"], songs["duration"], songs["tempo"], genres, strict=True
        )
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("map.html.j2")
    return page.render(songs=drawn, genres=names, model=str(library.table.maker))


def _in_two_dimensions(directions: np.ndarray) -> np.ndarray:
    """Points `(songs, 2)` from 0 to 1, neighbours near one another: by t-SNE, or PCA of very many."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    songs, size = directions.shape
    with np.errstate(all="ignore"):  # shares of a variance that a single song has none of
        reduced = PCA(min(_DIMENSIONS, songs, size), random_state=0).fit_transform(directions)
    points = np.zeros((songs, 2))
    points[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    if 3 < songs <= _MOST_BY_NEIGHBOURS:
        perplexity = min(_PERPLEXITY, (songs - 1) / 3)
        start = points / max(points[:, 0].std(), 1e-12) * 1e-4  # as scikit-learn's own, for two columns
        points = TSNE(perplexity=perplexity, init=start, random_state=0).fit_transform(reduced)
    spread = np.ptp(points, axis=0).max()
    return (points - points.min(axis=0)) / max(float(spread), 1e-12)


def _link(path: str, folder: Path) -> str:
    return quote(os.path.relpath(path, folder))


def _about(seconds: float, tempo: Any) -> str:
    return ", ".join([clock(seconds), *([f"{tempo:.0f} BPM"] if tempo and tempo > 0 else [])])
