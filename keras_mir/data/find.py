"""Find the examples a run is asked to use, making features first where there is only audio."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_mir.data.display import Display
from keras_mir.data.embed import embedded
from keras_mir.data.vectors import own_vectors
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import Examples
from pipelines.datasets.joined import joined
from pipelines.datasets.load import kind_of, load_examples
from pipelines.errors import ArgumentError, UserError
from pipelines.files import locked
from pipelines.spec import EMBEDDINGS, VECTORS

SYNTHETIC = "synthetic"  # what the built-in corpus is called wherever its name shows
CLIPS_PER_GENRE = 48  # of the built-in corpus; 12 s each


def find_examples(
    data: str | Path,
    labels: str | Path,
    synced: bool,
    recipe: Recipe,
    cache: Path,
    jobs: int,
    display: Display,
) -> Examples:
    """The labelled examples of a data set.

    Args:
        data: Its folder, or `""` for the built-in synthetic corpus, which is generated.
        labels: A label table, or `""`.
        synced: Whether a folder's features are beat-synchronous already.
        recipe: Says which task's labels are wanted, and whether beat-synchronous features are.
        cache: Where features that have to be made are kept.
        jobs: Processes that make them; 0 for one per core.
        display: Where progress is shown.

    Raises:
        UserError: If the data set is missing or malformed, or audio cannot be read.
    """
    task, tasks = recipe.task, recipe.task.tasks
    # Of a table of the user's: what is learnt may be columns that nothing else would take for labels.
    wanted: dict[str, Any] = {"targets": task.targets or None, "tags": task.tags or None}
    if recipe.input.feature == VECTORS:
        if not data:
            raise ArgumentError("data", None, f"recipe {recipe.name} learns from vectors of yours; name them")
        place, table = Path(data), Path(labels) if labels else None
        return joined({each: own_vectors(place, table, each, _hidden(cache), **wanted) for each in tasks})
    root, table = find_features(data, labels, cache, jobs, display, **wanted)
    by_beat = recipe.input.sync == "beat"
    options = {"labels": table, "prefer_synced": by_beat, "synced": synced, **wanted}
    examples = joined({each: load_examples(root, each, **options) for each in tasks})
    if recipe.input.feature in EMBEDDINGS:
        return embedded(examples, recipe.input.feature, root, _hidden(cache), display)
    return examples


def find_features(
    data: str | Path,
    labels: str | Path,
    cache: Path,
    jobs: int,
    display: Display,
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> tuple[Path, Path | None]:
    """The folder of a data set's features, and its label table if that is not in the folder's layout.

    Args, raises: As `find_examples`.
    """
    cache = _hidden(cache)
    root = Path(data) if data else _synthetic(cache, jobs, display)
    table = Path(labels) if labels else None
    if table and root.is_dir() and kind_of(root, table) is None:
        return _extracted(root, table, cache, jobs, display, targets, tags), None
    return root, table


def _hidden(cache: Path) -> Path:
    """Where in a cache features are kept: a search for data, which the cache may be among, passes it by."""
    return cache / ".data"


def _synthetic(cache: Path, jobs: int, display: Display) -> Path:
    from pipelines.synthetic.corpus import write_corpus
    from pipelines.synthetic.render import GENERATOR_VERSION

    folder = cache / f"{SYNTHETIC}-{GENERATOR_VERSION}-{CLIPS_PER_GENRE}"
    with locked(folder, display.say), display.progress("generating synthetic music") as report:
        labels = write_corpus(folder, CLIPS_PER_GENRE, progress=report)
    return _extracted(folder, labels, cache, jobs, display, synthetic=True)


def _extracted(
    audio: Path,
    labels: Path,
    cache: Path,
    jobs: int,
    display: Display,
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
    *,
    synthetic: bool = False,
) -> Path:
    """Features of a folder of audio, in a folder of the cache named by what they follow from."""
    from pipelines.datasets.audio import load_labelled_audio
    from pipelines.extraction.dataset import extract_dataset

    out = cache / f"features-{_fingerprint(audio, labels)}"
    source = load_labelled_audio(audio, labels, targets=targets, tags=tags)
    for note in (*source.notes, *source.labels.left_out):
        display.say(f"note: {note}")
    with display.progress("extracting features") as report:
        result = extract_dataset(
            source,
            out,
            jobs=jobs or os.cpu_count() or 1,
            name=SYNTHETIC if synthetic else None,
            synthetic=synthetic,
            progress=report,
            waiting=display.say,
        )
    if result.failed:
        path, reason = result.failed[0]
        raise UserError(
            f"{path}: {reason} ({len(result.failed)} of the audio files failed); mend or remove them, or "
            f"run python -m keras_mir.prepare, which goes on without them"
        )
    return out


def _fingerprint(audio: Path, labels: Path) -> str:
    """Changes when the table does, or any sound in the folder is added, removed or rewritten."""
    from pipelines.extraction.audio_files import audio_files

    digest = hashlib.blake2b(labels.read_bytes() if labels.is_file() else b"", digest_size=8)
    for path in audio_files(audio.resolve()).audio:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
