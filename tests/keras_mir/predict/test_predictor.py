"""Songs asked about from Python: cut, batched and joined so that nobody can tell."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from keras_mir.client import ServingError
from keras_mir.client.errors import Code
from keras_mir.predict.prediction import Failure
from keras_mir.predict.predictor import Predictor
from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.audio_files import decode

RATE = 1000  # Hz; the least that is allowed, so that minutes are small


class LoudnessModel:
    """Says of every 30 s what their loudest sample is, and has a beat in the middle of each."""

    def __init__(self, refuses: float = np.inf, code: Code = Code.RESOURCE_EXHAUSTED) -> None:
        self.batches: list[list[float]] = []
        self._refuses, self._code = refuses, code

    def __call__(self, files: list[bytes]) -> dict[str, np.ndarray]:
        sounds = [soundfile.read(io.BytesIO(file), dtype="float32") for file in files]
        self.batches.append([len(samples) / rate for samples, rate in sounds])
        if max(self.batches[-1]) > self._refuses:
            raise ServingError("here", "too much", "send less", code=self._code)
        counts = [max(1, round(seconds / 30)) for seconds in self.batches[-1]]
        starts, levels = np.zeros((2, len(files), max(counts)), np.float32)
        for row, ((samples, rate), count) in enumerate(zip(sounds, counts, strict=True)):
            pieces = np.array_split(samples, count)
            starts[row, :count] = np.cumsum([0, *map(len, pieces[:-1])]) / rate
            levels[row, :count] = [np.abs(piece).max() for piece in pieces]
        silent = levels.max(axis=1) == 0
        return {
            "error": np.where(silent, "silent: there is nothing to analyse", ""),
            "windows": np.where(silent, 0, counts),
            "window_starts": starts,
            "level": levels.mean(axis=1),
            "window_level": levels,
            "calm": 1 - levels.mean(axis=1),
            "window_calm": 1 - levels,
            "tempo": np.where(np.array(counts) > 1, 60.0, 120.0),
            "beat_counts": np.array(counts),
            "beat_times": starts + 15,
        }


def minutes(*levels: float) -> np.ndarray:
    """A minute of each level."""
    return np.repeat(np.array(levels, np.float32), 60 * RATE)


@pytest.fixture(scope="module")
def predictor(answer_tiny):
    return Predictor(answer_tiny)


def same(one, other) -> bool:
    return one.genre == other.genre and one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_array_file_and_folder_agree(predictor, songs):
    files = [predictor.predict_file(songs / name) for name in ("a.flac", "b.wav", "deep/c.ogg")]
    for file in files:
        assert same(predictor.predict_array(*decode(file.path)), file)
        assert sum(file.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert file.probabilities[file.genre] == max(file.probabilities.values())
        assert list(file.probabilities) == ["Blues", "Jazz", "Metal"]
    assert [round(file.duration, 2) for file in files] == [6, 9, 4]
    assert files[0].tempo > 40
    assert 0 < files[0].beat_times[0] < files[0].beat_times[-1] < 6
    assert [(window.start, window.end) for window in files[1].windows] == [(0, pytest.approx(9))]
    seen = []
    folder = list(predictor.predict_folder(songs, lambda *counts: seen.append(counts)))
    assert [answer.path for answer in folder] == [file.path for file in files]
    assert all(map(same, folder, files))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.slow
def test_a_model_is_named_as_for_the_command(audio_models, songs, predictor):
    expected = predictor.predict_file(songs / "a.flac")
    for place in (audio_models / "tiny", str(audio_models / "tiny/1")):
        with Predictor(place) as loaded:
            assert same(loaded.predict_file(songs / "a.flac"), expected)
    with Predictor("tiny", audio_models) as loaded:
        assert same(loaded.predict_file(songs / "a.flac"), expected)


def test_a_run_a_zip_and_a_model_on_a_hub_are_loaded(monkeypatch, answer_tiny, songs, predictor, tmp_path):
    trained = SimpleNamespace(audio_model=lambda: SimpleNamespace(answer_wav=answer_tiny))
    loaded = []
    monkeypatch.setattr("keras_mir.models.trained_model.load", lambda place: loaded.append(place) or trained)
    (tmp_path / "run.json").touch()
    for place in (str(tmp_path), "songs.zip", "hf://me/songs"):
        with Predictor(place) as model:
            assert same(model.predict_file(songs / "a.flac"), predictor.predict_file(songs / "a.flac"))
        assert loaded.pop() == place


def test_a_trained_model_needs_no_export(answer_tiny, songs, predictor):
    class Trained:
        def audio_model(self):
            return SimpleNamespace(answer_wav=answer_tiny)

    assert same(Predictor(Trained()).predict_file(songs / "a.flac"), predictor.predict_file(songs / "a.flac"))


def test_what_the_model_says_of_itself_is_in_the_prediction(predictor, songs):
    model = LoudnessModel()

    def noted(files):
        return {**model(files), "note": np.full(len(files), "not for you")}

    assert Predictor(noted).predict_array(minutes(0, 0.5), RATE).note == "not for you"
    assert Predictor(model).predict_array(minutes(0.5), RATE).note == ""  # exported before there were notes
    assert predictor.predict_file(songs / "a.flac").note == ""


def test_a_long_song_has_the_answers_of_its_windows(predictor, answer_tiny):
    random = np.random.default_rng(0)
    song = (random.normal(size=75 * 8000) * np.linspace(0.01, 0.3, 75 * 8000)).astype(np.float32)
    song = song.reshape(75, 8000) * (1 + 3 * (np.arange(8000) % 4000 < 400))  # 120 BPM
    song = song.reshape(-1)
    whole = predictor.predict_array(song, 8000)
    assert [round(window.start, 1) for window in whole.windows] == [0, 22.5, 45]
    cut = Predictor(answer_tiny, longest_seconds=60).predict_array(song, 8000)
    # What is left after the first window is 45 s, in two.
    assert [round(window.start, 1) for window in cut.windows] == [0, 30, 45]
    assert cut.windows[-1].end == pytest.approx(75)
    assert cut.windows[0].values == pytest.approx(whole.windows[0].values, abs=1e-5)
    assert cut.windows[2].values == pytest.approx(whole.windows[2].values, abs=1e-5)
    mean = np.mean([list(window.values.values()) for window in cut.windows], axis=0)
    assert list(cut.probabilities.values()) == pytest.approx(mean, abs=1e-6)
    assert (np.diff(cut.beat_times) > 0).all()
    assert cut.beat_times[-1] > 70


def test_parts_are_joined_in_time():
    model = LoudnessModel()
    song = minutes(0.1, 0.2, 0.3, 0.4)[: 215 * RATE]
    answer = Predictor(model, longest_seconds=120, batch_seconds=10).predict_array(song, RATE)
    assert model.batches == [[90.0], [90.0], [35.0]]
    assert [round(window.start) for window in answer.windows] == [0, 30, 60, 90, 120, 150, 180]
    assert [round(window.end) for window in answer.windows] == [30, 60, 90, 120, 150, 180, 215]
    levels = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4]
    assert [window.values["level"] for window in answer.windows] == pytest.approx(levels)
    assert answer.affect == pytest.approx({"calm": 1 - np.mean(levels), "level": np.mean(levels)})
    assert (answer.genre, answer.probabilities) == ("", {})
    assert answer.beat_times == pytest.approx([15, 45, 75, 105, 135, 165, 195])
    assert answer.tempo == pytest.approx((6 * 60 + 120) / 7)
    assert answer.duration == pytest.approx(215)


def test_a_tagger_s_windows_end_where_the_next_begins():
    def tagger(files):
        starts = np.array([[0, 3]] * len(files), np.float32)
        rows = {"error": [""], "windows": [2], "level": [0.5]}
        return {
            "window_starts": starts,
            "window_level": starts,
            **{name: np.array(row * len(files)) for name, row in rows.items()},
        }

    answer = Predictor(tagger).predict_array(minutes(0.5)[: 8 * RATE], RATE)
    assert [(window.start, window.end) for window in answer.windows] == [(0, 3), (3, 6)]


def test_a_high_rate_is_asked_about_in_shorter_parts(monkeypatch):
    monkeypatch.setattr("keras_mir.predict.predictor._FULL_RATE", RATE / 2)
    model = LoudnessModel()
    Predictor(model, longest_seconds=180).predict_array(minutes(0.1, 0.2, 0.3), RATE)
    assert model.batches == [[60.0], [60.0], [60.0]]


def test_silent_stretches_of_a_song_have_no_say():
    predictor = Predictor(LoudnessModel(), longest_seconds=60)
    answer = predictor.predict_array(minutes(0.5, 0, 0, 0.5), RATE)
    assert answer.affect["level"] == pytest.approx(0.5)
    assert answer.duration == 240
    assert [window.end for window in answer.windows] == [30, 60, 210, 240]
    with pytest.raises(UserError, match=r"^samples: silent: there is nothing to analyse; leave it out$"):
        predictor.predict_array(minutes(0, 0, 0), RATE)


def test_short_songs_go_together(tmp_path):
    lengths = [3, 5, 4, 20, 3, 3]
    for number, seconds in enumerate(lengths):
        level = np.full(seconds * RATE, (number + 1) / 10, np.float32)
        soundfile.write(tmp_path / f"{number}.wav", level, RATE, subtype="FLOAT")
    model = LoudnessModel()
    answers = list(Predictor(model, batch_seconds=20).predict_folder(tmp_path))
    assert [answer.affect["level"] for answer in answers] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert model.batches == [[3, 5, 4], [20], [3, 3]]


def test_goes_on_after_songs_without_an_answer(predictor, songs, tmp_path):
    good, _ = soundfile.read(songs / "a.flac", dtype="float32")
    broken = good.copy()
    broken[1000] = np.nan
    contents = {
        "a-nan": broken,
        "b-good": good,
        "c-empty": good[:0],
        "d-short": good[:5000],
        "e-silent": 0 * good,
    }
    for name, samples in contents.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 22050, subtype="FLOAT")
    (tmp_path / "f-text.mp3").write_text("no music")
    soundfile.write(tmp_path / "g-good.flac", good, 22050)
    outcomes = list(predictor.predict_files([*sorted(tmp_path.iterdir()), tmp_path / "missing.wav"]))
    reasons = [outcome.reason if isinstance(outcome, Failure) else "" for outcome in outcomes]
    assert reasons == [
        f"{tmp_path}/a-nan.wav: has samples that are NaN or infinite; export the audio again",
        "",
        f"{tmp_path}/c-empty.wav: without a single sample; leave it out",
        f"{tmp_path}/d-short.wav: shorter than 0.5 s: there is too little to analyse; leave it out",
        f"{tmp_path}/e-silent.wav: silent: there is nothing to analyse; leave it out",
        reasons[5],
        "",
        f"{tmp_path}/missing.wav: no such file or directory; check the file",
    ]
    assert "f-text.mp3: cannot be decoded" in reasons[5]
    expected = predictor.predict_file(songs / "a.flac")
    assert same(outcomes[1], expected)
    assert same(outcomes[6], expected)
    with pytest.raises(UserError, match="shorter than"):
        predictor.predict_file(tmp_path / "d-short.wav")


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.ones(1000, np.int16), RATE, "dtype int16: give floats"),
        (np.ones((1000, 2)), RATE, "more channels than samples"),
        (np.ones((1, 1, 1000)), RATE, "shape"),
        (np.ones(1000), 0, "a sample rate of 0 Hz"),
        (np.full(1000, 1e30), RATE, "has samples of 1e\\+30, and full scale is 1"),
        (np.array([np.inf, -np.inf] * 500).reshape(2, 500), RATE, "NaN or infinite"),
        (np.zeros(0), RATE, "without a single sample"),
    ],
)
def test_arrays_that_are_not_sound(samples, rate, reason):
    with pytest.raises(UserError, match=reason):
        Predictor(LoudnessModel()).predict_array(samples, rate)


def test_a_refused_request_is_sent_song_by_song(tmp_path):
    for number, seconds in enumerate([3, 9, 4]):
        soundfile.write(tmp_path / f"{number}.wav", np.full(seconds * RATE, 0.5), RATE)
    model = LoudnessModel(refuses=5)
    first, second, third = Predictor(model).predict_folder(tmp_path)
    assert first.duration == 3
    assert second == Failure(tmp_path / "1.wav", f"{tmp_path}/1.wav: here: too much; send less")
    assert third.duration == 4
    assert model.batches == [[3, 9, 4], [3], [9], [4]]


def test_a_server_that_is_gone_ends_it(tmp_path):
    for number, seconds in enumerate([3, 9, 4]):
        soundfile.write(tmp_path / f"{number}.wav", np.full(seconds * RATE, 0.5), RATE)
    answers = Predictor(LoudnessModel(5, Code.UNAVAILABLE), batch_seconds=1).predict_folder(tmp_path)
    assert next(answers).duration == 3
    with pytest.raises(ServingError, match="too much"):
        next(answers)


def test_models_of_others_are_refused():
    with pytest.raises(UserError, match=r"without error, window_starts, windows; take one exported by"):
        Predictor(lambda files: {"genre": np.array(["Jazz"])}).predict_array(minutes(0.5), RATE)


def test_windows_are_not_cut():
    with pytest.raises(ArgumentError, match=r"^longest_seconds 50: give 60 or more$"):
        Predictor(LoudnessModel(), longest_seconds=50)
