"""What every command line of the package shares: errors in one line, quiet TensorFlow."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable

from pipelines.errors import ArgumentError, UserError

# What may be wrong with a place to write to, and what to do.
_PLACES = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EACCES: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENOTDIR: "choose a folder, not something inside a file",
    errno.EEXIST: "choose another folder",
    errno.EISDIR: "choose a file, not a folder",
}


def run(command: Callable[[], int]) -> int:
    """Run a command's body and turn what a user may cause into one line and an exit status.

    Args:
        command: Returns the exit status: 0, or 1 when some inputs failed.

    Returns:
        The exit status; 2 for a user's mistake, 130 after Ctrl-C.
    """
    try:
        return command()
    except ArgumentError as error:
        print(f"error: {error.in_words(f'--{error.argument}'.replace('_', '-'))}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if not is_about_a_place(error):
            raise
        where = error.filename or "the output folder"
        remedy = _PLACES[error.errno or 0]
        print(f"error: {where}: {(error.strerror or '').lower()}; {remedy}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def is_about_a_place(error: OSError) -> bool:
    """Whether a user can mend it by another place to write to: a full disk, say."""
    return error.errno is not None and error.errno in _PLACES


def import_tensorflow() -> None:
    """Import TensorFlow with its start-up messages kept off the screen.

    TensorFlow's C++ side writes to file descriptor 2 before Python can filter anything, so
    the descriptor is pointed at a temporary file during the import; should the import fail,
    what was written is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters comes as an exception
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden:
        screen = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
        except KeyboardInterrupt:
            raise
        except BaseException:
            hidden.seek(0)
            os.write(screen, hidden.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)
