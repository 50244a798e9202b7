"""What the commands make of one song, for a process that does nothing else, and may die of it."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import UserError
from pipelines.extraction.dataset import Clip, Made, extract_clip
from pipelines.extraction.features import Extraction, compile_functions, extract
from pipelines.files import locked
from pipelines.limits import TOO_LONG
from pipelines.spec import FeatureSpec

if TYPE_CHECKING:
    from keras_mir.predict.prediction import Prediction
    from keras_mir.predict.predictor import Predictor

_OPEN = ExitStack()  # models, as long as the process lives


def features_of(song: Path, spec: FeatureSpec) -> Extraction | str:
    """A song's features, or the reason why it has none."""
    _compile(spec)
    try:
        return extract(song, spec)
    except UserError as error:
        return str(error)
    except MemoryError:
        return f"{song}: {TOO_LONG}"


def files_of(clip: Clip, spec: FeatureSpec) -> Made | str | OSError:
    """Write a clip's files, as `extract_clip`."""
    _compile(spec)
    return extract_clip(clip, spec)


def prediction_of(song: Path, model: str, models: Path) -> Prediction | str:
    """What a model says of a song, or the reason why it says nothing."""
    try:
        return _predictor(model, models).predict_file(song)
    except UserError as error:
        return str(error)


@lru_cache(maxsize=1)
def _compile(spec: FeatureSpec) -> None:
    # Of several processes of a machine that begin at a time, one compiles, and the others find it done.
    with locked(Path(tempfile.gettempdir()) / f"keras_mir-compiles-{os.getuid()}", lambda _: None):
        compile_functions(spec)


@lru_cache(maxsize=1)
def _predictor(model: str, models: Path) -> Predictor:
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}  # its share of the cores
    from keras_mir.predict.models import choose_local
    from keras_mir.predict.predictor import Predictor

    return Predictor(_OPEN.enter_context(choose_local(model, models).open()))
