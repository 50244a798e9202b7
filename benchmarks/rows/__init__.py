"""The table's rows, one file for what belongs together."""

from __future__ import annotations

from benchmarks.row import Row
from benchmarks.rows import (
    answers,
    beats,
    cnn,
    embedding,
    export,
    extraction,
    heads,
    lstm,
    mel,
    reading,
    search,
    start_up,
    whole_fit,
)

ROWS: tuple[Row, ...] = (
    *reading.ROWS,
    *beats.ROWS,
    *lstm.ROWS,
    *cnn.ROWS,
    *mel.ROWS,
    *extraction.ROWS,
    *answers.ROWS,
    *start_up.ROWS,
    *whole_fit.ROWS,
    *heads.ROWS,
    *export.ROWS,
    *embedding.ROWS,
    *search.ROWS,
)
