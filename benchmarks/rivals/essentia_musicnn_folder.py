"""essentia's TensorflowPredictMusiCNN on the same weights, for a folder, in a process a core; a script.

Its own models' weights are of other data, so it is given the published graph with the weights in it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rivals.musicnn_folder import PATCH, embed_folder, network

_RATE = 16_000


def write_graph(file: Path) -> None:
    """Write the published network as one graph without variables, as essentia reads it."""
    import tensorflow as tf

    session, _, output = network()
    graph = tf.compat.v1.graph_util.convert_variables_to_constants(
        session, session.graph.as_graph_def(), [output.op.name]
    )
    file.write_bytes(graph.SerializeToString())


def graph_in(folder: Path) -> Path:
    """The graph, made once, in a process of its own: it needs TensorFlow without eager execution."""
    file = folder / "musicnn.pb"
    if not file.exists():
        process = multiprocessing.get_context("spawn").Process(target=write_graph, args=[file])
        process.start()
        process.join()
    return file


@cache
def predictor(graph: Path) -> Any:
    """The network, opened once a process."""
    import essentia
    from essentia.standard import TensorflowPredictMusiCNN

    essentia.log.infoActive = essentia.log.warningActive = False
    return TensorflowPredictMusiCNN(
        graphFilename=str(graph),
        input="model/Placeholder",
        output="model/Sigmoid",
        isTrainingName="model/Placeholder_2",
        patchHopSize=PATCH,
    )


def embed(path: Path, graph: Path) -> np.ndarray:
    """The mean of a file's answers over patches, `(50,)`."""
    from essentia.standard import MonoLoader

    predict = predictor(graph)
    tags: np.ndarray = predict(MonoLoader(filename=str(path), sampleRate=_RATE)())
    return tags.mean(axis=0)


def main() -> None:
    """Embed a folder, and write one array."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    embed_folder(partial(embed, graph=arguments.graph), arguments.folder, arguments.out)


if __name__ == "__main__":
    main()
