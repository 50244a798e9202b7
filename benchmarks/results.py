"""`results.json`, and the tables of it that README and site show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pair import Comparison
from benchmarks.row import Row, Statistic
from pipelines.files import write_atomically

Entry = dict[str, Any]
_BEGIN, _END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"


def entry(row: Row, comparison: Comparison) -> Entry:
    """A row as `results.json` has it."""
    notes = [row.note] if row.note else []
    if comparison.floor is not None:
        notes.append(f"the floor is at {comparison.floor:.2f}")
    wanted = row.wanted if row.at_most is None else round(comparison.theirs / row.at_most, 2)
    return {
        "name": _name(row, comparison.statistic),
        "rival": row.rival,
        "ratio": round(comparison.ratio, 3),
        "low": round(comparison.low, 3),
        "high": round(comparison.high, 3),
        "wanted": wanted,
        "ours": comparison.ours,
        "theirs": comparison.theirs,
        "unit": row.unit,
        "note": "; ".join(notes),
    }


def read(path: Path) -> list[Entry]:
    """The entries of an earlier call, or none."""
    if not path.is_file():
        return []
    entries: list[Entry] = json.loads(path.read_text(encoding="utf-8"))
    return entries


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Write `results.json`, whole or not at all."""
    write_atomically(path, (json.dumps(list(entries), indent=2, ensure_ascii=False) + "\n").encode())


def merged(before: Sequence[Entry], now: Sequence[Entry], order: Sequence[Row]) -> list[Entry]:
    """Entries of an earlier call, replaced by those of this one, in the table's order."""
    found = {(e["name"], e["rival"]): e for e in [*before, *now]}
    keys = [(_name(row, statistic), row.rival) for row in order for statistic in row.statistics]
    return [found[key] for key in keys if key in found]


def _name(row: Row, statistic: Statistic) -> str:
    return row.name if statistic == "median" else f"{row.name}, {statistic}"


def markdown(entries: Sequence[Entry], machine: Mapping[str, str], date: str, music: str) -> str:
    """The table, with the machine and the date under it."""
    lines = ["| what | against | theirs / ours | wanted | |", "|---|---|---|---|---|"]
    for e in entries:
        ratio = f"**{e['ratio']:.2f}** [{e['low']:.2f}, {e['high']:.2f}]"
        lines.append(f"| {e['name']} | {e['rival']} | {ratio} | {e['wanted']:g} | {e['note']} |")
    versions = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in _HARDWARE)
    hardware = f"{machine['cores']} cores of {machine['processor']}"
    lines += ["", f"Measured on {date}, on {hardware}, with {music}: {versions}."]
    return "\n".join(lines)


# What README shows of them, goals that are open among them.
IN_SHORT = (
    ("extraction, clip to fused + beat-fused file", "the reference recipe (librosa), a process a core"),
    ("train step, bidirectional LSTM 2 x 256, batch 32, 64 steps, 128 bands", "PyTorch"),
    ("decode + mel of a folder of mp3 and ogg, all cores", "torchaudio, a process a core"),
    ("audio file to answer, one process", "the reference recipe + Keras"),
    (
        "embed a folder with musicnn, all cores, 60 clips",
        "the musicnn package's extraction and network, a process a core",
    ),
    ("read fused .npy.gz, cold", "numpy + gzip, processes or threads, one a core"),
    ("start-up: first answer of predict", "`import tensorflow` alone"),
)


def in_short(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that README shows."""
    return [entry for entry in entries if (entry["name"], entry["rival"]) in IN_SHORT]


_HARDWARE = ("processor", "cores", "system")


def put_into(page: Path, table: str) -> None:
    """Replace what stands between a page's two marks.

    Raises:
        ValueError: If the page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(_BEGIN)
    _, mark, tail = rest.partition(_END)
    if not mark:
        raise ValueError(f"{page}: has no {_BEGIN} ... {_END}")
    write_atomically(page, f"{head}{_BEGIN}\n{table}\n{_END}{tail}".encode())
