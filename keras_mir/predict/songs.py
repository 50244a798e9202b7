"""Many songs, from what a user names to what is printed and written."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter, deque
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_mir.command_line.lines import printable, say, tally
from keras_mir.command_line.progress import progress
from keras_mir.predict.file_tags import FileTags, take_back
from keras_mir.predict.models import ChosenModel, choose_local, choose_served
from keras_mir.predict.output import Form, print_predictions, to_json
from keras_mir.predict.prediction import Failure, Prediction
from keras_mir.predict.predictor import Predictor, find_songs
from pipelines.errors import ArgumentError, UserError
from pipelines.files import write_atomically
from pipelines.places import check_folder
from pipelines.wording import path_text

_MOST_BYTES = 200  # of a song's name in that of its results; systems allow 255 in all
_MOST_NAMES = 5  # of files that are not audio


def predict_songs(
    songs: Sequence[Path],
    *,
    model: str = "",
    models: Path = Path("saved_models"),
    server: str = "",
    form: Form = "table",
    out: Path | None = None,
    skip_existing: bool = False,
    curve: bool = False,
    plot: bool = False,
    tags: FileTags | None = None,
) -> int:
    """Predict all songs; print, and write, an answer as soon as it is there.

    Args:
        songs: Audio files, and folders of them.
        model: Name or folder of an exported model; empty for the only one.
        models: The export root.
        server: Where the model is served; empty if it is on this machine.
        form: What to print.
        out: Folder for a JSON file per song; None for none.
        skip_existing: Leave out songs whose files are in `out`, by the same model.
        curve: Include the windows of every song.
        plot: Put a picture of every song into `out`.
        tags: Writes answers into the songs. What it writes, or would, is printed, and not the answers;
            songs for which there is nothing to write are not asked about.

    Returns:
        0 if all songs were answered, 1 if some failed.

    Raises:
        UserError: If something is missing, arguments do not go together, or a server is gone.
    """
    for argument, wanted in (("skip_existing", skip_existing), ("plot", plot)):
        if wanted and out is None:
            raise ArgumentError(argument, None, "needs a folder with results; name one with out")
    if tags is not None and form != "table":
        raise ArgumentError("write_tags", None, f"prints what it writes; leave out {form}")
    if out is not None:
        check_folder("out", out)
    found, others = find_songs(songs)
    chosen = choose_served(model, server) if server else choose_local(model, models)
    results = _Results(out, chosen, curve, plot) if out is not None else None
    waiting = [song for song in found if not (skip_existing and results and results.has(song))]
    counts = Counter({"answered": 0, "failed": 0, "already there": len(found) - len(waiting)})
    errors = Console(stderr=True)
    # Lines come where the bar would be, and show how far it is.
    lines = form != "table" and sys.stdout.isatty()
    bar: AbstractContextManager[Any] = nullcontext() if lines else progress("predicting", errors)

    def fail(reason: object) -> None:
        say(errors, f"error: {reason}")
        counts["failed"] += 1

    def unfilled(tags: FileTags) -> Generator[Path, None, None]:
        with progress("reading tags", errors) as report:
            for number, song in enumerate(waiting, 1):
                try:
                    if tags.wants(song):
                        yield song
                    else:
                        counts["have all tags"] += 1
                except UserError as error:
                    fail(error)
                report(number, len(waiting))

    def answered() -> Generator[Prediction, None, None]:
        """The answers, which are written before they are given; for a song without one, an error line."""
        with chosen.open() as answer_wav, Predictor(answer_wav) as predictor, bar as report:
            for song, outcome in zip(waiting, predictor.predict_files(waiting, report), strict=True):
                if tags is not None and isinstance(outcome, Prediction):
                    tags.check(outcome)
                try:
                    if not isinstance(outcome, Prediction):
                        raise UserError(outcome.reason)
                    if results is not None:
                        results.write(song, outcome)
                    if tags is not None:
                        change = tags.write(song, outcome)
                        counts["to be changed" if tags.journal is None else "changed"] += bool(change.written)
                        print(printable(f"{path_text(song)}: {change}"))
                except UserError as error:
                    fail(error)
                    continue
                if outcome.note and form != "table" and not counts["answered"]:
                    say(errors, f"note: {outcome.note}")
                counts["answered"] += 1
                yield outcome

    if others:
        say(errors, f"note: {left_out(others)}")
    if tags is not None:
        waiting = list(unfilled(tags))
    try:
        if waiting:
            with closing(answered()) as answers:
                if tags is None:
                    print_predictions(answers, form, sys.stdout, chosen.name, curve)
                else:
                    deque(answers, maxlen=0)
        say(errors, tally(counts))
    finally:
        if counts["changed"] and tags is not None:  # also by a run that is stopped
            say(errors, f"to take it back: python -m keras_mir.predict --undo {tags.journal}")
    if counts["to be changed"]:
        say(errors, "nothing was written; --yes writes it")
    return 1 if counts["failed"] else 0


def undo(journal: Path) -> int:
    """Make songs as they were before what a journal says was written into them.

    Args:
        journal: As `FileTags` wrote it.

    Returns:
        0 if all are, 1 if some are not; those are named.

    Raises:
        UserError: If it is no journal.
    """
    errors = Console(stderr=True)
    counts = Counter({"as they were": 0, "failed": 0})
    for outcome in take_back(journal):
        if isinstance(outcome, Failure):
            say(errors, f"error: {outcome.reason}")
        counts["failed" if isinstance(outcome, Failure) else "as they were"] += 1
    say(errors, tally(counts) or "nothing to undo")
    return 1 if counts["failed"] else 0


@dataclass(frozen=True)
class _Results:
    """The files of each song in a folder; the attributes are `predict_songs`'s arguments."""

    out: Path
    model: ChosenModel
    curve: bool
    plot: bool

    def has(self, song: Path) -> bool:
        """Whether what is there is all that is asked for, by the same model."""
        if self.plot and not self._file(song, "png").is_file():
            return False
        try:
            before = json.loads(self._file(song, "json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        same = isinstance(before, dict) and before.get("model") == self.model.name
        return same and ("windows" in before or not self.curve)

    def write(self, song: Path, prediction: Prediction) -> None:
        """Write a song's files, JSON last: where it is, the others are."""
        if self.plot:
            from keras_mir.predict.figure import mel_overview, prediction_figure
            from pipelines.figures import save

            spec = self.model.spec
            mel, edges = mel_overview(song, prediction.duration, spec)
            save(prediction_figure(prediction, mel, edges, spec), self._file(song, "png"))
        text = to_json(prediction, self.model.name, self.curve)
        write_atomically(self._file(song, "json"), f"{text}\n".encode())

    def _file(self, song: Path, kind: str) -> Path:
        return self.out / f"{result_name(song)}.{kind}"


def left_out(others: Sequence[Path]) -> str:
    """What to say of the files in folders that are no songs."""
    names = ", ".join(path_text(path) for path in others[:_MOST_NAMES])
    more = f" and {len(others) - _MOST_NAMES} more" if len(others) > _MOST_NAMES else ""
    return f"skipped, hidden or not audio: {names}{more}"


def result_name(song: Path) -> str:
    """What a song's results are called, without suffix: its name, and a hash of where it is.

    Songs of one name in two folders get two names, and a song gets the same again however it is given.
    """
    place = hashlib.sha256(os.fsencode(os.path.realpath(song))).hexdigest()
    encoded = os.fsencode(song.name)
    name = song.name if len(encoded) <= _MOST_BYTES else encoded[:_MOST_BYTES].decode("utf-8", "ignore")
    return f"{name}-{place[:10]}"
