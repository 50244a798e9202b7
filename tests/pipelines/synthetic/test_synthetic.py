"""The built-in corpus: what its clips and its folder promise."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.errors import UserError
from pipelines.synthetic.arrange import arrange, form_band
from pipelines.synthetic.corpus import COLUMNS, write_corpus
from pipelines.synthetic.render import Clip, render_clip
from pipelines.synthetic.styles import GENRES, STYLES

AFFECTS = ("valence", "energy", "danceability")
SMALL: dict[str, Any] = {"clips_per_genre": 4, "duration_s": 1.0}


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Eight clips of five seconds for each genre."""
    return [render_clip(genre, seed, duration_s=5.0) for genre in GENRES for seed in range(8)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, **SMALL)
    return folder


def magnitudes(audio: np.ndarray, frame: int = 1024, hop: int = 256) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(audio, frame)[::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(frame)))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_ten_mapped_genres() -> None:
    assert " ".join(GENRES) == "Blues Classical Electronic Folk Hip-Hop Jazz Metal Pop Rock Trip-Hop"


@pytest.mark.parametrize("genre", GENRES)
def test_a_seed_gives_one_clip(genre: str) -> None:
    first, again, other = (render_clip(genre, seed, duration_s=2.0) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.audio, again.audio)
    np.testing.assert_array_equal(first.beat_times, again.beat_times)
    assert first.affect == again.affect
    assert not np.array_equal(first.audio, other.audio)


def test_audio_is_playable(clips: list[Clip]) -> None:
    for clip in clips:
        assert clip.audio.dtype == np.float32
        assert clip.audio.shape == (5 * 22050,)
        assert np.isfinite(clip.audio).all()
        assert 0.5 < np.abs(clip.audio).max() <= 1


@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_other_sample_rates(sample_rate: int) -> None:
    clip = render_clip("Metal", 0, duration_s=1.5, sample_rate=sample_rate)
    assert clip.sample_rate == sample_rate
    assert clip.audio.shape == (int(1.5 * sample_rate),)
    assert np.isfinite(clip.audio).all()


def test_beats_are_steady_and_within_the_clip(clips: list[Clip]) -> None:
    for clip in clips:
        assert clip.beat_times.dtype == np.float64
        assert clip.beat_times[0] >= 0
        assert clip.beat_times[-1] < 5.0
        # No room for a further beat at either end.
        assert clip.beat_times[0] < 60 / clip.tempo
        assert clip.beat_times[-1] + 60 / clip.tempo >= 5.0
        np.testing.assert_allclose(np.diff(clip.beat_times), 60 / clip.tempo, atol=1e-9)


def test_swing_moves_the_off_beats_and_not_the_beats() -> None:
    rng = np.random.default_rng(0)
    hats: list[tuple[float, float, np.ndarray]] = []
    while len(hats) < 5:
        band = form_band(STYLES["Blues"], rng)  # its swing is .60 to .67, its looseness at most 18 ms
        score = arrange(band, 12.0, rng)
        beats = (
            (np.array([hit.start_s for hit in score.drums["hat"]]) - score.beat_times[0]) * score.tempo / 60
        )
        if len(beats) > 6 * len(score.beat_times) // 4:  # a hat on every eighth
            hats.append((band.swing, score.tempo, beats))
    for swing, tempo, beats in hats:
        loose = 0.018 * tempo / 60
        within = np.mod(beats + 0.25, 1) - 0.25
        assert np.all((np.abs(within) <= loose + 1e-9) | (np.abs(within - swing) <= loose + 1e-9))
        assert np.mean(np.abs(within - swing) <= loose + 1e-9) > 0.4


def test_beats_can_be_heard(clips: list[Clip]) -> None:
    """Spectral flux near the beats stands out from the mean of the same clip."""
    ratios = []
    for clip in clips:
        flux = np.maximum(np.diff(np.log1p(magnitudes(clip.audio)), axis=0), 0).sum(axis=1)
        centres = (np.arange(len(flux)) + 0.5) * 256 + 512
        distance = np.abs(centres[:, None] / 22050 - clip.beat_times).min(axis=1)
        # The frame holds 46 ms and meets an onset up to half of that early.
        ratios.append(flux[distance < 0.025].mean() / flux.mean())
    assert np.median(ratios) > 1.5
    assert np.mean(np.array(ratios) > 1.1) > 0.9


def test_affect_follows_what_is_heard(clips: list[Clip]) -> None:
    rated = {name: np.array([clip.affect[name] for clip in clips]) for name in AFFECTS}
    for values in rated.values():
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.std() > 0.1
    level = [np.sqrt(np.mean(clip.audio**2)) for clip in clips]
    spectra = [magnitudes(clip.audio).mean(axis=0) for clip in clips]
    centroid = [np.average(np.arange(len(spectrum)), weights=spectrum) for spectrum in spectra]
    tempo = np.array([clip.tempo for clip in clips])
    assert spearmanr(level, rated["energy"]).statistic > 0.5
    assert spearmanr(centroid, rated["energy"]).statistic > 0.3
    assert spearmanr(tempo, rated["valence"]).statistic > 0.3
    danced = rated["danceability"]
    drummed = np.isin([clip.genre for clip in clips], ["Electronic", "Hip-Hop", "Pop"])
    assert danced[drummed].mean() > danced[~drummed].mean() + 0.1


def test_genres_can_be_told_apart_but_not_always(clips: list[Clip]) -> None:
    statistics = []
    for clip in clips:
        spectrum = np.log(magnitudes(clip.audio)[:, 1:] + 1e-4)
        bands = np.stack([part.mean(axis=1) for part in np.array_split(spectrum, 32, axis=1)], axis=1)
        statistics.append(np.concatenate([bands.mean(0), bands.std(0), np.diff(bands, axis=0).std(0)]))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    accuracy = cross_val_score(model, np.array(statistics), [clip.genre for clip in clips], cv=4).mean()
    assert 0.25 < accuracy < 0.95  # chance is 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"genre": "Polka"}, "genre 'Polka': unknown; choose one of Blues, Classical"),
        ({"seed": -1}, "seed -1"),
        ({"duration_s": 0.5}, "duration 0.5 s"),
        ({"duration_s": float("nan")}, "duration nan s"),
        ({"sample_rate": 4000}, "sample rate 4000 Hz"),
    ],
)
def test_impossible_clips_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        render_clip(**{"genre": "Jazz", "seed": 0, **arguments})


def test_the_folder_is_described_by_its_labels(corpus: Path) -> None:
    labels = pd.read_csv(corpus / "labels.csv")
    assert tuple(labels.columns) == COLUMNS
    assert len(labels) == 40
    assert labels["id"].is_unique
    assert labels["genre"].value_counts().to_dict() == dict.fromkeys(GENRES, 4)
    assert labels.loc[0, "id"] == "blues_000"
    for name, file in zip(labels["id"], labels["file"], strict=True):
        audio, sample_rate = soundfile.read(corpus / file)
        assert (sample_rate, audio.shape) == (22050, (22050,))
        assert Path(file).stem == name
        beats = np.loadtxt(corpus / "beats" / f"{name}.beats.csv", ndmin=1)
        assert np.all((beats >= 0) & (beats < 1))
    assert ((labels[list(AFFECTS)] >= 0) & (labels[list(AFFECTS)] <= 1)).all(axis=None)


def test_the_folder_says_that_it_is_synthetic(corpus: Path) -> None:
    readme = (corpus / "README.txt").read_text()
    assert readme.splitlines()[0] == "This is SYNTHETIC music generated by keras_mir, not recordings."
    for name in AFFECTS:
        assert f"\n{name} " in readme
    assert json.loads((corpus / "corpus.json").read_text())["synthetic"] is True


def test_no_band_is_on_both_sides_and_every_genre_is(tmp_path: Path) -> None:
    labels = pd.read_csv(write_corpus(tmp_path, clips_per_genre=12, duration_s=1.0))
    assert (labels.groupby("artist")["split"].nunique() == 1).all()
    assert (labels.groupby("artist")["genre"].nunique() == 1).all()
    assert (labels.groupby("genre")["split"].nunique() == 2).all()
    assert (labels.groupby("artist").size() == 3).all()
    assert (labels["split"] == "test").mean() == 0.25


def test_a_band_keeps_its_tempo(corpus: Path) -> None:
    labels = pd.read_csv(corpus / "labels.csv")
    beats = [np.loadtxt(corpus / "beats" / f"{name}.beats.csv", ndmin=1) for name in labels["id"]]
    labels["period"] = [np.diff(times).mean() if len(times) > 1 else np.nan for times in beats]
    spread = labels.groupby("artist")["period"].agg(lambda period: period.max() / period.min()).dropna()
    assert spread.max() < 1.4
    assert labels["period"].max() / labels["period"].min() > 1.4


def test_a_finished_corpus_is_left_alone(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    calls: list[tuple[int, int]] = []
    labels = write_corpus(corpus, **SMALL, progress=lambda done, total: calls.append((done, total)))
    assert labels == corpus / "labels.csv"
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before
    assert calls == []


def test_a_missing_clip_is_rendered_again_and_no_other(tmp_path: Path) -> None:
    write_corpus(tmp_path, **SMALL)
    before = contents(tmp_path)
    kept = tmp_path / "audio" / "jazz_001.flac"
    (tmp_path / "audio" / "jazz_002.flac").unlink()
    written = kept.stat().st_mtime_ns
    write_corpus(tmp_path, **SMALL)
    assert contents(tmp_path) == before
    assert kept.stat().st_mtime_ns == written


def test_an_interrupted_corpus_is_finished_by_the_next_call(corpus: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path, **SMALL, progress=interrupt)
    assert not (tmp_path / "labels.csv").exists()
    early = tmp_path / "audio" / "blues_000.flac"
    written = early.stat().st_mtime_ns
    calls: list[tuple[int, int]] = []
    write_corpus(tmp_path, **SMALL, progress=lambda done, total: calls.append((done, total)))
    assert contents(tmp_path) == contents(corpus)
    assert early.stat().st_mtime_ns == written
    assert calls == [(done, 40) for done in range(1, 41)]


def test_a_full_disk_leaves_no_half_file(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "blues_002.flac" not in path.name:
            return write_bytes(path, data)
        write_bytes(path, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            write_corpus(tmp_path, **SMALL)
    assert sorted(path.name for path in (tmp_path / "audio").iterdir()) == [
        "blues_000.flac",
        "blues_001.flac",
    ]
    write_corpus(tmp_path, **SMALL)
    assert contents(tmp_path) == contents(corpus)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"clips_per_genre": 5}, "clips_per_genre 4, not 5"),
        ({"duration_s": 2.0}, "duration_s 1.0, not 2.0"),
    ],
)
def test_other_parameters_in_the_same_folder_are_refused(
    corpus: Path, changed: dict[str, Any], message: str
) -> None:
    before = contents(corpus)
    with pytest.raises(UserError, match=message):
        write_corpus(corpus, **{**SMALL, **changed})
    assert contents(corpus) == before


def test_a_corpus_of_another_generator_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text(
        '{"synthetic": true, "generator": "keras_mir", "generator_version": 0}'
    )
    with pytest.raises(UserError, match="generator_version 0"):
        write_corpus(tmp_path, **SMALL)


@pytest.mark.parametrize("text", ["not json", "[]"])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(UserError, match=r"corpus\.json: damaged, not .*; delete the folder or name another"):
        write_corpus(tmp_path, **SMALL)


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        write_corpus(tmp_path, **SMALL)
    with pytest.raises(UserError, match="is a file"):
        write_corpus(tmp_path / "mine.txt", **SMALL)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clips_per_genre": 1}, "clips per genre 1"),
        ({"seed": -2}, "seed -2"),
        ({"duration_s": 0.0}, "duration 0 s"),
    ],
)
def test_impossible_corpora_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    folder = tmp_path / "new"
    with pytest.raises(UserError, match=message):
        write_corpus(folder, **{**SMALL, **arguments})
    assert not folder.exists()
