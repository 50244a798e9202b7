"""Playlists as M3U8 files, which all players read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def m3u8(songs: Iterable[tuple[str, float]], folder: Path | None = None) -> str:
    """A playlist.

    Args:
        songs: Path and seconds of each.
        folder: Where the playlist will be, so that it can be moved along with the music; None for absolute
            paths.
    """
    lines = ["#EXTM3U"]
    for path, seconds in songs:
        name = Path(path).stem
        lines.append(f"#EXTINF:{round(seconds)},{name if name.isprintable() else ascii(name)}")
        lines.append(_line(path, folder))
    return "\n".join(lines) + "\n"


def _line(path: str, folder: Path | None) -> str:
    if not path.isprintable():  # a line's end, for one
        return Path(path).as_uri()
    if folder is None:
        return path
    relative = os.path.relpath(path, folder)
    return f"./{relative}" if relative.startswith("#") else relative
