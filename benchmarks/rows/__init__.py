"""The table's rows, one file for what belongs together."""

from __future__ import annotations

from benchmarks.row import Row
from benchmarks.rows import beats, reading

ROWS: tuple[Row, ...] = (*reading.ROWS, *beats.ROWS)
