"""From files to batches."""

from __future__ import annotations

from functools import partial

from benchmarks.machine import cores
from benchmarks.row import Row, Side, close

CLIPS = 100
BATCH_SIZE = 32
# So many epochs on end are timed that neither side's reading ahead counts for much.
_ALL_FRAMES = {"sync": "none", "batch_size": BATCH_SIZE, "epochs": 5}
_BY_BEAT = {"sync": "beat", "batch_size": BATCH_SIZE, "epochs": 40}


def _epoch(what: str, settings: dict[str, object]) -> Row:
    """An epoch of input, against the course's loader, without and with processes of its own."""
    return Row(
        name=f"an epoch of input from cache, {what}",
        rival="the course's in-memory DataLoader",
        wanted=2.0,
        ours=Side("benchmarks.ours.input_epoch", settings),
        theirs=tuple(
            Side("benchmarks.rivals.course_epoch", {**settings, "workers": n}) for n in (0, cores())
        ),
        check=partial(close, rtol=1e-5),
        inputs=lambda inputs: inputs.features(),
    )


def _input_of(recipe: str, epochs: int = 1, rounds: int = 5) -> Row:
    """What a recipe's training gains if its batches lie in memory instead; a round is so many epochs."""
    settings = {"recipe": recipe, "epochs": epochs, "rounds": rounds}
    return Row(
        name=f"training with its input, {recipe}",
        rival="the same steps on batches in memory",
        wanted=0.98,
        ours=Side("benchmarks.ours.recipe_epoch", {**settings, "batches_from": "pipeline"}),
        theirs=(Side("benchmarks.ours.recipe_epoch", {**settings, "batches_from": "memory"}),),
        check=partial(close, rtol=1e-3),
        rounds=rounds,
        note="wanted: input takes at most 2 %",
        inputs=lambda inputs: inputs.features(),
    )


ROWS = (
    Row(
        name="read fused .npy.gz, cold",
        rival="numpy + gzip, processes or threads, one a core",
        wanted=1.0,
        ours=Side("benchmarks.ours.read_fused", {"clips": CLIPS}),
        theirs=tuple(
            Side("benchmarks.rivals.gzip_reading", {"clips": CLIPS, "how": how})
            for how in ("processes", "threads")
        ),
        check=partial(close, rtol=0.0, atol=0.0),
        floor=Side("benchmarks.rivals.inflate_only", {"clips": CLIPS}),
        note="graph and processes are up; floor: zlib alone, a thread a core",
        inputs=lambda inputs: inputs.fused_files(CLIPS),
    ),
    Row(
        name="read fused .npy.gz, cold",
        rival="the course's loader",
        wanted=2.0,
        ours=Side("benchmarks.ours.read_fused", {"clips": CLIPS}),
        theirs=(Side("benchmarks.rivals.course_reading", {"clips": CLIPS}),),
        check=partial(close, rtol=0.0, atol=0.0),
        inputs=lambda inputs: inputs.fused_files(CLIPS),
    ),
    _epoch("all frames", _ALL_FRAMES),
    _epoch("by beat", _BY_BEAT),
    _input_of("lstm-beat-mel", epochs=4, rounds=15),
    _input_of("lstm-mel", epochs=4),
    _input_of("cnn", epochs=4),
)
