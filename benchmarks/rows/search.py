"""Songs that sound alike, among very many."""

from __future__ import annotations

from benchmarks.row import Row, Side, close

_SONGS = {"count": 1_000_000, "size": 200}


def _row(rival: str, module: str) -> Row:
    return Row(
        name="similar, one query in 1,000,000 x 200",
        rival=rival,
        wanted=1.0,
        ours=Side("benchmarks.ours.nearest", _SONGS),
        theirs=(Side(module, _SONGS),),
        check=close,
        rounds=15,
        note="exact",
    )


ROWS = (
    _row("faiss, flat index", "benchmarks.rivals.faiss_nearest"),
    _row("usearch, exact search", "benchmarks.rivals.usearch_nearest"),
)
