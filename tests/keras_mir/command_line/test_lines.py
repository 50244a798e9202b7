"""What people read: users' names in it are neither markup nor codes of emoji."""

from __future__ import annotations

import io
import warnings

import pytest
from rich.console import Console

from keras_mir.command_line.lines import printable, say
from keras_mir.command_line.progress import busy, progress

NAME = "Rock [live] [/b] :fire: [red]é"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_is_printed_as_it_is(terminal):
    file = io.StringIO()
    say(Console(file=file, force_terminal=terminal, width=20), f"error: {NAME}", "and more")
    assert file.getvalue() == f"error: {NAME}\nand more\n"


def test_what_a_bar_is_of_is_shown_as_it_is():
    file = io.StringIO()
    with progress(NAME, Console(file=file, force_terminal=True, width=200)) as report:
        report(1, 2)
    assert NAME in file.getvalue()


def test_a_notebook_s_cell_has_no_bar(monkeypatch):
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    file = io.StringIO()
    with progress("extracting", Console(file=file, force_terminal=True)) as report:
        report(1, 2)
    assert file.getvalue() == ""


@pytest.mark.parametrize("notebook", [False, True])
def test_what_is_being_done_is_shown_on_a_terminal_alone(monkeypatch, notebook):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: notebook)
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rich has one for each step, where ipywidgets are not installed
        with busy("fold 1 of 2", Console(file=file, force_terminal=None if notebook else True)):
            pass
    assert ("fold 1 of 2" in file.getvalue()) is not notebook


def test_a_name_neither_steers_the_terminal_nor_ends_the_line():
    file = io.StringIO()
    say(Console(file=file), "error: a\nb\x1b[31m.wav", "\N{GUITAR} caf\u00e9")
    assert file.getvalue() == "error: a\\nb\\x1b[31m.wav\n\N{GUITAR} caf\u00e9\n"
    assert printable("\t\x85") == r"\t\x85"
