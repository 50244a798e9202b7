"""From a Keras model to a folder that TF Serving can serve."""

from __future__ import annotations

import errno
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_mir.export.export import Written
from keras_mir.export.graph import check_graph, read_signatures
from keras_mir.export.model_card import MODEL_CARD, card_of
from keras_mir.export.signatures import description_signature, signatures
from keras_mir.export.verify import FreshProcess, verify
from keras_mir.export.warmup import write_warmup
from keras_mir.models.audio_model import AudioModel
from keras_mir.models.folders import (
    DESCRIPTION,
    KERAS_MODEL,
    check_name,
    note_checksums,
    served_files,
    versions,
)
from keras_mir.models.rebuild import for_serving
from keras_mir.models.servable import ServableModel
from keras_mir.models.session import quiet
from pipelines.errors import ArgumentError, UserError
from pipelines.files import flush_to_disk, locked
from pipelines.spec import Spec


def write(model: ServableModel, folder: Path, name: str, signature: str, quantization: str) -> Written:
    """Write the next version of a model; see `export_savedmodel`.

    Raises:
        ArgumentError: If one signature is asked for, or quantized weights.
    """
    if signature:
        raise ArgumentError("signature", signature, "a SavedModel has all signatures; leave it out")
    if quantization:
        raise ArgumentError("quantization", quantization, "a SavedModel has float32 weights; leave it out")
    path = export_savedmodel(
        model.keras,
        folder,
        name,
        description=model.description.to_dict(),
        names=model.names,
        spec=model.description.feature_spec,
        thresholds=model.thresholds,
        rebuild=lambda: for_serving(model.keras),
        audio_model=model.audio_model if model.description.feature_spec.sample_rate else None,
        card=partial(card_of, name, model.description),
    )
    return Written(path)


def export_savedmodel(
    model: keras.Model,
    root: Path,
    name: str,
    *,
    description: dict[str, Any],
    names: Mapping[str, Sequence[str]],
    spec: Spec,
    thresholds: Sequence[float] = (),
    rebuild: Callable[[], keras.Model] | None = None,
    audio_model: Callable[[keras.Model], AudioModel] | None = None,
    card: Callable[[Mapping[str, Any]], str] | None = None,
) -> Path:
    """Write `root/name/<version>/`, checked and at once.

    TF Serving polls that folder, so the model is written to a hidden folder beside it,
    checked there, and renamed; a model that fails a check leaves nothing.

    The signature `serving_default` takes `features` `(batch, time, bands)` float32 and
    `lengths` `(batch,)` int32. A model of genres gives `probabilities` `(batch, n_classes)`
    float32, `classes` `(batch, n_classes)` their names, and `genre` `(batch,)` the likeliest
    name; one of tags gives `tag_probabilities` `(batch, n_tags)`, `tags` their names and
    `tag_thresholds`; one of affect gives each target `(batch,)` float32. `embedding` takes the same and
    gives `embedding` `(batch, size)`. With `audio_model`, `waveform` takes `waveform` `(batch, samples)`
    float32, `lengths` and `rate` `(batch,)` int32, and `audio` takes `audio` `(batch,)` string, WAV
    files; see `AudioModel` for what they give. `description` takes `field` `(batch,)` string and gives
    `description` `(batch,)`, JSON of that field of `description`, empty where it has none. `assets.extra`
    holds requests of each, which TF Serving runs before it serves the model.

    Args:
        model: A model of `keras_mir.models`.
        root: The export root, `saved_models`.
        name: The model's name, as in TF Serving's URLs.
        description: What the model should say about itself; JSON.
        names: By output that is probabilities, of genres or tags, what these are of, in index order.
        spec: What its features are.
        thresholds: Thresholds of tags, in index order; empty if there are none.
        rebuild: Builds the model anew for export; the weights are copied over. Needed where
            training was on a GPU, whose graph would have cuDNN operations in it.
        audio_model: Makes of the model to export what answers to sound.
        card: Makes of the signatures, by name, the model card to keep in `assets.extra`.

    Returns:
        The version's folder; the version is one above the highest there.

    Raises:
        UserError: If the name will not do, the folder cannot be written, or the written
            model cannot be served or does not answer as `model` does.
    """
    check_name(name)
    root = Path(root)
    if (root / name).is_file():
        raise UserError(f"{root / name}: is a file; remove it, or choose another name")
    for output, listed in names.items():
        size = model.output[output].shape[-1]
        if size != len(listed):
            raise UserError(f"export {name}: {len(listed)} names for {size} outputs")
    served = model
    if rebuild is not None:
        served = rebuild()
        served.set_weights(model.get_weights())
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(root, logging.getLogger(__name__).warning))
            for left in root.glob(".*-tmp"):  # by an export that was killed
                shutil.rmtree(left)
            temporary = root / f".{name}-tmp"
            temporary.mkdir()
        except (FileExistsError, NotADirectoryError):
            raise UserError(
                f"{root}: cannot be made, a file is in the way; export to another folder"
            ) from None
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        # Started first: it imports TensorFlow while the model is written.
        with FreshProcess() as process:
            answers = audio_model(served) if audio_model else None
            archive = keras.export.ExportArchive()
            archive.track(served)
            for network in answers.networks if answers else ():
                archive.track(network)
            by_name = signatures(served, names, spec, answers, thresholds)
            by_name["description"] = description_signature(description)
            for signature, (answer, inputs) in by_name.items():
                archive.add_endpoint(signature, answer, input_signature=inputs)
            try:
                with quiet():
                    archive.write_out(temporary, verbose=False)
                    write_warmup(temporary, name, served, sound=answers is not None)
            except tf.errors.OpError as error:
                # Of a full disk TensorFlow says more than a user can read.
                reason = "no space left" if "No space left" in error.message else error.message
                remedy = "free some space or choose another folder"
                raise UserError(f"{temporary}: cannot be written ({reason}); {remedy}") from error
            (temporary / DESCRIPTION).parent.mkdir(exist_ok=True)
            text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
            (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
            if card:
                (temporary / MODEL_CARD).write_text(card(read_signatures(temporary)), encoding="utf-8")
            # The same layers without the training state: the optimizer's would triple the size.
            keras.Model(served.input, served.output, name=served.name).save(temporary / KERAS_MODEL)
            check_graph(temporary)
            verify(temporary, model, spec, process, answers, description)
        files = (*served_files(temporary), temporary / KERAS_MODEL)
        note_checksums(temporary, {path.relative_to(temporary).as_posix(): path for path in files})
        flush_to_disk(temporary)
        return _publish(temporary, root / name)


def _publish(temporary: Path, folder: Path) -> Path:
    """Move a finished export to the next free version of a model's folder."""
    folder.mkdir(exist_ok=True)
    version = max(versions(folder), default=0) + 1
    while True:
        try:
            return temporary.rename(folder / str(version))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            version += 1  # another export took it in the meantime
