"""Models on the Hugging Face Hub: `hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_mir.models.package import DESCRIPTION, MODEL, check_size
from pipelines.errors import UserError, reason_of

HUB = "hf://"
_NOT_ALLOWED = (401, 403)  # HTTP: without a token, or with one that is not good for this
_PART = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}"


def repository(place: str) -> tuple[str, str | None]:
    """OWNER/NAME and the revision, None for the newest, of `hf://OWNER/NAME@REVISION`.

    Raises:
        UserError: If it is not written so, or the optional package is missing.
    """
    found = re.fullmatch(rf"{HUB}({_PART}/{_PART})(?:@([A-Za-z0-9][A-Za-z0-9_./-]*))?", place)
    if not found:
        raise UserError(f"{place}: write hf://OWNER/NAME, or hf://OWNER/NAME@REVISION")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError(f"{place}: needs huggingface_hub; pip install 'keras-mir[hub]'")
    return found[1], found[2]


def hub_name(place: str) -> str:
    """The model's name there, without its owner."""
    return repository(place)[0].partition("/")[2]


def download(place: str) -> Path:
    """Fetch a model's files into the hub's own cache.

    Args:
        place: `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`.

    Returns:
        The folder that they are in, as they were there: not looked at yet.

    Raises:
        UserError: If there is no such model, it is too large, or the hub does not answer.
    """
    name, revision = repository(place)
    from huggingface_hub import HfApi

    with hub_errors(place):
        api = HfApi()
        there = api.model_info(name, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in there.siblings or ()}
        for file in (DESCRIPTION, MODEL):
            if file not in sizes:
                raise UserError(f"{place}: no {file} in it; give a model that keras_mir has pushed")
            check_size(file, sizes[file], place)
        # Of the commit that was looked at, whatever is pushed meanwhile.
        paths = [api.hf_hub_download(name, file, revision=there.sha) for file in (DESCRIPTION, MODEL)]
    return Path(paths[0]).parent


@contextmanager
def hub_errors(place: str) -> Iterator[None]:
    """Turns what the hub's library raises into a `UserError`."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise UserError(
            f"{place}: its owner wants to be asked; do so on its page, then log in with `hf auth login`"
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"{place}: no such model, or it is private; check the name, or log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise UserError(
            f"{place}: the model has no such revision; give a tag, a branch or a commit of it, or leave @ out"
        ) from None
    # Their base is that of all errors of the HTTP library, which is another in each generation of the hub's.
    except HfHubHTTPError.__bases__ as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code in _NOT_ALLOWED:
            raise UserError(
                f"{place}: the hub does not let you; log in with `hf auth login`, and a token that may write"
            ) from None
        raise UserError(f"{place}: the hub does not do it ({reason_of(error)}); try again later") from None
