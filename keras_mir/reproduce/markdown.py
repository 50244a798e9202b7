"""The page's twin in Markdown, as GitHub and editors show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from keras_mir.reproduce import outline, wording
from keras_mir.reproduce.outline import Command, Commands
from keras_mir.reproduce.results import Cell, Comparison, Experiment, Picture, Results, Row, Table
from pipelines.files import write_atomically

FILE_NAME = "report.md"


def write_markdown(results: Results, folder: Path) -> Path:
    """Write `report.md` so that it is there whole or not at all.

    Args:
        results: What to show.
        folder: Where it goes, and what the pictures' names are relative to.

    Returns:
        The file.
    """
    path = folder / FILE_NAME
    write_atomically(path, render_markdown(results).encode())
    return path


def render_markdown(results: Results) -> str:
    """The page as Markdown; pictures are linked, not embedded."""
    document = _Document(results)
    parts = [
        f"# {_text(outline.title(results))}",
        *document.banners(),
        *document.method(),
        *document.answers(),
        *document.overview(),
        *(part for experiment in results.experiments for part in document.experiment(experiment)),
        *document.commands(),
    ]
    return "\n\n".join(parts) + "\n"


class _Document:
    """Renders the parts of the document; each is a list of paragraphs."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._commands = Commands(results)

    def banners(self) -> list[str]:
        return [
            "\n".join(
                [
                    f"> **{_text(banner.text)}**",
                    *([">"] if banner.items else []),
                    *(
                        f"> - {_text(name)}{f': {_text(reason)}' if reason else ''}"
                        for name, reason in banner.items
                    ),
                ]
            )
            for banner in outline.banners(self._results)
        ]

    def method(self) -> list[str]:
        facts = [f"- {_text(name)}: {_text(text)}" for name, text in outline.facts(self._results)]
        command = _command(self._commands.whole, " Command of the whole page")
        return ["## Data and method", "\n".join(facts), *command, _text(outline.LEGEND)]

    def answers(self) -> list[str]:
        if not self._results.comparisons:
            return []
        note = outline.COMPARISONS_OF_A_TRIAL if self._results.quick else outline.COMPARISONS
        parts = ["## Answers", _text(note)]
        for question, answers in outline.questions(self._results.comparisons).items():
            parts += [f"### {_text(question)}", *map(self._answer, answers)]
        return parts

    def overview(self) -> list[str]:
        tables = outline.overviews(self._results)
        return ["## Overview", *(part for table in tables for part in self._table(table))] if tables else []

    def experiment(self, experiment: Experiment) -> list[str]:
        parts = [f"## {experiment.id}. {_text(experiment.title)} ({experiment.status})"]
        if experiment.reason:
            parts.append(f"**{_text(experiment.reason)}**")
        parts += [f"- {_text(note)}" for note in experiment.notes]
        parts += self._runs(experiment)
        for table in outline.tables_below(self._results, experiment):
            parts += self._table(table)
        for picture in experiment.pictures:
            parts += self._picture(picture)
        return parts

    def commands(self) -> list[str]:
        parts = ["## Commands"]
        for group, commands in self._commands.groups.items():
            parts.append(f"### {_text(group)}")
            for command in commands:
                parts += _command(command, f" {_text(command.title)}")
        return parts

    def _answer(self, comparison: Comparison) -> str:
        verdict, colon, numbers = comparison.answer.partition(":")
        links = self._commands.firsts(comparison.runs)
        commands = ", ".join(map(_number, links))
        whose = outline.SETTINGS[comparison.settings]
        listed = f" Commands {commands}." if commands else ""
        return f"{whose}. **{_text(verdict)}{colon}** {_text(numbers)}{listed}"

    def _runs(self, experiment: Experiment) -> list[str]:
        if not experiment.runs:
            return []
        rows = []
        for run in experiment.runs:
            command = self._commands.of_run(run.name)
            took = wording.duration(run.seconds) if run.status != "waiting" else ""
            rows.append(
                [
                    _text(outline.training_name(run)),
                    str(run.seed),
                    _link(command, _text(outline.outcome(run))),
                    _text(outline.epochs(run)),
                    took,
                ]
            )
        return [_grid(["training", "seed", "result", "epochs", "time"], rows, left=(0, 2))]

    def _table(self, table: Table) -> list[str]:
        name = f"**{_text(outline.table_name(table))}.** {_text(table.title)}"
        note = [_text(table.note)] if table.note else []
        if not table.rows:
            return [f"{name}: no training of it is done.", *note]
        supported = any(row.support is not None for row in table.rows)
        printed = outline.published_columns(table)
        commands = dict.fromkeys(filter(None, (self._leads_to(c) for row in table.rows for c in row.cells)))
        alike = len(commands) == 1  # then one link will do
        where = "".join(f" Command {_number(command)}." for command in commands if alike)
        head = ["", *(["clips"] if supported else [])]
        for index, column in enumerate(table.columns):
            head += [_text(column), *(["*published*"] if index in printed else [])]
        most = outline.most_seeds(table)
        rows = [self._cells(row, printed, supported, most, linked=not alike) for row in table.rows]
        return [f"{name}.{where}", _grid(head, rows, left=(0,)), *note]

    def _cells(self, row: Row, printed: Sequence[int], supported: bool, most: int, linked: bool) -> list[str]:
        cells = [_text(row.name)]
        if supported:
            cells.append("" if row.support is None else f"{row.support:,}")
        for index, cell in enumerate(row.cells):
            text = _text(wording.cell(cell, most)) if cell.runs else ""
            cells.append(_link(self._leads_to(cell) if linked else None, text))
            if index in printed:
                value = wording.published(row.published[index] if row.published else None)
                cells.append(f"*{value}*" if value else "")
        return cells

    def _leads_to(self, cell: Cell) -> Command | None:
        return self._commands.of_run(cell.runs[0]) if cell.runs else None

    def _picture(self, picture: Picture) -> list[str]:
        command = self._commands.of_text(picture.command)
        stands = f"**Stands for {_text(picture.counterpart)} of the report.** " if picture.counterpart else ""
        return [
            f"![{_text(picture.caption)}]({quote(picture.file)})",
            f"{stands}{_text(picture.caption)}. Command {_number(command)}.",
        ]


def _text(text: str) -> str:
    """Text that Markdown leaves alone, on one line."""
    plain = " ".join(text.split())
    marked = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", marked)


def _link(command: Command | None, text: str) -> str:
    return f"[{text}](#{command.anchor})" if command and text else text


def _number(command: Command) -> str:
    return _link(command, str(command.number))


def _command(command: Command, title: str) -> list[str]:
    fence = "```" if "```" not in command.text else "`" * (len(command.text) + 1)
    return [f'<a id="{command.anchor}"></a>{command.number}.{title}', f"{fence}sh\n{command.text}\n{fence}"]


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    rule = [":---" if index in left else "---:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
