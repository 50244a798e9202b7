"""`python -m keras_mir.predict`: what it prints and writes, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import soundfile

from keras_mir.predict.__main__ import _new_journal, main
from keras_mir.predict.songs import result_name

PNG = b"\x89PNG"


@pytest.fixture
def predict(monkeypatch, capsys, audio_models, answer_tiny):
    """Runs the command on the model `tiny`, which is loaded once for all; exit status, output, errors."""
    monkeypatch.setattr("keras_mir.predict.models.open_exported", lambda _: nullcontext(answer_tiny))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main(["--models", str(audio_models), *map(str, arguments)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def with_a_bad_one(songs, tmp_path):
    """The songs, and between them one that is none."""
    folder = tmp_path / "music"
    shutil.copytree(songs, folder)
    (folder / "aa.mp3").write_text("no music")
    return folder


def test_table(predict, songs):
    status, out, err = predict(songs)
    assert status == 0
    assert err.splitlines()[-1] == "3 answered"
    lines = out.splitlines()
    assert lines[0].strip() == str(songs)
    assert [heading in lines[2] for heading in ("song", "length", "genre", "next", "BPM")] == [True] * 5
    assert [name in line for name, line in zip(("a.flac", "b.wav", "deep/c.ogg"), lines[4:7], strict=True)]
    assert "0:09" in lines[5]
    assert "%" in lines[5]


def test_json_lines_go_on_after_a_bad_file(predict, with_a_bad_one):
    status, out, err = predict(with_a_bad_one, "--json")
    assert status == 1
    assert f"error: {with_a_bad_one}/aa.mp3: cannot be decoded" in err
    assert err.splitlines()[-1] == "3 answered, 1 failed"
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["path"] for answer in answers] == [
        str(with_a_bad_one / name) for name in ("a.flac", "b.wav", "deep/c.ogg")
    ]
    keys = ["path", "model", "duration", "genre", "probabilities", "tempo", "beat_times"]
    assert [list(answer) for answer in answers] == [keys] * 3
    assert answers[0]["model"] == "tiny/1"
    assert answers[0]["probabilities"][answers[0]["genre"]] == max(answers[0]["probabilities"].values())


def test_csv_and_its_curve(predict, songs):
    _, out, _ = predict(songs / "b.wav", songs / "a.flac", songs / "b.wav", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in rows] == [str(songs / "b.wav"), str(songs / "a.flac")]
    columns = ["path", "duration", "genre", *(f"probability_{name}" for name in ("Blues", "Jazz", "Metal"))]
    assert list(rows[0]) == [*columns, "tempo", "beats"]
    _, out, _ = predict(songs / "b.wav", "--csv", "--curve")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["start"], row["end"]) == ("0.0", "9.0")
    assert row["probability_Jazz"] == rows[0]["probability_Jazz"]


def test_curve_in_table_and_json(predict, songs):
    _, out, _ = predict(songs / "b.wav", "--curve")
    assert "from" in out
    _, out, _ = predict(songs / "b.wav", "--curve", "--json")
    (window,) = json.loads(out)["windows"]
    assert (window["start"], window["end"]) == (0, 9)
    assert window["values"] == json.loads(out)["probabilities"]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_model_of_generated_music_says_so_once(predict, answer_tiny, songs, monkeypatch, form):
    note = "trained on generated music: what it says of recorded music means nothing"

    def answer_wav(files):
        return {**answer_tiny(files), "note": np.full(len(files), note)}

    monkeypatch.setattr("keras_mir.predict.models.open_exported", lambda _: nullcontext(answer_wav))
    status, out, err = predict(songs, *([] if form == "table" else [f"--{form}"]))
    assert status == 0
    if form == "table":
        assert (out.splitlines()[-1], out.count(note)) == (f"note: {note}", 1)
        assert err == "3 answered\n"
    else:
        assert err == f"note: {note}\n3 answered\n"
    if form == "json":
        assert [json.loads(line)["note"] for line in out.splitlines()] == [note] * 3


def test_results_are_written_and_left_alone(predict, songs, with_a_bad_one, tmp_path):
    out = tmp_path / "results"
    assert predict(with_a_bad_one, "--out", out)[0] == 1
    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    names = {f"{result_name(with_a_bad_one / name)}.json" for name in ("a.flac", "b.wav", "deep/c.ogg")}
    assert written.keys() == names
    assert json.loads((out / min(names)).read_text())["path"] == str(with_a_bad_one / "a.flac")

    (with_a_bad_one / "aa.mp3").unlink()
    status, printed, err = predict(with_a_bad_one, "--out", out, "--skip-existing")
    assert (status, printed, err) == (0, "", "3 already there\n")
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == written
    # Curves are not in those files, and another song of the same name is another song.
    assert predict(with_a_bad_one, "--out", out, "--skip-existing", "--curve")[2] == "3 answered\n"
    assert (
        predict(with_a_bad_one, songs, "--out", out, "--skip-existing")[2] == "3 answered, 3 already there\n"
    )


def test_a_damaged_result_is_made_again(predict, songs, tmp_path):
    result = tmp_path / f"{result_name(songs / 'a.flac')}.json"
    for content in ("{", "[]", '{"model": "tiny/2"}'):
        result.write_text(content)
        assert predict(songs / "a.flac", "--out", tmp_path, "--skip-existing")[2] == "1 answered\n"


def test_plot(predict, songs, tmp_path):
    status, _, _ = predict(songs / "b.wav", "--out", tmp_path, "--plot")
    assert status == 0
    picture = tmp_path / f"{result_name(songs / 'b.wav')}.png"
    assert picture.read_bytes().startswith(PNG)
    picture.unlink()
    assert predict(songs, "--out", tmp_path, "--plot", "--skip-existing")[2] == "3 answered\n"
    assert predict(songs, "--out", tmp_path, "--plot", "--skip-existing")[2] == "3 already there\n"


def test_names_that_are_not_text(predict, songs, tmp_path):
    song = tmp_path / "[red]\udcff.flac"
    shutil.copy(songs / "a.flac", song)
    for form in ((), ("--json",), ("--csv",)):
        status, out, _ = predict(song, "--out", tmp_path / "out", *form)
        assert status == 0
        assert "[red]" in out
        assert "xff" in out


def test_a_name_may_be_as_long_as_the_system_allows(predict, songs, tmp_path):
    song = tmp_path / ("\u0436" * 125 + ".flac")
    shutil.copy(songs / "a.flac", song)
    status, _, _ = predict(song, songs / "a.flac", "--out", tmp_path / "out", "--csv")
    assert status == 0
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert predict(song, "--out", tmp_path / "out", "--skip-existing")[2] == "1 already there\n"


def test_what_is_not_looked_at_is_said(predict, songs, tmp_path):
    folder = tmp_path / "music"
    shutil.copytree(songs, folder)
    (folder / "cover.jpg").write_bytes(bytes(99))
    (folder / ".old").mkdir()
    _, _, err = predict(folder, "--csv")
    left_out = f"{folder}/.old, {folder}/cover.jpg"
    assert err == f"note: skipped, hidden or not audio: {left_out}\n3 answered\n"


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_names_that_the_terminal_has_no_letters_for(predict, songs, tmp_path, monkeypatch, form):
    song = tmp_path / "\u6771\U0001f3b5.flac"
    shutil.copy(songs / "a.flac", song)
    screen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(screen, encoding="cp1252"))
    assert predict(song, *([] if form == "table" else [f"--{form}"]))[0] == 0
    said = screen.getvalue().decode("cp1252")
    assert "\\u6771" in said
    if form == "json":
        assert json.loads(said)["path"] == str(song)


def test_an_answer_that_is_no_number_is_none(predict, answer_tiny, songs, monkeypatch):
    def answer_wav(files):
        outputs = answer_tiny(files)
        return {**outputs, "window_probabilities": outputs["window_probabilities"] * np.nan}

    monkeypatch.setattr("keras_mir.predict.models.open_exported", lambda _: nullcontext(answer_wav))
    status, out, err = predict(songs / "a.flac", "--json")
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {songs / 'a.flac'}: the model's answer is no number")


def test_channels_that_cancel_each_other_are_not_called_silent(predict, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 22050)
    soundfile.write(tmp_path / "a.wav", np.stack([noise, -noise], axis=1), 22050)
    status, _, err = predict(tmp_path)
    assert status == 1
    assert "a.wav: silent when mixed to mono: its channels cancel each other; leave it out" in err


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_an_output_that_is_closed_changes_nothing(audio_models, songs, tmp_path, number):
    command = f'exec "$@" {number}>&-'
    arguments = [songs / "a.flac", "--models", audio_models, "--out", tmp_path]
    done = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", "keras_mir.predict", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing.mp3"], "missing.mp3: no such file or folder"),
        (["{empty}"], "no audio file in it"),
        (["{song}", "--plot"], "plot: needs a folder with results; name one with out"),
        (["{song}", "--skip-existing"], ": needs a folder with results; name one with out"),
        (["{song}", "--out", "{song}"], "a file, not a folder; choose another name"),
        (["{song}", "--model", "jazz"], "jazz: no exported model"),
        (["{song}", "--models", "{empty}"], "no exported model in it; train one with"),
    ],
)
def test_mistakes_are_one_line(predict, songs, tmp_path, arguments, reason):
    filled = [argument.format(empty=tmp_path, song=songs / "a.flac") for argument in arguments]
    status, out, err = predict(*filled)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert reason in err


def test_several_models_are_named(predict, songs, audio_models, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(audio_models / "tiny", tmp_path / name)
    status, _, err = predict(songs, "--models", tmp_path)
    assert status == 2
    assert err.endswith(f"model: {tmp_path} has one, two; choose one\n")
    for model in ("two", "two/1", tmp_path / "two"):
        _, out, _ = predict(songs / "a.flac", "--models", tmp_path, "--model", model, "--json")
        assert json.loads(out)["model"] == "two/1"


def test_help_and_mistakes_import_no_tensorflow(songs):
    script = (
        "import sys; from keras_mir.predict.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"assert main([{str(songs)!r}, '--models', '/nowhere']) == 2\n"
        "import keras_mir.predict.predictor\n"
        "assert not {'tensorflow', 'keras', 'librosa', 'matplotlib'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SONG_OR_FOLDER" in done.stdout


def test_tags_are_shown_written_and_taken_back(predict, songs, tmp_path, monkeypatch):
    pytest.importorskip("mutagen")
    music, journal = tmp_path / "music", tmp_path / "journal"
    shutil.copytree(songs, music)
    shutil.copy(music / "a.flac", music / "read-only.flac")
    (music / "read-only.flac").chmod(0o444)
    before = {path: path.read_bytes() for path in music.rglob("*.*")}
    wanted = ("--write-tags", "genre,bpm")
    told = [f"error: {music}/read-only.flac: read-only; make it writable, or leave it out"]

    status, shown, err = predict(music, *wanted)
    assert status == 1
    lines = [line.removeprefix(f"{music}/") for line in shown.splitlines()]
    assert [line.split(" -> ")[0] for line in lines] == ["a.flac: genre", "b.wav: genre", "deep/c.ogg: genre"]
    assert all(line.split("; ")[1].startswith("bpm -> ") for line in lines)
    assert err.splitlines() == [
        *told,
        "3 answered, 1 failed, 3 to be changed",
        "nothing was written; --yes writes it",
    ]
    assert {path: path.read_bytes() for path in before} == before

    status, written, err = predict(music, *wanted, "--yes", "--journal", journal)
    assert (status, written) == (1, shown)
    back = f"to take it back: python -m keras_mir.predict --undo {journal}"
    assert err.splitlines() == [*told, "3 answered, 1 failed, 3 changed", back]
    assert [path.read_bytes() == content for path, content in before.items()].count(True) == 1

    status, again, err = predict(music, *wanted, "--yes", "--journal", tmp_path / "second")
    assert (status, again) == (1, ""), "what was written once is not asked for again"
    assert err.splitlines() == [*told, "1 failed, 3 have all tags"]
    assert not (tmp_path / "second").exists()

    assert predict("--undo", journal) == (0, "", "3 as they were\n")
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_is_stopped_says_how_to_take_back_what_it_wrote(predict, songs, tmp_path, monkeypatch):
    pytest.importorskip("mutagen")
    from keras_mir.predict.file_tags import FileTags

    music, journal = tmp_path / "music", tmp_path / "journal"
    shutil.copytree(songs, music)
    before = {path: path.read_bytes() for path in music.rglob("*.*")}
    write = FileTags.write

    def stopped_at_the_second(tags, song, prediction):
        if song.name == "b.wav":
            raise KeyboardInterrupt
        return write(tags, song, prediction)

    with monkeypatch.context() as patched:
        patched.setattr(FileTags, "write", stopped_at_the_second)
        status, _, err = predict(music, "--write-tags", "genre", "--yes", "--journal", journal)
    assert status == 130
    assert f"to take it back: python -m keras_mir.predict --undo {journal}" in err.splitlines()
    assert predict("--undo", journal) == (0, "", "1 as they were\n")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["SONGS", "--write-tags", "genre,key"], "--write-tags genre,key: choose among genre, mood, bpm"),
        (["SONGS", "--write-tags", "mood"], "--write-tags mood: wants a model of affect or of tags"),
        (["SONGS", "--write-tags", "bpm", "--json"], "--write-tags: prints what it writes; leave out json"),
        (
            ["SONGS", "--yes"],
            "--yes, --replace and --journal belong to --write-tags; say which tags to write",
        ),
        (["SONGS", "--undo", "J"], "--undo J: names the songs itself; leave them out"),
        (["--undo", "J"], "--undo J: cannot be read (no such file or directory)"),
        ([], "no song; give audio files, or folders of them"),
    ],
)
def test_mistakes_about_tags_are_one_line(arguments, problem, predict, songs):
    pytest.importorskip("mutagen")
    status, out, err = predict(*(songs if argument == "SONGS" else argument for argument in arguments))
    assert (status, out, err) == (2, "", f"error: {problem}\n")


def test_without_mutagen_tags_are_refused(predict, songs, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, _, err = predict(songs, "--write-tags", "genre")
    assert status == 2
    assert err == "error: --write-tags genre: needs mutagen; pip install 'keras-mir[file-tags]'\n"


def test_a_journal_of_its_own_for_each_time_in_a_second(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda _: "20260101-120000")
    (tmp_path / "runs").mkdir()
    made = []
    for _ in range(3):
        made.append(_new_journal())
        made[-1].touch()
    assert [path.name for path in made] == [f"file-tags-20260101-120000{n}.jsonl" for n in ("", "-2", "-3")]
