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
