"""What an exported model answers to, in numbers, and what its outputs may be called; without TensorFlow."""

from collections.abc import Iterable

from pipelines.errors import UserError

WINDOW_SECONDS = 30.0  # longer audio is cut into pieces of this length
MIN_SECONDS = 0.5  # one beat at 120 BPM
MAX_SECONDS = 1200.0  # of one clip in a request; memory grows with it
SILENCE = 2.0**-16  # half the last bit of 16-bit audio; what never gets above it is silent

# Other outputs of an audio model; the windows of a target called starts would be window_starts. What has
# probabilities is taken for a genre model.
_RESERVED = (
    *("error", "note", "windows", "starts", "tempo", "beat_times", "beat_counts"),
    *("classes", "probabilities"),
)


def check_targets(targets: Iterable[str]) -> None:
    """Refuse affect targets that a served model has another output called like.

    Raises:
        UserError: Naming the first.
    """
    for name in targets:
        if name in _RESERVED or name.startswith("window_"):
            raise UserError(
                f"target {name!r}: a served model has another output of that name; rename the column"
            )
