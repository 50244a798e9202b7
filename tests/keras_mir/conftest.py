"""A small data set in the course layout that a model can learn in seconds."""

from pathlib import Path

import numpy as np
import pytest

GENRES = ("Blues", "Jazz", "Metal")
TARGETS = ("calmness", "power")


def write_course_data(root: Path, per_genre: int = 12, synced: bool = True, seed: int = 0) -> Path:
    """Fused features whose mel level follows the genre, and whose chroma follows ``power``."""
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
def hearing_models(tmp_path_factory) -> Path:
    """An export root with one small model, `tiny`, that answers to sound; to be read and not changed."""
    import keras

    from keras_mir.models.build import build_model
    from keras_mir.models.settings import ModelSettings
    from keras_mir.serving.exporting.audio_answers import AudioAnswers
    from keras_mir.serving.exporting.savedmodel import export_savedmodel
    from pipelines.settings import InputSettings
    from pipelines.spec import FeatureSpec

    keras.utils.set_random_seed(0)
    spec, settings = FeatureSpec(n_mels=40), InputSettings("mel", sync="beat")
    model = build_model(
        ModelSettings(kind="lstm", units=8, layers=1, normalise="range"),
        bands=spec.n_mels,
        time=None,
        classes=GENRES,
        targets=(),
        spec=spec,
        feature="mel",
    )
    root = tmp_path_factory.mktemp("hearing")
    export_savedmodel(
        model,
        root,
        "tiny",
        description={"feature_spec": spec.to_dict()},
        classes=GENRES,
        hears=lambda served: AudioAnswers(served, GENRES, settings, None, spec),
    )
    return root


@pytest.fixture(scope="session")
def ask_tiny(hearing_models):
    """The model `tiny`, loaded."""
    from keras_mir.serving.predicting.ask import ask_model

    with ask_model(hearing_models / "tiny" / "1") as ask:
        yield ask


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
