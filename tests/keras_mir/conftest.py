"""A small data set that a model can learn in seconds, models that answer to sound, and a served one."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

GENRES = ("Blues", "Jazz", "Metal")
TARGETS = ("calmness", "power")


def write_course_data(root: Path, per_genre: int = 12, synced: bool = True, seed: int = 0) -> Path:
    """Fused features whose mel level follows the genre, and whose chroma follows `power`."""
    random = np.random.default_rng(seed)
    genre = root / ("fma_genre_spectrograms_beat" if synced else "fma_genre_spectrograms")
    affect = root / ("multitask_dataset_beat" if synced else "multitask_dataset")
    for split, count in (("train", per_genre), ("test", max(2, per_genre // 3))):
        genre_lines, affect_lines = ["Id\tGenre"], ["Id," + ",".join(TARGETS)]
        for folder in (genre, affect):
            (folder / split).mkdir(parents=True)
        for number in range(count * len(GENRES)):
            identity = f"{split}{number}"
            label = GENRES[number % len(GENRES)]
            power = random.uniform()
            frames = int(random.integers(20, 40)) if synced else int(random.integers(150, 200))
            mel = random.uniform(-20, 0, (128, frames)) - 20 * GENRES.index(label)
            chroma = np.clip(random.uniform(0, 0.3, (12, frames)) + 0.7 * power, 0, 1)
            fused = np.concatenate([mel, chroma]).astype(np.float32)
            np.save(genre / split / f"{identity}.fused.full.npy", fused)
            np.save(affect / split / f"{identity}.fused.full.npy", fused)
            genre_lines.append(f"{identity}.fused.full.npy.gz\t{label}")
            affect_lines.append(f"{identity},{1 - power:.4f},{power:.4f}")
        (genre / f"{split}_labels.txt").write_text("\n".join(genre_lines) + "\n")
        (affect / f"{split}_labels.txt").write_text("\n".join(affect_lines) + "\n")
    return root


@pytest.fixture(scope="session")
def course_data(tmp_path_factory) -> Path:
    return write_course_data(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="session")
def audio_models(tmp_path_factory) -> Path:
    """An export root with one small model, `tiny`, that answers to sound; to be read and not changed.

    An export takes as long as a hundred other tests, so one serves the test processes of a run.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "audio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "audio").exists():
            _export_tiny(folder / "half").rename(folder / "audio")
    return folder / "audio"


def _export_tiny(root: Path) -> Path:
    import keras

    from keras_mir.export.savedmodel import export_savedmodel
    from keras_mir.models.audio_model import AudioModel
    from keras_mir.models.build import build_model
    from keras_mir.recipes.model_settings import ModelSettings
    from pipelines.settings import InputSettings
    from pipelines.spec import FeatureSpec

    keras.utils.set_random_seed(0)
    spec, settings = FeatureSpec(n_mels=40), InputSettings("mel", sync="beat")
    model = build_model(
        ModelSettings(kind="lstm", units=8, layers=1),
        bands=spec.n_mels,
        time=None,
        classes=GENRES,
        targets=(),
        spec=spec,
        feature="mel",
        band_mean=np.full(spec.n_mels, -80.0),
        band_variance=np.full(spec.n_mels, 80.0**2),
    )
    shutil.rmtree(root, ignore_errors=True)  # of a process that was stopped
    export_savedmodel(
        model,
        root,
        "tiny",
        description={"format": 1, "feature_spec": spec.to_dict(), "classes": GENRES},
        names={"genre": GENRES},
        spec=spec,
        audio_model=lambda served: AudioModel(served, {"genre": GENRES}, settings, None, spec),
    )
    return root


@pytest.fixture(scope="session")
def answer_tiny(audio_models):
    """The model `tiny`, loaded."""
    from keras_mir.predict.models import open_exported

    with open_exported(audio_models / "tiny" / "1") as answer_wav:
        yield answer_wav


@pytest.fixture(scope="session")
def songs(tmp_path_factory) -> Path:
    """A folder with `a.flac` (6 s), `b.wav` (9 s, stereo) and `deep/c.ogg` (4 s)."""
    import soundfile

    from pipelines.synthetic.render import render_clip

    folder = tmp_path_factory.mktemp("songs")
    (folder / "deep").mkdir()
    for number, (name, seconds) in enumerate((("a.flac", 6.0), ("b.wav", 9.0), ("deep/c.ogg", 4.0))):
        audio = render_clip("Rock", number, seconds).audio
        channels = np.stack([audio, audio * 0.5], axis=1) if name == "b.wav" else audio
        soundfile.write(folder / name, channels, 22050)
    return folder


PutVersion = Callable[..., Path]


class Toy(tf.Module):
    """Multiplies by `scale`; spends as much time as it is told to."""

    def __init__(self, scale: float) -> None:
        self.scale = tf.Variable(scale)

    def default(self, x: tf.Tensor, tag: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.debugging.assert_all_finite(x, "x has values that are not finite")
        return {"y": x * self.scale, "greeting": tf.strings.join(["hello ", tag]), "tag_bytes": tag}

    def scalars(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * self.scale}

    def sizes(self, audio: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"size": tf.strings.length(audio), "scale": self.scale + 0.0}

    def flags(self, small: tf.Tensor, flag: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"flag": tf.logical_not(flag), "small": -small, "wide": tf.cast(small, tf.float64)}

    def slow(self, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        def step(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, tf.tanh(x @ x)

        _, x = tf.while_loop(lambda i, _: i < steps[0], step, [0, tf.eye(64)])
        return {"steps": steps, "x": x[:1, 0]}


def _save(scale: float, folder: Path) -> Path:
    toy = Toy(scale)

    def signature(function: Callable[..., Any], **inputs: tuple[tuple[int | None, ...], tf.DType]) -> Any:
        specs = [tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in inputs.items()]
        return tf.function(function, input_signature=specs, autograph=False)

    signatures = {
        "serving_default": signature(toy.default, x=((None, 3), tf.float32), tag=((None,), tf.string)),
        "scalars": signature(toy.scalars, x=((None,), tf.float32)),
        "sizes": signature(toy.sizes, audio=((None,), tf.string)),
        "flags": signature(toy.flags, small=((None,), tf.int8), flag=((None,), tf.bool)),
        "slow": signature(toy.slow, steps=((1,), tf.int32)),
    }
    tf.saved_model.save(toy, folder, signatures=signatures)
    return folder


@pytest.fixture(scope="session")
def session_predict() -> Callable[..., dict[str, np.ndarray]]:
    """Run an exported model's default signature on clips, so many at a time, as TF Serving would."""
    from keras_mir.models.session import ServedModel

    def predict(
        path: Path, features: np.ndarray, lengths: np.ndarray, batch_size: int = 32
    ) -> dict[str, np.ndarray]:
        with ServedModel(path) as model:
            batches = [
                model.predict(
                    {"features": features[at : at + batch_size], "lengths": lengths[at : at + batch_size]}
                )
                for at in range(0, max(len(features), 1), batch_size)
            ]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    return predict


@pytest.fixture(scope="session")
def put_version(tmp_path_factory: pytest.TempPathFactory) -> PutVersion:
    """Put the toy into `root/name/version`, at once, as the export does.

    Odd versions multiply by 10, even ones by 20.
    """
    saved = [_save(scale, tmp_path_factory.mktemp("toy")) for scale in (20.0, 10.0)]

    def put(root: Path, name: str = "toy", version: int = 1) -> Path:
        (root / name).mkdir(parents=True, exist_ok=True)
        hidden = root / f".{name}-tmp"
        shutil.copytree(saved[version % 2], hidden)
        return hidden.rename(root / name / str(version))

    return put


class Client:
    """Sends requests to one server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status, and the JSON that came back; anything but bytes is sent as JSON."""
        connection = http.client.HTTPConnection(self.server.rest_address, timeout=30)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def predict(self, body: Any, path: str = "toy") -> tuple[int, Any]:
        return self.ask("POST", f"/v1/models/{path}:predict", body)


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[Client]]:
    """A server of a folder on free ports, running in a thread."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    from keras_mir.serve.local_server import local_server
    from keras_mir.serve.workers import Limits

    @contextmanager
    def serve(
        root: Path, poll_seconds: float = 0.05, labels: Any = None, similar: Any = None, **limits: Any
    ) -> Iterator[Client]:
        taken_on = Limits(**{"seconds": 20.0, **limits})
        options = {"poll_seconds": poll_seconds, "limits": taken_on, "labels": labels, "similar": similar}
        with local_server(root, port=0, grpc_port=0, **options) as server:
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                yield Client(server)
            finally:
                server.stop()
                thread.join()

    return serve


def musicnn_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights by the names of the published checkpoints, in the published sizes."""
    random = np.random.default_rng(seed)
    kernels = {
        "conv2d": (7, 38, 1, 204),
        "conv2d_1": (7, 67, 1, 204),
        "conv2d_2": (128, 1, 1, 51),
        "conv2d_3": (64, 1, 1, 51),
        "conv2d_4": (32, 1, 1, 51),
        "conv2d_5": (7, 561, 1, 64),
        "conv2d_6": (7, 64, 1, 64),
        "conv2d_7": (7, 64, 1, 64),
        "dense": (1506, 200),
        "dense_1": (200, 50),
    }
    return _random_weights(random, kernels, (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200))


def vgg_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """The same of the VGG that was published beside it."""
    kernels = {f"{number}CNN": (3, 3, 128 if number > 1 else 1, 128) for number in range(1, 6)}
    return _random_weights(
        np.random.default_rng(seed), {**kernels, "dense": (256, 50)}, (1, 128, 128, 128, 128, 128)
    )


def _random_weights(
    random: np.random.Generator, kernels: dict[str, tuple[int, ...]], norms: tuple[int, ...]
) -> dict[str, np.ndarray]:
    weights = {}
    for name, shape in kernels.items():
        scale = 1.0 / np.sqrt(np.prod(shape[:-1]))
        weights[f"{name}/kernel"] = random.normal(0, scale, shape)
        weights[f"{name}/bias"] = random.normal(0, 0.1, shape[-1])
    for number, size in enumerate(norms):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        weights[f"{name}/gamma"] = random.uniform(0.5, 1.5, size)
        weights[f"{name}/beta"] = random.normal(0, 0.1, size)
        weights[f"{name}/moving_mean"] = random.normal(0.2, 0.1, size)
        weights[f"{name}/moving_variance"] = random.uniform(0.5, 1.5, size)
    return {name: value.astype(np.float32) for name, value in weights.items()}


@pytest.fixture(scope="session")
def musicnn_folder(tmp_path_factory) -> Path:
    """A folder with a package `musicnn` as the wheel has it, whose weights are random."""
    folder = tmp_path_factory.mktemp("site")
    for number, checkpoint in enumerate(("MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg")):
        place = folder / "musicnn" / checkpoint
        place.mkdir(parents=True)
        made = vgg_weights if checkpoint.endswith("vgg") else musicnn_weights
        weights = made(number) | {"dense/kernel/Adam": np.zeros(2, np.float32)}
        names = sorted(weights)
        tf.raw_ops.SaveV2(
            prefix=f"{place}/",
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[weights[name] for name in names],
        )
    (folder / "musicnn" / "__init__.py").write_text("raise ImportError('only its files are wanted')\n")
    return folder


@pytest.fixture
def musicnn(musicnn_folder, monkeypatch) -> Path:
    """That package where Python finds it, and its checkpoints taken for the published ones."""
    import hashlib
    from dataclasses import replace

    from keras_mir.models.pretrained.networks import NETWORKS

    monkeypatch.syspath_prepend(str(musicnn_folder))
    for name, network in list(NETWORKS.items()):
        files = (musicnn_folder / "musicnn" / network.checkpoint).iterdir()
        digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        monkeypatch.setitem(NETWORKS, name, replace(network, digests=digests))
    return musicnn_folder / "musicnn"
