"""Every pair, one command: `python -m benchmarks`.

Both sides of a row do the same work on the same input, in two processes that take turns; before
they are timed, it is checked that what they compute is the same. What is reported is the ratio,
theirs / ours, as a median over the rounds with its 95 % bootstrap interval: on a machine shared
with others, one time says little, a ratio of neighbours in time a lot.
"""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine, results
from benchmarks.inputs import Inputs
from benchmarks.pair import SideError, compare
from benchmarks.row import DifferenceError, Row
from benchmarks.rows import ROWS
from keras_mir.command_line.progress import progress
from pipelines.errors import UserError

_HERE = Path(__file__).parent
_README, _PAGE = _HERE.parent / "README.md", _HERE.parent / "docs" / "measurements.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows that were asked for; write and print the table.

    Returns:
        0 if all rows were measured, 1 if some failed or their sides differ, 2 for a user's mistake.
    """
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True, highlight=False, width=_width())
    try:
        rows = _choose(arguments.only)
        inputs = _inputs(arguments)
    except UserError as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return 2
    failed = 0
    now: list[results.Entry] = []
    for number, row in enumerate(rows, 1):
        console.print(f"[{number}/{len(rows)}] {row.name}, against {row.rival}", markup=False)
        rounds = min(row.rounds, 3) if arguments.quick else row.rounds
        try:
            row.inputs(inputs)
            with progress("rounds", console) as report:
                found = [results.entry(row, one) for one in compare(row, inputs, rounds, report)]
        except (SideError, DifferenceError) as error:
            failed += 1
            console.print(f"error: {error}", markup=False, soft_wrap=True)
            continue
        now += found
        results.write(arguments.out, results.merged(results.read(arguments.out), now, ROWS))
        _print(found, console)
    entries = results.merged(results.read(arguments.out), now, ROWS)
    _print(entries, Console(width=_width()))
    if arguments.docs:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        for page, shown in ((_README, results.in_short(entries)), (_PAGE, entries)):
            results.put_into(page, results.markdown(shown, machine.describe(), today, inputs.what))
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="rows whose names have one of these, by commas"
    )
    parser.add_argument("--quick", action="store_true", help="at most three rounds a row: a trial")
    parser.add_argument(
        "--audio", type=Path, metavar="DIR", help="real music with a labels.csv, instead of synthetic"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/benchmarks"), metavar="DIR", help="for inputs"
    )
    parser.add_argument(
        "--out", type=Path, default=_HERE / "results.json", metavar="FILE", help="%(default)s"
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help=f"put the table into {_PAGE.name}, some of its rows into README.md",
    )
    return parser


def _choose(only: str) -> list[Row]:
    words = [word.strip().lower() for word in only.split(",") if word.strip()]
    for word in words:
        if not any(word in row.name.lower() for row in ROWS):
            names = ", ".join(dict.fromkeys(row.name for row in ROWS))
            raise UserError(f"--only {word}: in no row's name; there are: {names}")
    return [row for row in ROWS if not words or any(word in row.name.lower() for word in words)]


def _inputs(arguments: argparse.Namespace) -> Inputs:
    audio = arguments.audio
    if audio is not None and not (audio / "labels.csv").is_file():
        raise UserError(f"--audio {audio}: no labels.csv there; give a folder of music with one")
    return Inputs(arguments.folder.resolve(), audio.resolve() if audio else None)


def _width() -> int:
    return max(shutil.get_terminal_size().columns, 140)  # the table needs it


def _print(entries: Sequence[results.Entry], console: Console) -> None:
    table = Table("what", "against", "ratio", "95 %", "wanted", "note")
    for e in entries:
        interval = f"{e['low']:.2f} to {e['high']:.2f}"
        table.add_row(e["name"], e["rival"], f"{e['ratio']:.2f}", interval, f"{e['wanted']:g}", e["note"])
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
