"""Vectors of a pretrained network for the clips of a data set: made of their sound, or of spectrograms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from keras_mir.data.display import Display
from keras_mir.models.pretrained.networks import NETWORKS
from pipelines.checksums import FEATURES, Checksums, find_cached, sha256, write_cached
from pipelines.datasets.base import ID, PATH, Examples
from pipelines.errors import UserError
from pipelines.files import locked, npy_bytes, read_json, remove_temporary, write_atomically, write_json
from pipelines.levels import LEVELS, Levels
from pipelines.spec import FeatureSpec, VectorSpec, spec_from_dict

FOLDER = "embeddings"  # of a data set that `prepare --embed` has been at
SPEC = "spec.json"


def embedded(examples: Examples, network: str, root: Path, cache: Path, display: Display) -> Examples:
    """The same examples, with the vectors of a network for features.

    Those that `prepare --embed` made of the sound are taken. Where there are none they are made from
    the spectrograms and, if all are known, the levels of the clips, once, and kept in the cache.

    Args:
        examples: With spectrograms of every frame.
        network: Its name.
        root: The data set's folder.
        cache: Where vectors that have to be made are kept.
        display: Where progress is shown.

    Raises:
        UserError: If the network's weights are not there, or the data cannot be used for it.
    """
    for folder in (root / FOLDER / network, root.parent / FOLDER / network):
        if (folder / SPEC).is_file():
            return _with(examples, _made(examples, folder), read_spec(folder / SPEC))
    if examples.synced:
        raise UserError(f"{examples.name}: {network} needs spectrograms of every frame; give the data set's")
    levels = Levels(next((path for path in (root / LEVELS, root.parent / LEVELS) if path.is_file()), root))
    known = [levels.get(identity) for identity in examples.table[ID]]
    return _from_spectrograms(examples, network, known, cache / FOLDER, display)


def embed_clips(clips: Mapping[str, Path], network: str, out: Path, display: Display) -> int:
    """Write `embeddings/NETWORK/ID.npy` for every clip that has none, `(size, patches)` float32.

    Args:
        clips: Audio files by id.
        network: Its name.
        out: The data set's folder.
        display: Where progress is shown.

    Returns:
        How many were written.

    Raises:
        UserError: If the network's weights are not there, or a clip cannot be decoded.
    """
    from keras_mir.models.pretrained.front_end import AUDIO, ClipVectors, embedding_spec
    from pipelines.extraction.audio_files import decode
    from pipelines.input.diagnosis import diagnose
    from pipelines.limits import MAX_FRAMES

    NETWORKS[network].check()
    folder, spec = out / FOLDER / network, embedding_spec(network, AUDIO, FeatureSpec())
    if (folder / SPEC).is_file() and read_spec(folder / SPEC) != spec:
        raise UserError(f"{folder}: of another version; delete it, and run the same again")
    files = {folder / f"{identity}.npy": audio for identity, audio in clips.items()}
    with locked(out):
        remove_temporary([folder])
        checksums = Checksums(out / FEATURES)

        def is_sound(file: Path) -> bool:
            held = checksums.holds(file)
            return not diagnose(file, (spec.n_bands,), MAX_FRAMES) if held is None else held

        waiting = [file for file in files if not is_sound(file)]
        if waiting:
            vectors = ClipVectors(spec)
            with display.progress(f"embedding by {network}") as report:
                for done, file in enumerate(waiting, len(files) - len(waiting) + 1):
                    samples, rate = decode(files[file])
                    content = npy_bytes(np.ascontiguousarray(vectors(samples, rate).T))
                    write_atomically(file, content)
                    checksums.append({checksums.name_of(file): sha256(content)})
                    report(done, len(files))
        # Last: where it is, all the others are.
        write_json(folder / SPEC, spec.to_dict())
    return len(waiting)


def check_network(network: str) -> None:
    """Refuse a network whose weights are not there.

    Raises:
        UserError: Saying how to get them.
    """
    NETWORKS[network].check()


def read_spec(path: Path) -> VectorSpec:
    """What the vectors in a folder are.

    Raises:
        UserError: If the file is damaged.
    """
    remedy = "delete its folder and prepare the data again"
    values = read_json(path, remedy)
    try:
        spec = spec_from_dict(values)
    except (ValueError, TypeError, UserError) as error:
        raise UserError(f"{path}: damaged ({error}); {remedy}") from None
    if not isinstance(spec, VectorSpec):
        raise UserError(f"{path}: not of vectors; {remedy}")
    return spec


def _made(examples: Examples, folder: Path) -> list[Path]:
    files = [folder / f"{identity}.npy" for identity in examples.table[ID]]
    if missing := next((file for file in files if not file.is_file()), None):
        raise UserError(f"{missing}: missing; run the same python -m keras_mir.prepare again, which goes on")
    return files


def _from_spectrograms(
    examples: Examples, network: str, levels: Sequence[float | None], folder: Path, display: Display
) -> Examples:
    import tensorflow as tf

    from keras_mir.models.pretrained import front_end
    from keras_mir.models.pretrained.front_end import (
        MEL,
        MEL_AND_LEVEL,
        PatchVectors,
        embedding_spec,
        network_input,
    )
    from pipelines.input.steps import ReadFused

    NETWORKS[network].check()
    spec = examples.spectrogram_spec
    if spec != FeatureSpec():
        # The exported model makes a standard spectrogram of its sound: it would not be what was trained on.
        raise UserError(
            f"{examples.name}: {network} reads spectrograms of the standard settings alone; "
            f"make its vectors of the sound by python -m keras_mir.prepare --embed {network}"
        )
    code = Path(front_end.__file__).read_bytes()
    made_from = MEL if None in levels else MEL_AND_LEVEL
    levels = levels if made_from == MEL_AND_LEVEL else [None] * len(examples)
    keys = [
        _key(path, level, network, spec, code)
        for path, level in zip(examples.table[PATH], levels, strict=True)
    ]
    found = find_cached(folder, keys, ".npy")
    files = [found.get(key, Path(path)) for key, path in zip(keys, examples.table[PATH], strict=True)]
    waiting = [row for row, key in enumerate(keys) if key not in found]
    if waiting:
        if made_from == MEL_AND_LEVEL:  # only data that `prepare` made of sound have all levels
            display.say(
                f"{network}: vectors are made from the spectrograms and kept in {folder}; "
                f"prepare --embed {network} makes them once for all runs, from the sound",
            )
        vectors, read = PatchVectors(network), ReadFused((spec.n_mels, spec.n_bands), spec)

        @tf.function(autograph=False)
        def embed(path: tf.Tensor, level: tf.Tensor | None) -> tf.Tensor:
            mel = read({"path": path})["features"][None, :, : spec.n_mels]
            return vectors(*network_input(mel, tf.shape(mel)[1:2], spec, level))["features"][0]

        with display.progress(f"embedding by {network}") as report:
            for done, row in enumerate(waiting, len(files) - len(waiting) + 1):
                with suppress(tf.errors.OpError):  # whoever reads the file says what is wrong with it
                    level = None if levels[row] is None else tf.constant([levels[row]], tf.float32)
                    made = embed(tf.constant(examples.table[PATH][row]), level).numpy()
                    content = npy_bytes(np.ascontiguousarray(made.T))
                    files[row] = write_cached(folder, keys[row], ".npy", content)
                report(done, len(files))
    return _with(examples, files, embedding_spec(network, made_from, spec))


def _with(examples: Examples, files: list[Path], spec: VectorSpec) -> Examples:
    table: pd.DataFrame = examples.table.assign(**{PATH: list(map(str, files))})
    return replace(examples, table=table, spec=spec)


def _key(path: str, level: float | None, network: str, spec: FeatureSpec, code: bytes) -> str:
    """Changes with the file, its level, the network, or the code by which one becomes the other's input."""
    status = Path(path).stat()
    facts = (
        str(Path(path).resolve()),
        status.st_size,
        status.st_mtime_ns,
        level,
        network,
        sorted(spec.to_dict().items()),
    )
    return hashlib.blake2b(repr(facts).encode() + code, digest_size=16).hexdigest()
