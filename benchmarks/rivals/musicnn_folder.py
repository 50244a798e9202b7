"""What the musicnn package computes for a folder, in a process a core; a script.

Its own extractor is a function of one file; here each process opens the network once, and keeps it.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from benchmarks.machine import cores

PATCH = 187  # frames, about 3 s


@cache
def network() -> tuple[Any, Any, Any]:
    """A session with the published graph and weights, its inputs and its tags."""
    import tensorflow as tf

    package = importlib.util.find_spec("musicnn")
    if package is None or package.origin is None:
        raise SystemExit("pip install --no-deps musicnn==0.1.0")
    checkpoint = f"{Path(package.origin).parent}/MTT_musicnn/"
    meta = tf.compat.v1.MetaGraphDef.FromString(Path(f"{checkpoint}.meta").read_bytes())
    (output,) = [
        node.name for node in meta.graph_def.node if node.op == "Sigmoid" and "gradients" not in node.name
    ]
    graph = tf.compat.v1.graph_util.extract_sub_graph(meta.graph_def, [output])
    for node in graph.node:
        node.attr.pop("_output_shapes", None)  # old TensorFlow's, which the new one finds inconsistent
    tf.compat.v1.disable_eager_execution()
    tf.import_graph_def(graph, name="")
    threads = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    session, weights = (
        tf.compat.v1.Session(config=threads),
        tf.compat.v1.train.NewCheckpointReader(checkpoint),
    )
    operations = session.graph.get_operations()
    for one in operations:
        if one.type == "VariableV2":
            session.run(tf.compat.v1.assign(one.outputs[0], weights.get_tensor(one.name)))
    inputs = [one.outputs[0] for one in operations if one.type == "Placeholder"]
    return session, inputs, session.graph.get_tensor_by_name(f"{output}:0")


def embed(path: Path) -> np.ndarray:
    """The mean of a file's answers over patches, `(50,)`."""
    samples, rate = librosa.load(path, sr=16000)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=512, hop_length=256, n_mels=96).T
    frames = np.log10(10000 * mel + 1)  # the package computes it in float16, where loud music overflows
    patches = np.stack([frames[at : at + PATCH] for at in range(0, len(frames) - PATCH + 1, PATCH)])
    session, inputs, tags = network()
    feed = {one: patches for one in inputs if one.shape.rank == 3}
    feed |= {one: False for one in inputs if one.dtype.name == "bool"}
    return session.run(tags, feed).mean(axis=0)


def embed_folder(embed_song: Callable[[Path], np.ndarray], folder: Path, out: Path) -> None:
    """Write one array of a folder's songs, in a process a core."""
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    songs = sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".ogg", ".mp3"))
    with multiprocessing.get_context("spawn").Pool(cores()) as pool:
        vectors = pool.map(embed_song, songs, chunksize=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.save(out, np.stack(vectors))


def main() -> None:
    """Embed a folder, and write one array."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    embed_folder(embed, arguments.folder, arguments.out)


if __name__ == "__main__":
    main()
