"""Write a trained model in another format, once it answers there as it does in Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_mir.export.formats.format import CannotConvert, Format
from keras_mir.export.formats.frozen import operations, traced
from keras_mir.export.formats.litert import LITERT
from keras_mir.export.formats.onnx import ONNX, check_installed
from keras_mir.export.formats.rebuild import for_converting, for_serving
from keras_mir.export.model_card import model_card
from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.export.signatures import signatures
from keras_mir.export.verify import Batch, compare, expect, feature_batches, sound_batches
from keras_mir.models.folders import check_name
from keras_mir.models.session import SIGNATURE
from keras_mir.models.trained_model import TrainedModel, find_trained
from pipelines.errors import UserError
from pipelines.files import write_atomically

SOUND = ("waveform", "audio")
_FORMATS = {"litert": LITERT, "onnx": ONNX}
_OTHER_TIMES = (3, 33)  # steps, beside those that a SavedModel is checked with


@dataclass(frozen=True)
class ExportRequest:
    """What a user asks of `export`; see its `--help`."""

    model: str
    form: str
    signature: str
    name: str
    models: Path
    out: Path


def export(request: ExportRequest, console: Console) -> int:
    """Write the model in the format asked for.

    Returns:
        The exit status.

    Raises:
        UserError: If the model is not there, cannot be had in that format, or would not answer the same.
    """
    if request.form == "onnx":
        check_installed()
    if request.name:
        check_name(request.name)
    trained = find_trained(request.model, request.models)
    if request.name:
        trained = replace(trained, name=request.name)
    with console.status(f"exporting {trained.name}"):
        if request.form == "savedmodel":
            lines = [f"export  {_export_savedmodel(trained, request.out)}"]
        else:
            lines = list(_export_file(trained, _FORMATS[request.form], request.signature, request.out))
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    return 0


def _export_savedmodel(trained: TrainedModel, root: Path) -> Path:
    return export_savedmodel(
        trained.model,
        root,
        trained.name,
        description=trained.description,
        classes=trained.classes,
        rebuild=lambda: for_serving(trained.model),
        hears=trained.hears,
        card=lambda written: model_card(trained.name, trained.description, written),
    )


def _export_file(trained: TrainedModel, form: Format, signature: str, folder: Path) -> Iterator[str]:
    """Write one signature to a file; what to tell the user."""
    model = for_converting(trained.model)
    answers = trained.hears(model) if signature in SOUND else None
    function = traced(signatures(model, trained.classes, answers)[signature])
    if lacking := form.lacks(operations(function)):
        raise _refusal(form, signature, f"lacks {', '.join(sorted(lacking))}")
    part = "" if signature == SIGNATURE else f".{signature}"
    path = folder / f"{trained.name}{part}{form.suffix}"
    try:
        content = form.convert(function, trained.description)
        _check(path, content, form, trained, signature)
    except CannotConvert as error:
        raise _refusal(form, signature, str(error)) from None
    write_atomically(path, content)
    concrete = function.get_concrete_function()
    yield f"export  {path}"
    yield f"takes   {_listed({spec.name: spec for spec in function.input_signature})}"
    yield f"gives   {_listed(concrete.structured_outputs)}"


def _refusal(form: Format, signature: str, reason: str) -> UserError:
    remedy = (
        "convert serving_default, which takes features, or serve the SavedModel"
        if signature in SOUND
        else "serve the SavedModel"
    )
    return UserError(f"--signature {signature}: {form.label} {reason}; {remedy}")


def _check(path: Path, content: bytes, form: Format, trained: TrainedModel, signature: str) -> None:
    """Compare what the format's own runtime answers with the Keras model, as for a SavedModel.

    Raises:
        UserError: If it differs.
        CannotConvert: If the runtime does not run it.
    """
    answers = trained.hears(trained.model) if signature in SOUND else None
    checks = expect(_batches(trained, signature), trained.model, answers)
    for check, outputs in zip(checks, form.run(content, [check.feed for check in checks]), strict=True):
        compare(path, check, outputs)


def _batches(trained: TrainedModel, signature: str) -> Iterator[Batch]:
    batches = sound_batches() if signature in SOUND else feature_batches(trained.model)
    for batch in batches:
        if batch.signature != signature:
            continue
        yield batch
        if signature in SOUND or trained.model.input["features"].shape[1] is not None:
            continue
        # A runtime may take the first shape it sees for the only one.
        for time in _OTHER_TIMES:
            features, lengths = batch.feed["features"], batch.feed["lengths"]
            repeated = features.repeat(2, axis=1)[:, :time]
            yield replace(batch, feed={"features": repeated, "lengths": lengths.clip(max=time)})


def _listed(tensors: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} ({', '.join('any' if size is None else str(size) for size in tensor.shape)}) "
        f"{tensor.dtype.name}"
        for name, tensor in tensors.items()
    )
