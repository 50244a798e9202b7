"""How loud the clips of a data set are, which spectrograms in dB below a clip's loudest bin do not say."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.files import write_atomically

LEVELS = "levels.jsonl"  # of a prepared data set


class Levels(dict[str, float]):
    """The power of each clip's loudest mel bin, in dB, by id, as a list says that is kept in a file.

    Args:
        path: The list, a JSON object a line; lines of it that are damaged count for nothing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        if path.is_file():
            for line in path.read_text("utf-8", "replace").splitlines():
                try:
                    values = json.loads(line)
                    self[values["id"]] = float(values["level"])
                except (ValueError, TypeError, KeyError):
                    continue

    def append(self, identity: str, level: float) -> None:
        """Add a clip, in the list too."""
        self[identity] = level
        with self.path.open("ab") as file:
            file.write(_line(identity, level))

    def write(self) -> None:
        """Write the list anew."""
        write_atomically(self.path, b"".join(_line(*each) for each in sorted(self.items())))


def _line(identity: str, level: float) -> bytes:
    return f"{json.dumps({'id': identity, 'level': round(level, 3)})}\n".encode()
