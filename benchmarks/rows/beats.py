"""Beat synchronisation in the pipeline."""

from __future__ import annotations

from benchmarks.row import DifferenceError, Results, Row, Side

CLIPS = 100


def _same_columns(ours: Results, theirs: Results) -> None:
    """Same number of columns on 95 % of the clips, and the same numbers in those."""
    same = [name for name, value in ours.items() if value.shape == theirs[name].shape]
    if len(same) < 0.95 * len(ours):
        raise DifferenceError(f"beats differ on {len(ours) - len(same)} of {len(ours)} clips")
    far = [name for name in same if abs(ours[name] - theirs[name]).max() > 1e-3]
    if far:
        raise DifferenceError(f"numbers differ in {far}")


ROWS = (
    Row(
        name="beat-sync in the pipeline",
        rival="librosa, numba-compiled, a process a core",
        wanted=3.0,
        ours=Side("benchmarks.ours.beat_sync", {"clips": CLIPS}),
        theirs=(Side("benchmarks.rivals.librosa_beat_sync", {"clips": CLIPS}),),
        check=_same_columns,
        rounds=15,
        note="from a spectrogram on disk to its beat-synchronous form; graph and processes are up and warm",
        inputs=lambda inputs: inputs.spectrograms(CLIPS),
    ),
)
