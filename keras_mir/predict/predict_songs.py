"""Many songs, from what a user names to what is printed and written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from keras_mir.command_line.progress import progress
from keras_mir.models.prediction import Prediction
from keras_mir.predict.choose import Chosen, choose_exported, choose_served
from keras_mir.predict.prediction_output import Form, printer, to_json
from keras_mir.predict.predictor import Predictor
from keras_mir.predict.songs import find_songs, result_name
from pipelines.errors import UserError
from pipelines.files import write_atomically
from pipelines.spec import FeatureSpec


@dataclass(frozen=True)
class PredictRequest:
    """What a user asks for.

    Attributes:
        songs: Audio files, and folders of them.
        model: Name or folder of an exported model; empty for the only one.
        models: The export root.
        server: Where the model is served; empty if it is on this machine.
        form: What to print.
        out: Folder for a JSON file a song; None for none.
        skip_existing: Leave out songs whose files are in `out`, by the same model.
        curve: Include the windows of every song.
        plot: Put a picture of every song into `out`.
    """

    songs: tuple[Path, ...]
    model: str = ""
    models: Path = Path("saved_models")
    server: str = ""
    form: Form = "table"
    out: Path | None = None
    skip_existing: bool = False
    curve: bool = False
    plot: bool = False


def predict_songs(request: PredictRequest) -> int:
    """Ask about all songs; print, and write, an answer as soon as it is there.

    Returns:
        0 if all songs were answered, 1 if some failed.

    Raises:
        UserError: If something is missing, options do not go together, or a server is gone.
    """
    for wanted, option in ((request.skip_existing, "--skip-existing"), (request.plot, "--plot")):
        if wanted and request.out is None:
            raise UserError(f"{option}: needs a folder with results; give it as --out")
    if request.out is not None and request.out.exists() and not request.out.is_dir():
        raise UserError(f"--out {request.out}: a file; give a folder")
    songs = find_songs(request.songs)
    if request.server:
        chosen = choose_served(request.model, request.server)
    else:
        chosen = choose_exported(request.model, request.models)
    waiting = [song for song in songs if not (request.skip_existing and _is_done(song, request, chosen))]
    errors = Console(stderr=True, highlight=False)
    answered = _answer_all(waiting, request, chosen, errors) if waiting else 0
    failed = len(waiting) - answered
    counts = {"answered": answered, "failed": failed, "already there": len(songs) - len(waiting)}
    errors.print(", ".join(f"{count} {what}" for what, count in counts.items() if count))
    return 1 if failed else 0


def _answer_all(songs: list[Path], request: PredictRequest, chosen: Chosen, errors: Console) -> int:
    """The number of songs with an answer."""
    answered = 0
    printed = printer(request.form, sys.stdout, chosen.name, request.curve)
    try:
        with chosen.open() as ask, Predictor(ask) as predictor, _bar(request.form, errors) as report:
            for outcome in predictor.predict_files(songs, report):
                if not isinstance(outcome, Prediction):
                    _complain(errors, outcome.reason)
                    continue
                try:
                    _write(outcome, request, chosen)
                except UserError as error:
                    _complain(errors, str(error))
                    continue
                printed.add(outcome)
                answered += 1
    finally:
        printed.close()
    return answered


def _bar(form: Form, errors: Console) -> AbstractContextManager[Callable[[int, int], None] | None]:
    if form != "table" and sys.stdout.isatty():
        return nullcontext()  # lines come where the bar would be, and show how far it is
    return progress("listening", errors)


def _complain(errors: Console, reason: str) -> None:
    errors.print(f"error: {reason}", markup=False, soft_wrap=True)


def _write(prediction: Prediction, request: PredictRequest, chosen: Chosen) -> None:
    """Write a song's files, JSON last: where it is, the others are."""
    if request.out is None or prediction.path is None:
        return
    result = request.out / result_name(prediction.path)
    if request.plot:
        _plot(prediction, prediction.path, chosen.spec, result.with_name(f"{result.name}.png"))
    text = to_json(prediction, chosen.name, request.curve)
    write_atomically(result.with_name(f"{result.name}.json"), f"{text}\n".encode())


def _plot(prediction: Prediction, song: Path, spec: FeatureSpec, picture: Path) -> None:
    from keras_mir.evaluate.figures import save
    from keras_mir.predict.mel_overview import mel_overview
    from keras_mir.predict.prediction_figure import prediction_figure

    mel, edges = mel_overview(song, prediction.duration, spec)
    save(prediction_figure(prediction, mel, edges, spec), picture)


def _is_done(song: Path, request: PredictRequest, chosen: Chosen) -> bool:
    if request.out is None:
        return False
    result = request.out / result_name(song)
    if request.plot and not result.with_name(f"{result.name}.png").is_file():
        return False
    try:
        before = json.loads(result.with_name(f"{result.name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    same = isinstance(before, dict) and before.get("model") == chosen.name
    return same and ("windows" in before or not request.curve)
