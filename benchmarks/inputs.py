"""What all rows are measured on: music, and the features of it, made once."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CLIPS_PER_GENRE = 30  # 300 clips
SECONDS = 30.0
RECIPE = "lstm-beat-mel"
MODEL = "benchmark"
COMPRESSED_RATE = 44_100  # Hz, as most music has it
_PEAK = 0.7  # of full scale, in compressed clips


@dataclass(frozen=True)
class Inputs:
    """Where the input is; made when first asked for, found there later.

    Attributes:
        folder: For everything made here.
        audio: Real music, with a `labels.csv` as `keras_mir.prepare` takes it; None for
            synthetic music, 300 clips of 30 s.
    """

    folder: Path
    audio: Path | None = None

    @property
    def what(self) -> str:
        """In words, for the table."""
        return "synthetic music" if self.audio is None else "real music"

    def music(self) -> Path:
        """A folder with audio files and `labels.csv`."""
        if self.audio is not None:
            return self.audio
        from pipelines.synthetic.corpus import write_corpus

        return write_corpus(self.folder / "music", CLIPS_PER_GENRE, SECONDS).parent

    def clips(self, count: int) -> list[Path]:
        """So many audio files, spread evenly over the music, the same ones each time."""
        from pipelines.extraction.audio_files import audio_files

        found = audio_files(self.music()).audio
        return [found[index * len(found) // count] for index in range(min(count, len(found)))]

    def some(self, count: int) -> Path:
        """A folder with copies of so many of the clips."""
        folder = self.folder / f"some-{count}"
        folder.mkdir(parents=True, exist_ok=True)
        for clip in self.clips(count):
            copy = folder / clip.name
            if not copy.exists():
                shutil.copyfile(clip, copy)
        return folder

    def compressed(self, count: int) -> list[Path]:
        """So many of the clips as music comes: 44.1 kHz, stereo, half of them mp3, half ogg."""
        import librosa
        import numpy as np

        from pipelines.extraction.audio_files import decode

        folder = self.folder / "compressed"
        folder.mkdir(parents=True, exist_ok=True)
        made = []
        for number, clip in enumerate(self.clips(count)):
            kind = ("mp3", "ogg")[number % 2]
            made.append(folder / f"{clip.stem}.{kind}")
            if made[-1].exists():
                continue
            samples, rate = decode(clip)
            samples = librosa.resample(samples, orig_sr=rate, target_sr=COMPRESSED_RATE)
            # A decoder may give more than was put in, and essentia cuts off what is over full scale; less
            # loud, its 16 bits would be coarse.
            samples *= _PEAK / np.abs(samples).max()
            if len(samples) == 1:  # the right a hundredth of a second late
                samples = np.concatenate([samples, np.roll(samples, COMPRESSED_RATE // 100, axis=1)])
            unfinished = folder / f".{made[-1].name}"
            _write_compressed(unfinished, samples, kind)
            unfinished.replace(made[-1])
        return made

    def features(self) -> Path:
        """The music as `python -m keras_mir.prepare` prepares it."""
        folder = self.folder / ("features" if self.audio is None else "features-of-audio")
        if not (folder / "dataset.json").is_file():
            music = self.music()
            command = ["keras_mir.prepare", str(music), "--labels", str(music / "labels.csv")]
            subprocess.run([sys.executable, "-m", *command, "--out", str(folder)], check=True, stdout=2)
        return folder

    def spectrograms(self, count: int) -> list[Path]:
        """So many fused spectrograms `(140, time)`, all frames, as `.npy`."""
        import numpy as np

        from pipelines.files import npy_bytes, write_atomically

        sources = self.fused_files(count)
        paths = [self.folder / "spectrograms" / f"{source.name.partition('.')[0]}.npy" for source in sources]
        for source, path in zip(sources, paths, strict=True):
            if not path.is_file():
                with gzip.open(source) as file:
                    write_atomically(path, npy_bytes(np.load(file)))
        return paths

    def fused_files(self, count: int) -> list[Path]:
        """So many fused spectrograms `(140, time)`, all frames, as `.npy.gz`."""
        found = sorted(self.features().glob("fma_genre_spectrograms/*/*.fused.full.npy.gz"))
        return [found[index * len(found) // count] for index in range(min(count, len(found)))]

    def copies(self, count: int) -> Path:
        """A data set of so many clips: beat-synchronous features of the same few under other names."""
        folder = self.folder / f"copies-{count}"
        if folder.is_dir():
            return folder
        unfinished = folder.with_name(f".{folder.name}-{os.getpid()}")
        twin = "fma_genre_spectrograms_beat"
        for part, share in (("train", 0.8), ("test", 0.2)):
            table = (self.features() / twin / f"{part}_labels.txt").read_text(encoding="utf-8").splitlines()
            lines = [table[0]]
            (unfinished / twin / part).mkdir(parents=True)
            for index in range(round(share * count)):
                name, genre = table[1 + index % (len(table) - 1)].split("\t")
                source = next((self.features() / twin / part).glob(f"{name.partition('.')[0]}.*"))
                copy = f"{part}{index}.fused.full.npy.gz"
                shutil.copyfile(source, unfinished / twin / part / copy)
                lines.append(f"{copy}\t{genre}")
            (unfinished / twin / f"{part}_labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        unfinished.rename(folder)
        return folder

    def vectors(self, count: int, size: int) -> Path:
        """A table of vectors in four clouds, which overlap, and beside it one of their genres."""
        import numpy as np
        import pandas as pd

        from pipelines.files import npy_bytes, write_atomically

        path = self.folder / f"vectors-{count}-{size}.npy"
        if not path.is_file():
            random = np.random.default_rng(0)
            genres = random.integers(0, 4, count)
            vectors = 0.15 * random.standard_normal((4, size))[genres] + random.standard_normal((count, size))
            names = np.array(["Blues", "Jazz", "Metal", "Rock"])[genres]
            table = pd.DataFrame({"id": [f"clip{n}" for n in range(count)], "genre": names})
            table.to_csv(path.with_suffix(".csv"), index=False)
            write_atomically(path, npy_bytes(vectors.astype(np.float32)))
        return path

    @property
    def run(self) -> Path:
        """Where `model` is trained."""
        return self.folder / "run"

    def model(self) -> Path:
        """An exported genre model, briefly trained: its folder `saved_models/NAME/VERSION`."""
        root = self.folder / "saved_models"
        version = root / MODEL / "1"
        if not version.is_dir():
            command = [
                "keras_mir.fit",
                RECIPE,
                "--data",
                str(self.features()),
                "--name",
                MODEL,
                "--epochs",
                "5",
            ]
            places = ["--export-dir", str(root), "--out", str(self.run)]
            subprocess.run([sys.executable, "-m", *command, *places], check=True, stdout=2)
        return version


def _write_compressed(path: Path, samples: np.ndarray, kind: str) -> None:
    """Little by little: libsndfile's encoders want no more at a time."""
    import numpy as np
    import soundfile

    form = {"format": kind.upper(), "subtype": {"mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}[kind]}
    with soundfile.SoundFile(path, "w", COMPRESSED_RATE, len(samples), **form) as file:
        for block in np.array_split(samples.T, 1 + samples.shape[1] // COMPRESSED_RATE):
            file.write(block)


def forget(paths: Iterable[Path]) -> None:
    """Ask the system to drop files from its memory, so that reading them is cold."""
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
