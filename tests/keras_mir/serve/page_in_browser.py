"""The page in a real browser, asking a real server: `tox -e page`.

Its name keeps it out of the ordinary tests, which need no browser. CHROMIUM is the path of one;
without it, the one that `playwright install chromium` downloads is taken.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect, sync_playwright

from keras_mir.embed.table import Row, table_of, write_table
from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.models.audio_model import AudioModel, note_for
from keras_mir.models.build import build_model
from keras_mir.models.embedding import Maker
from keras_mir.models.outputs import Outputs
from keras_mir.models.report import Dataset
from keras_mir.predict.prediction import Prediction
from keras_mir.predict.predictor import Predictor
from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.serve.similar import SimilarSongs
from keras_mir.similar.similar import Similar
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec
from pipelines.synthetic.render import render_clip

RATE = 22050
CLASSES = ("Blues", "Jazz", "Metal")
TARGETS = ("calmness", "power")
ANSWERED = 60_000  # milliseconds; the first answer of a model takes longest


NOTE = note_for(Dataset("", synthetic=True, licence=""))


def export(
    root: Path,
    name: str,
    classes: tuple[str, ...] | None,
    targets: tuple[str, ...] = (),
    sound: bool = True,
    note: str = "",
    tags: tuple[str, ...] = (),
    thresholds: tuple[float, ...] = (),
) -> None:
    spec, settings = FeatureSpec(), InputSettings("mel", sync="beat")
    keras.utils.set_random_seed(1)
    model = build_model(
        ModelSettings(kind="lstm", units=4, layers=1),
        bands=spec.width("mel"),
        time=None,
        classes=classes,
        targets=targets,
        tags=tags,
        spec=spec,
        feature="mel",
        band_mean=np.full(spec.n_mels, -80.0),
        band_variance=np.full(spec.n_mels, 80.0**2),
    )
    names = Outputs(classes or (), targets, tags).names

    def answers(built: keras.Model) -> AudioModel:
        return AudioModel(built, names, settings, None, spec, note, thresholds=thresholds)

    export_savedmodel(
        model,
        root,
        name,
        description={},
        names=names,
        spec=spec,
        thresholds=thresholds,
        audio_model=answers if sound else None,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A genre model, an affect model trained on generated music, and one that takes features alone."""
    root = tmp_path_factory.mktemp("models")
    export(root, "genre", CLASSES)
    export(root, "affect", None, TARGETS, note=NOTE)
    export(root, "features", CLASSES, sound=False)
    return root


class Serve:
    """`python -m keras_mir.serve` in a process of its own."""

    def __init__(self, models: Path, *options: str) -> None:
        command = [sys.executable, "-m", "keras_mir.serve", "--models", str(models), "--port", "0"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            [*command, "--grpc-port", "0", *options], stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stderr is not None
        log = ""
        while (found := re.search(r"a page to try it at (http\S+/);", log)) is None:
            line = self._process.stderr.readline()
            assert line, log
            log += line
        self.url = found[1]

    def __enter__(self) -> Serve:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="module")
def url(models) -> Iterator[str]:
    with Serve(models) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=arguments)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and what it did that nobody sees."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def choose(self, song: Path) -> None:
        self.page.set_input_files("#file", song)

    def answer(self, model: str) -> Any:
        card = self.page.get_by_role("region", name=f"Answer of {model}", exact=True)
        expect(card).not_to_have_attribute("aria-busy", "true", timeout=ANSWERED)
        return card

    def values(self, model: str) -> dict[str, str]:
        """The bars of a model's answer, as a person reads them."""
        rows = self.answer(model).locator(".bars li").all()
        return {row.locator(".name").inner_text(): row.locator(".value").inner_text() for row in rows}


@pytest.fixture
def visit(browser, url) -> Iterator[Visit]:
    """The page as it is first seen; afterwards, that it asked nobody else and complained of nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["microphone"])
    visit = Visit(context.new_page())
    # From now on, or a key pressed at once would open a chooser before it is listened for.
    visit.page.on("filechooser", lambda _: None)
    visit.page.on("console", lambda message: visit.complaints.append(message.text))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("request", lambda request: visit.sent.append(request.post_data or ""))
    visit.page.goto(url)
    expect(visit.page.get_by_role("checkbox")).to_have_count(3)
    yield visit
    context.close()
    assert visit.complaints == []
    assert [one for one in visit.requests if not one.startswith((url, "blob:", "data:"))] == []


def write_wav(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    samples = np.asarray(render_clip("Rock", 3, 12.0).audio)
    return write_wav(tmp_path_factory.mktemp("songs") / "twelve seconds.wav", samples)


def percents(values: dict[str, str]) -> dict[str, float]:
    assert all(text.endswith("%") for text in values.values())
    return {name: float(text.removesuffix("%")) / 100 for name, text in values.items()}


def test_a_song_is_answered_as_predict_answers_it(visit, models, song):
    visit.choose(song)
    with Predictor(models / "genre") as genre, Predictor(models / "affect") as affect:
        expected, feeling = genre.predict_file(song), affect.predict_file(song).affect
    shares = percents(visit.values("genre"))
    assert sum(shares.values()) == pytest.approx(1, abs=0.0005 * len(CLASSES) + 1e-9)
    assert shares == pytest.approx(dict(expected.probabilities), abs=0.002)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert {name: float(text) for name, text in visit.values("affect").items()} == pytest.approx(
        dict(feeling), abs=0.006
    )
    status = visit.page.get_by_role("status")
    expect(status).to_contain_text(f"genre: {expected.genre}, ")
    expect(visit.page.locator("#facts")).to_contain_text(
        f"0:12 · {expected.tempo:.0f} beats per minute · {len(expected.beat_times)} beats"
    )
    drawn = visit.page.locator("#beats path").get_attribute("d")
    times = [float(time) for time in re.findall(r"M([\d.]+) 0V1", drawn)]
    assert times == pytest.approx(list(expected.beat_times), abs=0.03)
    widths = visit.page.eval_on_selector_all(
        "[aria-label='Answer of genre'] .fill", "bars => bars.map(bar => parseFloat(bar.style.width))"
    )
    assert [width / 100 for width in widths] == pytest.approx(list(shares.values()), abs=0.001)


def test_tags_that_reach_their_thresholds_are_the_answer(browser, tmp_path, song):
    export(tmp_path, "tags", None, tags=("guitar", "live", "rock"), thresholds=(0.99, 0.01, 0.02))
    with Predictor(tmp_path / "tags") as predictor:
        expected = predictor.predict_file(song)
    assert sorted(expected.given_tags) == ["live", "rock"]
    with Serve(tmp_path) as server, browser.new_page() as page:
        page.goto(server.url)
        expect(page.get_by_role("checkbox")).to_be_checked()
        visit = Visit(page)
        visit.choose(song)
        check_tags(visit, expected)


def test_several_heads_are_answered_one_below_the_other(browser, tmp_path, song):
    tags = ("joyful_activation", "live", "rock")
    export(tmp_path, "heads", CLASSES, TARGETS, tags=tags, thresholds=(0.99, 0.01, 0.02), note=NOTE)
    with Predictor(tmp_path / "heads") as predictor:
        expected = predictor.predict_file(song)
    with Serve(tmp_path) as server, browser.new_page() as page:
        page.goto(server.url)
        expect(page.get_by_role("checkbox")).to_be_checked()
        visit = Visit(page)
        visit.choose(song)
        values = visit.values("heads")
        assert set(values) == {*CLASSES, *tags, *TARGETS}
        assert percents({name: values[name] for name in CLASSES}) == pytest.approx(
            dict(expected.probabilities), abs=0.002
        )
        assert percents({name: values[name] for name in tags}) == pytest.approx(
            dict(expected.tags), abs=0.002
        )
        assert [float(values[name]) for name in TARGETS] == pytest.approx(
            [expected.affect[name] for name in TARGETS], abs=0.006
        )
        card = visit.answer("heads")
        long = card.locator(".bars .name", has_text="joyful_activation")
        assert long.inner_html() == "joyful_<wbr>activation"  # else broken in mid-word
        assert card.locator("h4.of").all_inner_texts() == ["Genre", "Tags", "Affect"]
        first, second = card.locator(".verdict").all_inner_texts()
        assert first.startswith(f"{expected.genre} ")
        assert set(second.split(", ")) == set(expected.given_tags) == {"live", "rock"}
        expect(card.locator(".note")).to_have_text([NOTE])
        status = page.get_by_role("status")
        expect(status).to_contain_text(f"heads: {expected.genre}, ")
        expect(status).to_contain_text(f"; {TARGETS[0]} ")


def answer_wav(files: Sequence[bytes]) -> dict[str, np.ndarray]:
    """What a small model of vectors makes of a file: how loud and how rough its windows are."""
    samples, rate = soundfile.read(io.BytesIO(files[0]))
    windows = np.split(samples, range(30 * rate, len(samples), 30 * rate))
    vectors = [[np.std(window), np.std(np.diff(window))] for window in windows]
    outputs = {"error": [""], "embedding": [np.mean(vectors, axis=0)], "windows": [len(windows)]}
    return {name: np.array(value) for name, value in outputs.items()}


@pytest.fixture
def library(serving, tmp_path, monkeypatch) -> Iterator[Library]:
    """A server that was given a table of four songs, one in a folder of its own."""
    music = tmp_path / "music"
    (music / "other").mkdir(parents=True)
    rows = []
    for name in ("Rock", "Jazz", "Metal", "other/Blues"):
        path = write_wav(music / f"{name}.wav", np.asarray(render_clip(Path(name).name, 1, 8.0).audio))
        vector = answer_wav([path.read_bytes()])["embedding"][0].astype(np.float32)
        rows.append(Row(str(path), 8.0, 100.4, vector, 1, 1, name))
    write_table(table_of(rows, Maker("toy", "f" * 64, {})), tmp_path / "vectors.parquet")
    monkeypatch.setattr(Similar, "embedder", SimpleNamespace(answer_wav=answer_wav))
    (tmp_path / "models").mkdir()
    similar = SimilarSongs(tmp_path / "vectors.parquet", tmp_path / "models", [music])
    with serving(tmp_path / "models", similar=similar) as client:
        yield Library(f"http://{client.server.rest_address}", tmp_path / "vectors.parquet", music)


class Library(NamedTuple):
    url: str
    vectors: Path
    music: Path

    def nearest(self, song: Path) -> dict[str, float]:
        """By path, as `keras_mir.similar` says."""
        vector = answer_wav([song.read_bytes()])["embedding"][0]
        near = Similar(self.vectors)
        found = near.described(near.nearest(vector, (), 10))
        paths = [str(Path(path).relative_to(self.music)) for path in found["path"]]
        return dict(zip(paths, found["similarity"], strict=True))


def alike(page: Page) -> dict[str, float]:
    """The songs that the page lists, as a person reads them."""
    rows = page.get_by_role("region", name="Sounds like").get_by_role("listitem")
    expect(rows).to_have_count(4, timeout=ANSWERED)
    names, values = (rows.locator(part).all_inner_texts() for part in (".name", ".value"))
    assert {name.split("\n")[1] for name in names} == {"0:08 · 100 BPM"}
    return {name.split("\n")[0]: float(value) for name, value in zip(names, values, strict=True)}


def test_songs_that_sound_alike_stand_under_the_answers_and_play(browser, library, song):
    with browser.new_page() as page:
        page.goto(library.url)
        page.set_input_files("#file", song)
        found, expected = alike(page), library.nearest(song)
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, abs=0.002)
        first, second = (page.get_by_role("button", name=f"Play {path}") for path in list(found)[:2])
        first.click()
        expect(first).to_have_attribute("aria-pressed", "true")
        second.click()
        expect(second).to_have_attribute("aria-pressed", "true")
        expect(first).to_have_attribute("aria-pressed", "false")
        moves = (
            "other => new Promise(done => other.addEventListener('timeupdate', () => done(!other.paused)))"
        )
        assert page.eval_on_selector("#other", moves)
        assert page.eval_on_selector("#other", "other => other.duration") == pytest.approx(8, abs=0.1)
        (library.music / "Jazz.wav").unlink()
        page.get_by_role("button", name="Play Jazz.wav").click()
        expect(page.locator("#problem")).to_contain_text("Jazz.wav: not there any more")
        page.set_input_files("#file", song)
        expect(page.get_by_role("button", name="Play Jazz.wav")).to_have_count(0)
        assert alike(page) == found


def test_a_long_song_is_compared_by_the_mean_of_its_windows(browser, library, tmp_path):
    clips = [np.asarray(render_clip(style, 3, 31.0).audio) for style in ("Rock", "Jazz")]
    song = write_wav(tmp_path / "longer.wav", np.concatenate([np.tile(clip, 5) for clip in clips]))  # 310 s
    with browser.new_page() as page:
        page.goto(library.url)
        page.set_input_files("#file", song)
        assert alike(page) == pytest.approx(library.nearest(song), abs=0.01)


def check_tags(visit: Visit, expected: Prediction) -> None:
    assert percents(visit.values("tags")) == pytest.approx(dict(expected.tags), abs=0.002)
    card = visit.answer("tags")
    said = ", ".join(expected.given_tags)
    expect(card.locator(".verdict")).to_have_text(said)
    expect(visit.page.get_by_role("status")).to_contain_text(f"tags: {said}; ")
    assert sorted(card.locator("li.first .name").all_inner_texts()) == ["live", "rock"]


def test_a_model_of_generated_music_says_so_beside_its_answer(visit, song):
    visit.choose(song)
    expect(visit.answer("affect").locator(".note")).to_have_text(NOTE)
    expect(visit.answer("genre").locator(".note")).to_be_hidden()


def test_the_spectrogram_shows_a_tone_at_its_pitch(visit, tmp_path):
    seconds = np.arange(4 * RATE) / RATE
    visit.choose(write_wav(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 2000 * seconds)))
    visit.answer("genre")
    brightest = """canvas => {
      const {width, height} = canvas;
      const column = canvas.getContext("2d").getImageData(width / 2, 0, 1, height).data;
      const light = Array.from({length: height}, (_, row) => column[4 * row] + column[4 * row + 1]);
      return 1 - (light.indexOf(Math.max(...light)) + 0.5) / height;
    }"""
    expect(visit.page.locator("#seek")).not_to_have_attribute("aria-busy", "true")
    at = visit.page.eval_on_selector("#mel", brightest)
    tick = visit.page.get_by_text("2 kHz", exact=True).evaluate("tick => parseFloat(tick.style.bottom)")
    assert at == pytest.approx(tick / 100, abs=0.015)


def test_everything_can_be_done_with_the_keyboard(visit, song):
    page = visit.page
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose a file")).to_be_focused()
    with page.expect_file_chooser():
        page.keyboard.press("Space")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(song)
    before = visit.answer("genre").inner_text()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Record")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="affect")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("region", name="Answer of affect")).to_have_count(0)
    page.keyboard.press("Space")
    assert set(visit.values("affect")) == set(TARGETS)
    assert visit.answer("genre").inner_text() == before
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    slider = page.get_by_role("slider", name="Position in the song")
    expect(slider).to_be_focused()
    assert page.eval_on_selector("#seek", "field => getComputedStyle(field).outlineStyle") == "solid"
    for key, position in (
        ("ArrowRight", "0:01"),
        ("PageUp", "0:11"),
        ("ArrowLeft", "0:10"),
        ("Home", "0:00"),
    ):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuetext", f"{position} of 0:12")
    page.keyboard.press("Space")
    playing = (
        "player => new Promise(done => player.addEventListener('timeupdate', () => done(!player.paused)))"
    )
    assert page.eval_on_selector("#player", playing)
    page.keyboard.press("Space")
    assert page.eval_on_selector("#player", "player => player.paused")


def test_a_click_in_the_spectrogram_seeks(visit, song):
    visit.choose(song)
    visit.answer("genre")
    field = visit.page.locator("#seek")
    size = field.bounding_box()
    field.click(position={"x": size["width"] / 4, "y": size["height"] / 2})
    expect(field).to_have_attribute("aria-valuetext", "0:03 of 0:12")
    playhead = visit.page.locator("#seek .playhead").bounding_box()
    assert playhead["x"] == pytest.approx(size["x"] + size["width"] / 4, abs=2)


def test_a_song_of_several_windows_has_a_curve_and_a_table(visit, models, tmp_path):
    samples = np.concatenate([render_clip(style, 1, 25.0).audio for style in ("Rock", "Jazz", "Metal")])
    song = write_wav(tmp_path / "long.wav", samples)
    visit.choose(song)
    with Predictor(models / "genre") as predictor:
        windows = predictor.predict_file(song).windows
    assert len(windows) == 3
    card = visit.answer("genre")
    card.get_by_text("As a table").click()
    rows = [row.locator("td").all_inner_texts() for row in card.locator("tbody tr").all()]
    names = card.locator("thead th").all_inner_texts()[1:]
    for row, window in zip(rows, windows, strict=True):
        assert percents(dict(zip(names, row, strict=True))) == pytest.approx(dict(window.values), abs=0.002)
    expect(card.locator(".curve .line")).to_have_count(len(CLASSES))


def test_a_song_over_five_minutes_is_sent_in_parts_and_answered_as_a_whole(visit, models, tmp_path):
    clip = np.asarray(render_clip("Rock", 3, 31.0).audio)
    song = write_wav(tmp_path / "longer.wav", np.tile(clip, 10))  # 310 s
    visit.page.get_by_role("checkbox", name="affect").uncheck()
    visit.choose(song)
    with Predictor(models / "genre") as predictor:
        expected = predictor.predict_file(song)
    assert percents(visit.values("genre")) == pytest.approx(dict(expected.probabilities), abs=0.002)
    sent = [json.loads(body)["inputs"]["audio"][0]["b64"] for body in visit.sent if body]
    seconds = [len(part) * 3 / 4 / (4 * RATE) for part in sent]
    assert seconds == pytest.approx([270, 40], abs=0.01)
    table = visit.answer("genre").locator("tbody tr")
    expect(table).to_have_count(len(expected.windows))


def test_what_cannot_be_decoded_is_one_line_and_the_next_song_is_answered(visit, song, tmp_path):
    bad = tmp_path / "words.mp3"
    bad.write_bytes(b"nothing that sounds " * 100)
    visit.choose(bad)
    problem = visit.page.get_by_role("alert")
    expect(problem).to_have_text("words.mp3: this browser cannot decode it; convert it to WAV, FLAC or MP3")
    expect(visit.page.locator("#song")).to_be_hidden()
    visit.choose(song)
    assert set(visit.values("genre")) == set(CLASSES)
    expect(visit.page.locator("#problem")).to_be_hidden()


def test_what_the_model_refuses_is_said_in_its_place(visit, tmp_path):
    visit.choose(write_wav(tmp_path / "silence.wav", np.zeros(3 * RATE)))
    problems = visit.page.get_by_role("alert")
    expect(problems).to_have_text(
        ["affect: silent: there is nothing to analyse", "genre: silent: there is nothing to analyse"],
        timeout=ANSWERED,
    )


def test_a_model_without_sound_cannot_be_chosen(visit):
    box = visit.page.get_by_role("checkbox", name="features")
    expect(box).to_be_disabled()
    expect(visit.page.locator("label", has=box)).to_contain_text("takes no sound; export it again")


def test_a_dropped_file_is_taken(visit, song):
    data = visit.page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.wav", {type: "audio/wav"}));
          return data;
        }""",
        list(song.read_bytes()),
    )
    visit.page.dispatch_event("#entrance", "drop", {"dataTransfer": data})
    visit.answer("genre")
    expect(visit.page.get_by_role("heading", name="dropped.wav")).to_be_visible()


def test_a_recording_is_answered_and_can_be_heard(visit):
    button = visit.page.get_by_role("button", name="Record")
    button.click()  # the browser's own test microphone beeps once a second
    expect(button).to_have_count(0)
    visit.page.wait_for_timeout(2500)
    visit.page.get_by_role("button", name="Stop").click()
    assert set(visit.values("genre")) == set(CLASSES)
    length = "player => player.duration"
    assert 1.5 < visit.page.eval_on_selector("#player", length) < 10
    expect(button).to_be_visible()


def test_a_later_song_takes_the_place_of_an_earlier_one(visit, song, tmp_path):
    first = write_wav(tmp_path / "first.wav", np.tile(np.asarray(render_clip("Jazz", 2, 30.0).audio), 4))
    visit.choose(first)
    expect(visit.page.get_by_role("heading", name="first.wav")).to_be_visible()
    visit.choose(song)
    assert set(visit.values("affect")) == set(TARGETS)
    assert set(visit.values("genre")) == set(CLASSES)
    expect(visit.page.get_by_role("heading", name=song.name)).to_be_visible()
    expect(visit.page.locator(".answer")).to_have_count(3)  # of the later song alone, one of each model
    expect(visit.page.locator(".over-time:visible")).to_have_count(0)
    expect(visit.page.get_by_role("progressbar")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone_or_too_faint(visit, song, scheme):
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    visit.choose(song)
    visit.answer("genre")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert visit.page.eval_on_selector(".fill", "bar => getComputedStyle(bar).animationName") == "none"
    contrast = """() => {
      const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
      const behind = (node) => {
        const colour = getComputedStyle(node).backgroundColor;
        return colour === "rgba(0, 0, 0, 0)" ? behind(node.parentElement) : colour;
      };
      const texts = [...document.querySelectorAll("main *")].filter(
        node => node.checkVisibility() && [...node.childNodes].some(
          child => child.nodeType === Node.TEXT_NODE && child.data.trim()));
      return texts.map(node => {
        const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
        return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), node.textContent];
      });
    }"""
    ratios = visit.page.evaluate(contrast)
    assert len(ratios) > 30
    assert [(ratio, text) for ratio, text in ratios if ratio < 4.5] == []  # WCAG 2.2, level AA


def test_what_the_server_refuses_and_a_server_that_is_gone(browser, models, song):
    page = browser.new_page()
    with Serve(models, "--max-request-mb", "1") as server:
        page.goto(server.url)
        page.get_by_role("checkbox", name="affect").uncheck()
        page.set_input_files("#file", song)
        problem = page.get_by_role("alert")
        expect(problem).to_have_text("genre: the request is larger than the limit of 1 MiB", timeout=ANSWERED)
    page.set_input_files("#file", song)
    expect(problem).to_have_text(
        "genre: the server does not answer; see whether it still runs, then try again", timeout=ANSWERED
    )
    page.close()


def test_a_server_without_models_says_so(browser, tmp_path):
    page = browser.new_page()
    with Serve(tmp_path) as server:
        page.goto(server.url)
        expect(page.get_by_role("alert")).to_have_text(
            "no model is served yet; export one with keras_mir.fit, then reload this page"
        )
    page.close()
