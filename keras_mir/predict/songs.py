"""The songs a user means, and what the files with their answers are called."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import UserError
from pipelines.extraction.audio_files import AUDIO_SUFFIXES, audio_files


def find_songs(given: Sequence[Path]) -> list[Path]:
    """Files, and the audio files in folders at any depth, each once, in order.

    Raises:
        UserError: If something is not there, or a folder has no audio files.
    """
    songs: dict[Path, Path] = {}
    for path in given:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give audio files, or folders of them")
        found = audio_files(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path}: no audio file in it ({', '.join(AUDIO_SUFFIXES)}); give another folder")
        for song in found:
            songs.setdefault(song.resolve(), song)
    return list(songs.values())


def result_name(song: Path) -> str:
    """What a song's results are called, without suffix: its name, and a hash of where it is.

    Songs of one name in two folders get two names, and a song gets the same again however it is given.
    """
    place = hashlib.sha256(str(song.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{song.name}-{place[:10]}"
