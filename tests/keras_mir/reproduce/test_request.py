"""A reproduction's folder: one question each, which later calls may widen but not change."""

import pytest

from keras_mir.reproduce.request import ReportFolder, ReproduceRequest
from pipelines.errors import UserError


def opened(folder, **asked):
    return ReportFolder(ReproduceRequest(out=str(folder), **asked)).open()


def test_a_second_call_may_ask_for_more_experiments_and_seeds(tmp_path):
    first = opened(tmp_path / "report", only=("5c",), seeds=1)
    second = opened(tmp_path / "report", only=("7b", "5c"), seeds=3, settings="ours")
    assert second.only == ("5c", "7b"), "the page keeps what was there"
    assert second.started == first.started


def test_all_experiments_stay_all(tmp_path):
    opened(tmp_path)
    assert opened(tmp_path, only=("5c",)).only == ()


def test_some_experiments_become_all(tmp_path):
    opened(tmp_path, only=("5c",))
    assert opened(tmp_path).only == ()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"quick": True}, "--quick"),
        ({"data": "other"}, "--data"),
        ({"targets": ("power",)}, "--targets"),
        ({"limit": 9}, "--limit"),
    ],
)
def test_another_question_is_refused_by_the_option_that_differs(tmp_path, changed, named):
    opened(tmp_path)
    with pytest.raises(UserError, match=f"^{named}: .*choose another --out"):
        opened(tmp_path, **changed)
    assert opened(tmp_path).only == (), "the refusal changed nothing"


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "reproduction.json").write_text("{")
    with pytest.raises(UserError, match=r"reproduction\.json: damaged"):
        opened(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "report").write_text("")
    with pytest.raises(UserError, match="a file, not a folder"):
        opened(tmp_path / "report")


def test_the_command_says_everything_that_was_asked(tmp_path):
    request = ReproduceRequest(out="my report", data="d", only=("5c", "9"), quick=True, seeds=2, frames=128)
    assert request.command() == (
        "python -m keras_mir.reproduce --out 'my report' --data d --only 5c,9 --seeds 2 --quick --frames 128"
    )
