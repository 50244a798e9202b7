"""`reproduce` as a user calls it: one page, every number with its command, failures that stay alone."""

import csv
import json
import shlex
from pathlib import Path

import keras
import pytest

from keras_mir.fit import __main__ as fit
from keras_mir.models.report import read_report, report_to_dict
from keras_mir.reproduce import __main__ as reproduce


@pytest.fixture(autouse=True)
def _float32_policy():
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def page_folder(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduced") / "page"
    arguments = ["--data", data, "--out", out, "--quick", "--settings", "ours"]
    assert reproduce.main([*map(str, arguments), "--only", "1,2,3,4,6,7a,9,11"]) == 0
    return out


@pytest.fixture(scope="module")
def results(page_folder):
    return json.loads((page_folder / "results.json").read_text(), parse_constant=pytest.fail)


@pytest.mark.slow
def test_the_page_has_every_experiment_that_was_asked_for_and_those_they_need(results):
    assert ",".join(one["id"] for one in results["experiments"]) == "1,2,3,4,5c,6,7a,7b,9,11"
    assert {one["status"] for one in results["experiments"]} == {"done"}
    assert results["quick"] is True
    assert results["dataset"]["is_course"] is False


@pytest.mark.slow
def test_page_text_and_pictures_are_there(page_folder, results):
    pictures = [picture for one in results["experiments"] for picture in one["pictures"]]
    assert len({picture["file"] for picture in pictures}) == len(pictures) > 15
    page = (page_folder / "index.html").read_text()
    text = (page_folder / "index.md").read_text()
    for picture in pictures:
        assert (page_folder / picture["file"]).read_bytes().startswith(b"\x89PNG")
        assert picture["file"] in text
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert {"Fig 1", "Fig 2", "Fig 3", "Fig 4", "Fig 5", "Fig 6", "Fig 10"} <= {
        picture["counterpart"] for picture in pictures
    }


@pytest.mark.slow
def test_a_command_gives_the_very_numbers_of_the_page(results, tmp_path, monkeypatch):
    run = next(one for one in results["experiments"] if one["id"] == "5c")["runs"][1]
    assert run["name"] == "lstm-beat-mel-seed0"
    monkeypatch.chdir(tmp_path)
    assert fit.main([*shlex.split(run["command"])[3:], "--out", "again"]) == 0
    again = report_to_dict(read_report(tmp_path / "again"))
    assert again["accuracy"] == run["report"]["accuracy"]
    assert not (tmp_path / "saved_models").exists()


@pytest.mark.slow
def test_the_submission_answers_for_every_unlabelled_clip(page_folder):
    with (page_folder / "submission-ours.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["Id.fused.full.npy.gz", "energy"]
    assert [row[0] for row in rows] == [f"test{number}.fused.full.npy.gz" for number in range(3)]
    assert all(0 <= float(row[1]) <= 1 for row in rows)


@pytest.mark.slow
def test_a_second_call_trains_nothing_again(data, page_folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in page_folder.glob("runs/*/report.json")}
    arguments = ["--data", data, "--out", page_folder, "--quick", "--settings", "ours", "--only", "7b"]
    assert reproduce.main([*map(str, arguments)]) == 0
    assert {path: path.stat().st_mtime_ns for path in page_folder.glob("runs/*/report.json")} == before
    experiments = json.loads((page_folder / "results.json").read_text())["experiments"]
    assert "11" in [one["id"] for one in experiments], "what was there stays on the page"


@pytest.mark.slow
def test_nothing_is_written_outside_the_folder(data, page_folder):
    assert not list(Path.cwd().glob("runs/paper-*"))
    assert {path.name for path in page_folder.parent.iterdir()} == {"page"}


@pytest.mark.slow
def test_one_failure_leaves_the_others_alone(data, tmp_path, capsys):
    broken = data / "multitask_dataset" / "train" / "train3.fused.full.npy"
    content = broken.read_bytes()
    broken.write_bytes(content[:500])
    try:
        arguments = [
            "--data",
            data,
            "--out",
            tmp_path / "r",
            "--quick",
            "--settings",
            "ours",
            "--only",
            "4,10",
        ]
        assert reproduce.main([*map(str, arguments)]) == 1
    finally:
        broken.write_bytes(content)
    four, ten = json.loads((tmp_path / "r" / "results.json").read_text())["experiments"]
    assert (four["status"], ten["status"]) == ("done", "failed")
    assert "train3.fused.full.npy" in ten["reason"]
    assert "train3.fused.full.npy" in (tmp_path / "r" / "index.html").read_text()
    assert "failed: 10: " in capsys.readouterr().out
    # Mended, the same command goes on.
    assert reproduce.main([*map(str, arguments)]) == 0


@pytest.mark.slow
def test_a_stopped_reproduction_says_how_to_go_on_and_does(data, tmp_path, capsys, monkeypatch):
    from keras_mir.fit import run as experiment

    def stop(*_, **__):
        raise KeyboardInterrupt

    arguments = ["--data", data, "--out", tmp_path / "r", "--quick", "--settings", "ours", "--only", "7b"]
    with monkeypatch.context() as patch:
        patch.setattr(experiment.Run, "train", stop)
        assert reproduce.main([*map(str, arguments)]) == 130
    out = capsys.readouterr().out
    assert "continue with: python -m keras_mir.reproduce --out" in out
    assert json.loads((tmp_path / "r" / "results.json").read_text())["experiments"][0]["status"] == "waiting"
    assert reproduce.main([*map(str, arguments)]) == 0
    assert json.loads((tmp_path / "r" / "results.json").read_text())["experiments"][0]["status"] == "done"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--only", "5d"], "--only 5d"),
        (["--seeds", "0"], "--seeds 0"),
        (["--labels", "x.csv"], "--labels"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, named):
    assert reproduce.main(["--out", str(tmp_path / "r"), *arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert named in lines[0]
