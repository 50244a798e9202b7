"""GTZAN: ten folders of clips, one a genre, and the lists of its artist-filtered split."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import GENRE, ID, SPLIT
from pipelines.datasets.labels import FILE, AudioOptions, LabelledAudio, LabelTable
from pipelines.datasets.tables import name_ids, read_lines
from pipelines.errors import UserError

LICENCE = "no licence stated, for research"
CITATIONS = (
    "G. Tzanetakis, P. Cook: Musical genre classification of audio signals. IEEE Transactions on Speech "
    "and Audio Processing 10(5), 2002",
    "for its faults B. L. Sturm: The GTZAN dataset: its contents, its faults, their effects on evaluation, "
    "and its future use. arXiv:1306.1461, 2013",
)
GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
KNOWN_FAULTS: Mapping[str, str] = {"jazz_00054": "damaged in common copies"}

_NAME = re.compile(rf"({'|'.join(GENRES)})\.[0-9]{{5}}")
_SUFFIXES = (".wav", ".au")
_LISTS = ("train", "train", "test")  # fit takes its validation clips from train


REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "labels": "GTZAN's genres are the names of its folders",
    "targets": "GTZAN has genres alone",
    "tags": "GTZAN has genres alone",
}


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`: by clips such as `blues/blues.00029.wav`."""
    return table is None and any(_clips(audio_dir / genre) for genre in GENRES)


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """Read GTZAN's genres, and its split if there are lists of it.

    A genre is the name of its folder. An id is the name of its file with `_` for the dot:
    `blues_00029`.

    The set has no artist names, but many clips of one artist, and repetitions. The artist-filtered
    split of C. Kereliuk, B. L. Sturm, J. Larsen (Deep learning and music adversaries. IEEE
    Transactions on Multimedia 17(11), 2015) mends that with three lists of 443, 197 and 290 clips.

    Args:
        audio_dir: Holds `blues/blues.00029.wav` (or `.au`) and so on.
        table: None; the genres are the names of the folders.
        options: The `split_lists` are files with a line such as `blues/blues.00029.wav` a clip:
            training, validation, test. The first two are both `train` here; clips in no list are
            left out. Without lists there is no split.

    Raises:
        UserError: If the folder has no such clips, or a list is missing, empty or malformed, or
            names a clip that is not in the folder or in the lists already.
    """
    files = _files(audio_dir)
    notes = []
    if options.split_lists is None:
        splits = {}
        names = list(files)
        notes.append(
            "the split will not be artist-filtered: one artist can be on both sides, which makes results "
            "look better than they are; give GTZAN's artist-filtered lists (split_lists)"
        )
    else:
        splits = _read_lists(options.split_lists)
        missing = [name for name in splits if name not in files]
        notes += [f"left out: {name}, not in {audio_dir}" for name in missing if _id(name) in KNOWN_FAULTS]
        needed = [name for name in missing if _id(name) not in KNOWN_FAULTS]
        if needed:
            raise UserError(
                f"{audio_dir}: {name_ids(needed)} is in the split lists and not in the folder; "
                f"restore the file or delete the line"
            )
        names = [name for name in files if name in splits]
    clips = pd.DataFrame({ID: [_id(name) for name in names], FILE: [files[name] for name in names]})
    clips[GENRE] = [name.partition(".")[0] for name in names]
    if splits:
        clips[SPLIT] = [splits[name] for name in names]
    return LabelledAudio(
        audio_dir,
        LabelTable(clips, (), audio_dir),
        lacking="no line in the split lists" if splits else "no name as GTZAN's clips have",
        name=f"GTZAN ({'artist-filtered split' if splits else 'not artist-filtered'})",
        terms=f"{LICENCE}; cite {'; '.join(CITATIONS)}",
        notes=tuple(notes),
        known_faults=KNOWN_FAULTS,
    )


def _id(name: str) -> str:
    return name.replace(".", "_")


def _clips(folder: Path) -> list[Path]:
    """The clips of a genre, in order."""
    clips = sorted(folder.glob(f"{folder.name}.*"))
    return [path for path in clips if path.suffix.lower() in _SUFFIXES and _NAME.fullmatch(path.stem)]


def _files(audio_dir: Path) -> dict[str, str]:
    """Names such as `blues.00029` to files, relative to the folder."""
    files: dict[str, str] = {}
    for path in (path for genre in GENRES for path in _clips(audio_dir / genre)):
        if path.stem in files:
            raise UserError(f"{path}: {files[path.stem]} is the same clip; delete one of them")
        files[path.stem] = f"{path.parent.name}/{path.name}"
    if not files:
        raise UserError(
            f"{audio_dir}: no clip such as blues/blues.00029.wav; give the folder of GTZAN's genre folders"
        )
    return files


def _read_lists(paths: Sequence[Path]) -> dict[str, str]:
    """Names such as `blues.00029` to `train` or `test`."""
    splits: dict[str, str] = {}
    for path, split in zip(paths, _LISTS, strict=True):
        for number, line in read_lines(
            path, "give GTZAN's lists, with a line such as blues/blues.00029.wav a clip"
        ):
            file = line.replace("\\", "/").rpartition("/")[2]
            name = file.removesuffix(Path(file).suffix) if file.endswith(_SUFFIXES) else file
            if not _NAME.fullmatch(name):
                raise UserError(
                    f"{path}: line {number}: {line!r} is not as blues/blues.00029.wav; correct it"
                )
            if name in splits:
                raise UserError(
                    f"{path}: line {number}: {name} is there twice, or in a list before; delete one line"
                )
            splits[name] = split
    return splits
