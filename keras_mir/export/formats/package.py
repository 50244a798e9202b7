"""A model in one `.zip`, which another machine loads."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import keras

from keras_mir.export.export import Written
from keras_mir.export.model_card import package_card
from keras_mir.models.json_file import write_json
from keras_mir.models.package import CARD, DESCRIPTION, MODEL, ZIP, check_package
from keras_mir.models.rebuild import for_serving
from keras_mir.models.servable import ServableModel
from keras_mir.models.trained_model import TrainedModel
from pipelines.errors import ArgumentError, UserError
from pipelines.files import write_atomically


def write(model: ServableModel, folder: Path, name: str, signature: str, quantization: str) -> Written:
    """Write a model's files as `folder/name.zip`.

    Raises:
        ArgumentError: If a signature or a quantization is asked for.
        UserError: As `write_files`.
    """
    for option, value in (("signature", signature), ("quantization", quantization)):
        if value:
            raise ArgumentError(option, value, "a zipped model is the whole Keras model; leave it out")
    path = folder / f"{name}{ZIP}"
    packed = io.BytesIO()
    with TemporaryDirectory() as files, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        write_files(model, Path(files), name, path.name)
        for file in (CARD, DESCRIPTION, MODEL):
            archive.write(Path(files) / file, file)
    write_atomically(path, packed.getvalue())
    return Written(path, size=len(packed.getvalue()))


def write_files(model: ServableModel, folder: Path, name: str, place: str) -> None:
    """Write a model's card, what it says of itself, and the Keras model without its training state.

    Args:
        model: The model.
        folder: Where to.
        name: What the card calls it.
        place: Where `load` will find it.

    Raises:
        UserError: If it is a pretrained network, or has a layer that `load` would refuse.
    """
    if not isinstance(model, TrainedModel):
        raise UserError(f"{model.name}: a pretrained network, which others share; give a model of your own")
    served = for_serving(model.keras)
    keras.Model(served.input, served.output, name=served.name).save(folder / MODEL)
    write_json(folder / DESCRIPTION, model.description.to_dict())
    (folder / CARD).write_text(package_card(name, model.description, place), encoding="utf-8")
    check_package(folder, model.name)
