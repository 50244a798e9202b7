"""Names that are the same but for form: what a table calls a file, and what the disk calls it."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd


def folded(text: str) -> str:
    """The same for texts that differ only in Unicode form, case, invisible characters or kinds of blanks."""
    composed = unicodedata.normalize("NFC", text).casefold()
    visible = "".join(character for character in composed if unicodedata.category(character) != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def without_folders(name: str) -> str:
    """A file's name alone, whichever slashes stand before it."""
    return name.replace("\\", "/").rpartition("/")[2]


def one_spelling(names: pd.Series[str]) -> tuple[pd.Series[str], tuple[str, ...]]:
    """Names with the commonest spelling for those that differ only in form, or in where they have blanks.

    Returns:
        The names, and a sentence for each that is another now.
    """
    counts, common = Counter(names), dict[str, str]()
    for name, _ in counts.most_common():
        common.setdefault(folded(name).replace(" ", ""), name)
    into = {name: common[folded(name).replace(" ", "")] for name in counts}
    notes = (
        f"{name!r} is taken for {to!r}, from which it differs in case or blanks alone"
        for name, to in sorted(into.items())
        if name != to
    )
    return names.map(into), tuple(notes)


def spellings(ids: Iterable[str]) -> dict[str, str]:
    """Ids by what they may be called: as they are, or `folded`."""
    known = list(ids)
    return {folded(identity): identity for identity in known} | dict(zip(known, known, strict=True))


def id_of(name: str, ids: Mapping[str, str]) -> str | None:
    """The longest of the ids that `spellings` gave that a file's name is, or begins with up to a dot."""
    for spelling in (name, folded(name)):
        while spelling:
            if spelling in ids:
                return ids[spelling]
            spelling = spelling.rpartition(".")[0]
    return None


class Files:
    """Files, found by what tables call them.

    Args:
        paths: All there are.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_place: dict[str, list[Path]] = {}
        self._by_name: dict[str, list[Path]] = {}
        for path in paths:
            self._by_place.setdefault(folded(os.path.realpath(path)), []).append(path)
            for name in {folded(path.name), folded(path.stem)}:
                self._by_name.setdefault(name, []).append(path)

    def at(self, name: str, folders: Sequence[Path]) -> list[Path]:
        """The one at a place in a folder as it is written, else all that may be meant."""
        for folder in folders:
            for written in (name, name.replace("\\", "/")):
                place = os.path.realpath(folder / written)
                if found := self._by_place.get(folded(place)):
                    return [path for path in found if os.path.realpath(path) == place][:1] or found
        return []

    def called(self, name: str) -> list[Path]:
        """Those of a name, with or without suffix, as it is written, else all that may be meant."""
        name = without_folders(name)
        found = self._by_name.get(folded(name), [])
        return [path for path in found if name in (path.name, path.stem)] or found
