"""A reproduction's folder: one request each, which later calls may widen but not change."""

import pytest

from keras_mir.reproduce.request import Request
from pipelines.errors import UserError


def opened(folder, **options):
    """Every experiment requested so far, and when the first call was made."""
    return Request(out=str(folder), **options).open_folder()


def test_a_second_call_may_ask_for_more_experiments_and_seeds(tmp_path):
    first = opened(tmp_path / "page", only=("5c",), seeds=1)
    second = opened(tmp_path / "page", only=("7b", "5c"), seeds=3, settings="ours")
    assert second[0] == ("5c", "7b"), "the page keeps what was there"
    assert second[1] == first[1]


def test_all_experiments_stay_all(tmp_path):
    opened(tmp_path)
    assert opened(tmp_path, only=("5c",))[0] == ()


def test_some_experiments_become_all(tmp_path):
    opened(tmp_path, only=("5c",))
    assert opened(tmp_path)[0] == ()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"quick": True}, "quick"),
        ({"data": "other"}, "data"),
        ({"targets": ("power",)}, "targets"),
        ({"limit": 9}, "limit"),
    ],
)
def test_another_request_is_refused_by_the_argument_that_differs(tmp_path, changed, named):
    opened(tmp_path)
    with pytest.raises(UserError, match=f"^{named}: .*choose another folder"):
        opened(tmp_path, **changed)
    assert opened(tmp_path)[0] == (), "the refusal changed nothing"


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "reproduction.json").write_text("{")
    with pytest.raises(UserError, match=r"reproduction\.json: damaged"):
        opened(tmp_path)


def test_a_folder_of_another_version_is_refused(tmp_path):
    (tmp_path / "reproduction.json").write_text('{"out": "x", "only": [], "started": ""}')
    with pytest.raises(UserError, match=r"reproduction\.json: written by another version; choose another"):
        opened(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "page").write_text("")
    with pytest.raises(UserError, match="a file, not a folder"):
        opened(tmp_path / "page")


def test_the_command_says_everything_that_was_requested(tmp_path):
    request = Request(out="my page", data="d", only=("5c", "9"), quick=True, seeds=2, frames=128)
    assert request.command() == (
        "python -m keras_mir.reproduce --out 'my page' --data d --only 5c,9 --seeds 2 --quick --frames 128"
    )
