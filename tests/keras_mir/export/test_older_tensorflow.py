"""What the newest TensorFlow exports, answered by older ones, which TF Serving is: `tox -e older`.

`OLDER_TENSORFLOW` names Python interpreters that have one, with `:` between; without, all this skips.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
from importlib import resources
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

from keras_mir.export import run_alone
from keras_mir.export.export import export as export_model
from keras_mir.export.graph import OLDEST
from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.export.verify import FreshProcess, feature_batches, sound_batches
from keras_mir.models.audio_model import AudioModel
from keras_mir.models.build import build_model
from keras_mir.models.kernel_ridge import with_kernel_ridge
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.tagger import Tagger
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec
from pipelines.synthetic.render import render_clip
from pipelines.synthetic.styles import GENRES
from tests.keras_mir.models.test_kernel_ridge import RANGES, fitted

PYTHONS = [path for path in os.environ.get("OLDER_TENSORFLOW", "").split(":") if path]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHONS, reason="OLDER_TENSORFLOW names no interpreters"),
]
CLIPS, BATCH = 60, 10
CLASSES = ("Blues", "Jazz", "Metal", "Rock")
CNN = {"filters": (4, 6), "pools": (2, 2)}
# By kind: its settings, its input, its frames; genres, affect targets or tags.
KINDS = {
    "lstm": (ModelSettings(kind="lstm", units=8, layers=2), "mel", "beat", None, "genre"),
    "lstm-chroma": (ModelSettings(kind="lstm", units=8, layers=1), "chroma", "beat", None, "genre"),
    "cnn": (ModelSettings(kind="cnn", **CNN), "mel", "none", 64, "genre"),
    "small-cnn": (
        ModelSettings(kind="cnn-any-length", **CNN, statistics=("mean", "max", "std"), input_pool=(4, 2)),
        "fused",
        "none",
        None,
        "tags",
    ),
    "affect": (ModelSettings(kind="cnn-any-length", **CNN, hidden=5), "mel", "beat", None, "affect"),
    "multitask": (ModelSettings(kind="cnn-any-length", **CNN), "mel", "none", None, "genre+tags+affect"),
    "kernel-ridge": (ModelSettings(kind="cnn-any-length", **CNN), "mel", "none", None, "affect"),
}


@pytest.fixture(scope="module")
def files():
    """Synthetic clips of 4 s as WAV files."""
    wavs = []
    for number in range(CLIPS):
        wav = io.BytesIO()
        clip = render_clip(GENRES[number % len(GENRES)], number, 4.0)
        soundfile.write(wav, clip.audio, 22050, format="WAV")
        wavs.append(wav.getvalue())
    return wavs


def export(kind: str, root: Path) -> tuple[Path, keras.Model]:
    keras.utils.set_random_seed(0)
    settings, feature, sync, frames, task = KINDS[kind]
    spec = FeatureSpec()
    size = spec.width(feature)
    limits = spec.limits(size)
    names = {each: CLASSES for each in task.split("+") if each != "affect"}
    thresholds = (0.25,) * len(CLASSES) if "tags" in names else ()
    model = build_model(
        settings,
        bands=size,
        time=frames,
        classes=CLASSES if "genre" in names else None,
        targets=tuple(RANGES) if "affect" in task else (),
        tags=CLASSES if "tags" in names else (),
        spec=spec,
        feature=feature,
        band_mean=limits.mean(axis=0),
        band_variance=np.ptp(limits, axis=0) ** 2,
    )
    if kind == "kernel-ridge":
        model = with_kernel_ridge(model, fitted(30), RANGES)
    made = InputSettings(feature, sync=sync, frames=frames or "batch")
    path = export_savedmodel(
        model,
        root,
        kind,
        description={"format": 1, "feature_spec": spec.to_dict()},
        names=names,
        spec=spec,
        thresholds=thresholds,
        audio_model=lambda served: AudioModel(served, names, made, frames, spec, thresholds=thresholds),
    )
    return path, model


def asked_of(python: str, path: Path, requests: list) -> list[dict[str, np.ndarray]]:
    done = subprocess.run(
        [python, "-I", run_alone.__file__],
        input=pickle.dumps((str(path), requests), protocol=4),
        capture_output=True,
        check=False,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return pickle.loads(done.stdout)


def compare(path: Path, requests: list) -> None:
    with FreshProcess() as newest:
        expected = newest.ask(path, requests)
    for python in PYTHONS:
        for (signature, _), new, old in zip(
            requests, expected, asked_of(python, path, requests), strict=True
        ):
            assert new.keys() == old.keys(), (python, signature)
            for name, value in new.items():
                if value.dtype.kind == "f":
                    scale = max(1.0, np.abs(value).max(initial=0.0))
                    np.testing.assert_allclose(
                        old[name], value, rtol=0, atol=1e-4 * scale, err_msg=f"{python} {signature} {name}"
                    )
                else:
                    assert np.array_equal(old[name], value), (python, signature, name)


def test_the_list_of_operations_is_that_of_the_oldest_version():
    listed = (resources.files("keras_mir.export") / f"tensorflow_{OLDEST}.txt").read_text()
    script = Path(__file__).with_name("list_operations.py")
    printed = [
        subprocess.run([python, script], capture_output=True, text=True, check=True) for python in PYTHONS
    ]
    assert listed in [done.stdout for done in printed], f"no TensorFlow {OLDEST} among {PYTHONS}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_signature_answers_the_same(kind, files, tmp_path):
    path, model = export(kind, tmp_path)
    batches = [*feature_batches(model, FeatureSpec()), *sound_batches()]
    requests = [(batch.signature, batch.feed) for batch in batches]
    requests.append(("description", {"field": np.array([b"feature_spec", b"no field"], object)}))
    for start in range(0, CLIPS, BATCH):
        requests.append(("audio", {"audio": np.array(files[start : start + BATCH], object)}))
    compare(path, requests)


def test_a_pretrained_network_answers_the_same(musicnn, files, tmp_path):
    path = export_model(Tagger(NETWORKS["musicnn-mtt"]), tmp_path).path
    compare(path, [("audio", {"audio": np.array(files[:BATCH], object)})])
