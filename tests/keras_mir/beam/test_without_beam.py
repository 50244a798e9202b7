"""Where Apache Beam is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from keras_mir.beam.__main__ import main


@pytest.mark.parametrize(
    "words",
    [
        ["prepare", "MUSIC", "--labels", "labels.csv", "--out", "DATA", "--", "--runner=DirectRunner"],
        ["embed", "MUSIC", "--model", "musicnn-mtt", "--out", "VECTORS"],
        ["predict", "MUSIC", "--model", "musicnn-mtt", "--out", "ANSWERS", "--"],
    ],
)
def test_one_line_says_what_to_install(words, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(words) == 2
    assert capsys.readouterr().err == "error: needs Apache Beam; pip install 'keras-mir[beam]'\n"


def test_python_is_told_the_same():
    if importlib.util.find_spec("apache_beam"):
        pytest.skip("Apache Beam is installed")
    with pytest.raises(
        ImportError, match=r"^keras_mir\.beam needs Apache Beam; pip install 'keras-mir\[beam\]'$"
    ):
        from keras_mir.beam import Embed  # noqa: F401
