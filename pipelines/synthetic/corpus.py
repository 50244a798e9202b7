"""The built-in corpus: a folder of synthetic clips with labels, beats and a note on what it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import UserError
from pipelines.files import read_json, write_atomically, write_json
from pipelines.synthetic.affect import FORMULAS
from pipelines.synthetic.arrange import form_band
from pipelines.synthetic.render import GENERATOR_VERSION, Clip, check_format, perform
from pipelines.synthetic.styles import GENRES, STYLES

SAMPLE_RATE = 22050  # Hz
COLUMNS = ("id", "file", "genre", "valence", "energy", "danceability", "artist", "split")
MANIFEST, LABELS, README = "corpus.json", "labels.csv", "README.txt"
_UNFINISHED_LABELS = "labels.unfinished.csv"
_CLIPS_PER_BAND = 3
_TEST_SHARE = 0.25

_FIRST_WORDS = (
    "Amber Borrowed Brass Candle Copper Crooked Distant Dusty Early Eleventh Feather Fifth Folded Gentle "
    "Glass Granite Hidden Hollow Idle Inland Ivory Kettle Lantern Late Linen Lonely Marble Midday Modest "
    "Narrow Ninth Northern Papered Patient Pewter Quiet Rainy Rented Salted Second Slanted Spare Tidal Upper "
    "Velvet Wooden"
)
_SECOND_WORDS = (
    "Almanac Anchors Arcade Attic Badgers Balcony Beacons Bicycles Cabinet Canal Cartographers Chimneys "
    "Clerks Compass Curtains Ferries Gardeners Harbour Herons Hinges Inkwells Junction Knapsacks Ladders "
    "Lighthouse Magpies Mapmakers Meadow Mittens Orchard Otters Parasols Pavement Pigeons Quarry Ravines "
    "Rowers Saucers Signals Sparrows Staircase Teapots Tenants Thimbles Umbrellas Viaduct Wardrobe"
)


@dataclass(frozen=True)
class _Plan:
    """One clip of the corpus before it is rendered.

    Attributes:
        row: Its line in the label table, as far as it is known: all but the affect values.
        genre: Position in `GENRES`.
        band: Number of the band in its genre.
        take: Number of the clip in its genre.
    """

    row: dict[str, str]
    genre: int
    band: int
    take: int

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Its audio and its beats."""
        return folder / self.row["file"], folder / "beats" / f"{self.row['id']}.beats.csv"


def write_corpus(
    folder: Path,
    clips_per_genre: int = 24,
    duration_s: float = 12.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a corpus of synthetic music, or finish one, or find it there already.

    The folder gets `audio/<id>.flac` (16 bit, mono, 22,050 Hz), `beats/<id>.beats.csv` (one beat
    time in seconds a line), `labels.csv` with `COLUMNS`, `README.txt`, and `corpus.json` with the
    parameters. Clips of one band share tuning, tempo and instruments, and its clips are all in `train`
    or all in `test`. Every file appears whole or not at all, `labels.csv` after all audio; after an
    interruption, or where files are missing, a further call renders only what is not there.

    Args:
        folder: Where to write; new, empty, or an earlier corpus with the same parameters.
        clips_per_genre: Clips of each of the ten genres, 2 or more; about a quarter is `test`.
        duration_s: Length of a clip in seconds.
        seed: Same seed, same corpus.
        progress: Called with `(clips done, clips in all)` after each clip.

    Returns:
        The path of `labels.csv`.

    Raises:
        UserError: If an argument is out of its range, or the folder holds anything else.
    """
    if clips_per_genre < 2:
        raise UserError(
            f"clips per genre {clips_per_genre}: give 2 or more, to have some to train and to test on"
        )
    check_format(seed, duration_s, SAMPLE_RATE)
    parameters = {
        "synthetic": True,
        "generator": "keras_mir",
        "generator_version": GENERATOR_VERSION,
        "clips_per_genre": clips_per_genre,
        "duration_s": float(duration_s),
        "sample_rate": SAMPLE_RATE,
        "seed": seed,
    }
    plans = _plan(clips_per_genre, seed)
    files = [folder / LABELS, folder / README, *(path for plan in plans for path in plan.files(folder))]
    if _check_folder(folder, parameters) and all(path.exists() for path in files):
        return folder / LABELS
    write_json(folder / MANIFEST, {**parameters, "finished": False})
    rows = _render_missing(folder, plans, duration_s, seed, progress)
    write_atomically(folder / README, _readme(parameters).encode())
    _write_rows(folder / LABELS, rows)
    (folder / _UNFINISHED_LABELS).unlink(missing_ok=True)
    write_json(folder / MANIFEST, {**parameters, "finished": True})
    return folder / LABELS


def _plan(clips_per_genre: int, seed: int) -> list[_Plan]:
    bands = max(2, round(clips_per_genre / _CLIPS_PER_BAND))
    test_bands = max(1, round(_TEST_SHARE * bands))
    names = [f"The {first} {second}" for first in _FIRST_WORDS.split() for second in _SECOND_WORDS.split()]
    rng = np.random.default_rng((seed, len(GENRES)))
    order = rng.permutation(len(names))
    digits = max(3, len(str(clips_per_genre - 1)))
    plans = []
    for number, genre in enumerate(GENRES):
        tested = set(rng.permutation(bands)[:test_bands].tolist())
        for clip in range(clips_per_genre):
            band = clip * bands // clips_per_genre
            again, name = divmod(number * bands + band, len(names))
            identity = f"{genre.lower()}_{clip:0{digits}d}"
            row = {
                "id": identity,
                "file": f"audio/{identity}.flac",
                "genre": genre,
                "artist": names[order[name]] + (f" {again + 1}" if again else ""),
                "split": "test" if band in tested else "train",
            }
            plans.append(_Plan(row, number, band, clip))
    return plans


def _check_folder(folder: Path, parameters: dict[str, Any]) -> bool:
    """Whether the folder says that it holds the finished corpus of these parameters.

    Raises:
        UserError: If it is a file, or holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder for the synthetic corpus")
    manifest = folder / MANIFEST
    if not manifest.exists():
        if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise UserError(
                f"{folder}: holds other files; name a new or empty folder for the synthetic corpus"
            )
        return False
    found = read_json(manifest, "delete the folder or name another")
    for name, value in parameters.items():
        if found.get(name) != value:
            raise UserError(
                f"{folder}: holds a synthetic corpus with {name} {found.get(name)}, not {value}; "
                f"delete the folder or name another"
            )
    return found.get("finished") is True


def _render_missing(
    folder: Path,
    plans: list[_Plan],
    duration_s: float,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, str]]:
    """Render the clips that are not there and return the label rows of all."""
    kept = _read_rows(folder)
    rows: list[dict[str, str]] = []
    for done, plan in enumerate(plans, start=1):
        audio, beats = plan.files(folder)
        row = kept.get(plan.row["id"])
        if row is None or not (audio.exists() and beats.exists()):
            band = form_band(
                STYLES[GENRES[plan.genre]], np.random.default_rng((seed, plan.genre, plan.band, 0))
            )
            rng = np.random.default_rng((seed, plan.genre, plan.band, 1 + plan.take))
            clip = perform(band, rng, duration_s, SAMPLE_RATE)
            _write_clip(clip, audio, beats)
            row = {**plan.row, **{name: f"{value:.4f}" for name, value in clip.affect.items()}}
        rows.append(row)
        last_of_band = done == len(plans) or plans[done].row["artist"] != plan.row["artist"]
        if last_of_band:  # so that an interruption costs three clips at most
            later = [kept[other.row["id"]] for other in plans[done:] if other.row["id"] in kept]
            _write_rows(folder / _UNFINISHED_LABELS, rows + later)
        if progress is not None:
            progress(done, len(plans))
    return rows


def _write_clip(clip: Clip, audio: Path, beats: Path) -> None:
    import soundfile

    # Encoded in memory, so that a full disk is an OSError, as for every other file.
    encoded = io.BytesIO()
    soundfile.write(encoded, clip.audio, clip.sample_rate, format="FLAC", subtype="PCM_16")
    write_atomically(beats, "".join(f"{time:.6f}\n" for time in clip.beat_times).encode())
    write_atomically(audio, encoded.getvalue())


def _read_rows(folder: Path) -> dict[str, dict[str, str]]:
    """The label rows an earlier call left, by id."""
    for name in (_UNFINISHED_LABELS, LABELS):
        if (folder / name).exists():
            with (folder / name).open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if tuple(row) == COLUMNS and all(row.values())]
                return {row["id"]: row for row in rows}
    return {}


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def _readme(parameters: dict[str, Any]) -> str:
    return f"""\
This is SYNTHETIC music generated by keras_mir, not recordings.

Seeded rough imitations of ten genres, made from synthesised tones and drums alone. Nothing measured on
it says how well a model does on real music; it is here to try the way from audio to a served model
without data of one's own. The bands in the "artist" column are fictitious; clips of one band share
instruments, tuning and tempo, and a band is either in train or in test.

audio/<id>.flac         mono, {parameters["sample_rate"]} Hz, 16 bit, {parameters["duration_s"]:g} s
beats/<id>.beats.csv    true beat times in seconds, one a line
labels.csv              {", ".join(COLUMNS)}
corpus.json             the parameters: generator version {parameters["generator_version"]}, \
seed {parameters["seed"]}, {parameters["clips_per_genre"]} clips a genre

How valence, energy and danceability are made
---------------------------------------------
{FORMULAS}"""
