"""What sounds like a song as people and programs read it: a table, JSON, CSV, a playlist, a map."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_mir.command_line.lines import printable
from keras_mir.embed.table import key
from keras_mir.similar.map import map_page
from keras_mir.similar.playlist import m3u8
from keras_mir.similar.similar import Similar
from pipelines.errors import ArgumentError
from pipelines.files import write_atomically
from pipelines.places import check_file
from pipelines.wording import clock

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["table", "json", "csv"]
_DIGITS = 4  # of a similarity


def print_similar(
    song: Path | None,
    vectors: Path,
    *,
    top: int = 10,
    where: str = "",
    form: Form = "table",
    playlist: int = 0,
    out: Path | None = None,
    map: Path | None = None,
    models: Path = Path("saved_models"),
) -> None:
    """Print what sounds like a song; write a playlist, or a map.

    Args:
        song: The song; None for a map alone.
        vectors: The table.
        top: How many songs.
        where: Which songs of the table count.
        form: What to print.
        playlist: Songs of a playlist that goes on from the song, in place of `top`; 0 for none.
        out: The playlist's file; None to print it.
        map: The map's file; None for none.
        models: The export root.

    Raises:
        UserError: If something is missing, or arguments do not go together.
    """
    if song is None and map is None:
        raise ArgumentError("song", None, "name one; or give map alone, for a map of the library")
    if out is not None and not playlist:
        raise ArgumentError("out", out, "only a playlist is written there; give playlist")
    if playlist and song is None:
        raise ArgumentError("playlist", playlist, "goes on from a song; name one")
    for argument, file in (("out", out), ("map", map)):
        if file is not None:
            check_file(argument, file)
    finder = Similar(vectors, where=where, models=models)
    marked: set[int] = set()
    if song is not None:
        vector, own = finder.vector(song)
        near = finder.walk(vector, own, playlist) if playlist else finder.nearest(vector, own, top)
        marked = own | {one.row for one in near}
        found = finder.described(near)
        if not playlist:
            _print(found, form)
        elif out is None:
            if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
                sys.stdout.reconfigure(encoding="utf-8")  # as all M3U8
            print(_playlist(song, finder, found, out), end="")
        else:
            write_atomically(out, _playlist(song, finder, found, out).encode())
            print(f"playlist  {out}", file=sys.stderr)
    if map is not None:
        page = map_page(finder.library, map.parent, finder.rows, marked)
        write_atomically(map, page.encode())
        print(f"map  {map}", file=sys.stderr)


def _print(found: pd.DataFrame, form: Form) -> None:
    found = found.assign(similarity=found["similarity"].round(_DIGITS))
    if form == "csv":
        found.to_csv(sys.stdout, index=False, lineterminator="\n")
    elif form == "json":
        plain = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
        for row in found.astype(object).where(found.notna(), None).to_dict("records"):
            print(json.dumps(row, ensure_ascii=plain, default=str))
    elif len(found):
        _print_table(found)


def _print_table(found: pd.DataFrame) -> None:
    folder = Path(os.path.commonpath([Path(path).parent for path in found["path"]]))
    shown = {
        "song": [printable(str(Path(path).relative_to(folder))) for path in found["path"]],
        "similarity": [f"{value:.3f}" for value in found["similarity"]],
        "length": [clock(value) for value in found["duration"]],
    }
    if found["tempo"].notna().any():  # else the model tracks no beats
        shown["BPM"] = [f"{value:.0f}" if value > 0 else "none" for value in found["tempo"]]
    table = Table()
    for heading in shown:
        is_name = heading == "song"
        table.add_column(
            heading, overflow="fold", justify="left" if is_name else "right", no_wrap=not is_name
        )
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, row))
    console = Console()
    console.print(Text(printable(str(folder)), style="bold"), soft_wrap=True)
    console.print(table)


def _playlist(song: Path, finder: Similar, found: pd.DataFrame, out: Path | None) -> str:
    """The song itself first, then those that go on from it."""
    known = finder.library.table.frame
    (length,) = known["duration"][finder.library.table.rows_of(song)].tolist() or [-1.0]  # not known
    songs = [(key(song), length), *zip(found["path"], found["duration"], strict=True)]
    return m3u8(songs, None if out is None else Path(os.path.abspath(out)).parent)  # noqa: PTH100 (as `key`)
