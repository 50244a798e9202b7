"""`results.json`, and the table that the README shows."""

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


_HARDWARE = ("processor", "cores", "system")


def put_into_readme(readme: Path, table: str) -> None:
    """Replace what stands between the README's two marks."""
    text = readme.read_text(encoding="utf-8")
    head, _, rest = text.partition(_BEGIN)
    _, mark, tail = rest.partition(_END)
    if not mark:
        raise ValueError(f"{readme}: has no {_BEGIN} ... {_END}")
    write_atomically(readme, f"{head}{_BEGIN}\n{table}\n{_END}{tail}".encode())
