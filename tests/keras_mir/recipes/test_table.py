"""`fit --list`: the whole of what a user reads, column by column."""

from __future__ import annotations

from pathlib import Path

from keras_mir.fit.__main__ import main

# Made by: COLUMNS=80 python -m keras_mir.fit --list > tests/keras_mir/recipes/list.txt
LISTED = Path(__file__).with_name("list.txt")


def test_the_list_of_recipes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    listed = LISTED.read_text(encoding="utf-8").splitlines()
    assert [line.rstrip() for line in printed.splitlines()] == listed
