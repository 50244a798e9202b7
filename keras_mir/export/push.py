"""Upload a model to the Hugging Face Hub, as `load` takes it from there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from keras_mir.models.hub import hub_errors, hub_name, repository
from pipelines.errors import UserError

if TYPE_CHECKING:
    from keras_mir.models.servable import ServableModel


def push(model: ServableModel, hub: str, *, public: bool = False) -> str:
    """Upload a model: its card, what it says of itself and the Keras model, as one commit.

    Args:
        model: A trained model.
        hub: `hf://OWNER/NAME`, a repository that is made if it is not there. Who may write to it is asked for
            by `hf auth login`.
        public: Whether everyone may read a repository that is made; one that is there stays as it is.

    Returns:
        The commit's address, `hf://OWNER/NAME@REVISION`, which `load` takes.

    Raises:
        UserError: If the hub does not take it, or the model is a pretrained network of others.
    """
    from keras_mir.export.formats.package import write_files

    name, revision = repository(hub)
    if revision:
        raise UserError(f"{hub}: what is pushed is the newest; leave out @{revision}")
    from huggingface_hub import HfApi

    with TemporaryDirectory() as folder, hub_errors(hub):
        write_files(model, Path(folder), hub_name(hub), hub)
        api = HfApi()
        api.create_repo(name, private=not public, exist_ok=True)
        done = api.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload by keras_mir")
        return f"{hub}@{done.oid}"
