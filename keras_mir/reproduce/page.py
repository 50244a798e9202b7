"""The page of a reproduction: one HTML file with everything in it, pictures too."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from pathlib import Path

from keras_mir.reproduce import outline, wording
from keras_mir.reproduce.html_element import element, text
from keras_mir.reproduce.outline import Banner, Command, Commands
from keras_mir.reproduce.page_style import STYLE
from keras_mir.reproduce.results import Cell, Comparison, Experiment, Picture, Results, Row, Run, Table
from pipelines.files import write_atomically

FILE_NAME = "index.html"

_CSS_PIXELS = 96 / 150  # of a pixel of our pictures, which have 150 to the inch
_KEPT_TOGETHER = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"
_SIZE_IN_PNG = slice(16, 24)  # width and height, in the header that every PNG starts with


def write_page(results: Results, folder: Path) -> Path:
    """Write `index.html` so that it is there whole or not at all.

    Args:
        results: What to show.
        folder: Where it goes, and what the pictures' names are relative to.

    Returns:
        The file.
    """
    path = folder / FILE_NAME
    write_atomically(path, render_page(results, folder).encode())
    return path


def render_page(results: Results, folder: Path) -> str:
    """The page as HTML, readable without anything but itself.

    Args:
        results: What to show.
        folder: What the pictures' names are relative to.
    """
    page = _Page(results, folder)
    title = text(outline.title(results))
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        element("title", title),
        element("style", STYLE),
    )
    body = (
        element("header", element("h1", title), *map(_banner, outline.banners(results))),
        page.contents(),
        element("main", page.method(), page.answers(), page.overview(), *page.experiments(), page.commands()),
        element(
            "footer",
            f"The same as text: {element('a', 'report.md', href='report.md')}. ",
            f"All numbers: {element('a', 'results.json', href='results.json')}.",
        ),
    )
    return "<!DOCTYPE html>\n" + element("html", element("head", *head), element("body", *body), lang="en")


class _Page:
    """Renders the parts of a page."""

    def __init__(self, results: Results, folder: Path) -> None:
        self._results = results
        self._folder = folder
        self._commands = Commands(results)

    def contents(self) -> str:
        entries = {"method": "Data and method"}
        if self._results.comparisons:
            entries["answers"] = "Answers"
        if outline.overviews(self._results):
            entries["overview"] = "Overview"
        entries |= {f"step-{one.id}": f"{one.id}. {one.title}" for one in self._results.experiments}
        entries["commands"] = "Commands"
        items = (
            element("li", element("a", text(name), href=f"#{anchor}")) for anchor, name in entries.items()
        )
        return element("nav", element("ol", *items), aria_label="Contents")

    def method(self) -> str:
        """What the numbers depend on."""
        facts = (
            element("dt", text(name)) + element("dd", text(fact))
            for name, fact in outline.facts(self._results)
        )
        command = element("dt", "Command") + element("dd", _pre(self._commands.whole))
        return element(
            "section",
            element("h2", "Data and method"),
            element("dl", *facts, command, class_="facts"),
            element("p", text(outline.LEGEND)),
            id="method",
        )

    def answers(self) -> str:
        """The questions of the report, and what these runs say to them."""
        if not self._results.comparisons:
            return ""
        note = outline.COMPARISONS_OF_A_TRIAL if self._results.quick else outline.COMPARISONS
        answers = (
            element("h3", text(question)) + "".join(map(self._answer, comparisons))
            for question, comparisons in outline.questions(self._results.comparisons).items()
        )
        return element("section", element("h2", "Answers"), element("p", text(note)), *answers, id="answers")

    def overview(self) -> str:
        tables = [self._table(table) for table in outline.overviews(self._results)]
        return element("section", element("h2", "Overview"), *tables, id="overview") if tables else ""

    def experiments(self) -> list[str]:
        return [self._experiment(experiment) for experiment in self._results.experiments]

    def commands(self) -> str:
        """Every command once, those of several seeds together."""
        whole = self._commands.whole
        lead = f"[{whole.number}] makes the whole page: {element('a', 'at the top', href=f'#{whole.anchor}')}"
        groups = (
            element("h3", text(group))
            + "".join(
                element("div", f"[{command.number}] {text(command.title)}") + _pre(command)
                for command in commands
            )
            for group, commands in self._commands.groups.items()
        )
        return element("section", element("h2", "Commands"), element("p", lead), *groups, id="commands")

    def _answer(self, comparison: Comparison) -> str:
        verdict, colon, numbers = comparison.answer.partition(":")
        links = self._commands.firsts(comparison.runs)
        return element(
            "p",
            element("span", f"{outline.SETTINGS[comparison.settings]}.", class_="whose") + " ",
            element("strong", text(verdict) + colon),
            text(numbers.replace(" ± ", _KEPT_TOGETHER)),
            f" Commands {', '.join(map(_number, links))}." if links else "",
            class_="answer",
        )

    def _experiment(self, experiment: Experiment) -> str:
        status = element("span", experiment.status, class_=f"status {experiment.status}")
        notes = [element("li", text(note)) for note in experiment.notes]
        pictures = [self._figure(picture) for picture in experiment.pictures]
        return element(
            "section",
            element("h2", f"{text(f'{experiment.id}. {experiment.title}')} {status}"),
            element("p", text(experiment.reason), class_="banner failed") if experiment.reason else "",
            element("ul", *notes, class_="notes") if notes else "",
            self._runs(experiment),
            *map(self._table, outline.tables_below(self._results, experiment)),
            element("div", *pictures, class_="figures") if pictures else "",
            id=f"step-{experiment.id}",
        )

    def _runs(self, experiment: Experiment) -> str:
        if not experiment.runs:
            return ""
        heads = {"training": "", "seed": "", "result": "words", "epochs": "", "time": ""}
        table = element(
            "table",
            _caption("Trainings"),
            _rows("thead", [[_head(text(name), class_=kind) for name, kind in heads.items()]]),
            _rows("tbody", [self._run(run) for run in experiment.runs]),
        )
        return _scroll(table, f"Trainings of step {experiment.id}")

    def _run(self, run: Run) -> list[str]:
        result = _link(self._commands.of_run(run.name), outline.outcome(run))
        return [
            element("th", text(outline.training_name(run)), scope="row"),
            element("td", str(run.seed)),
            element("td", result, class_="words bad" if run.status == "failed" else "words"),
            element("td", text(outline.epochs(run))),
            element("td", wording.duration(run.seconds) if run.status != "waiting" else ""),
        ]

    def _table(self, table: Table) -> str:
        name = outline.table_name(table)
        title = f"{element('b', text(f'{name}.'))} {text(table.title)}"
        note = element("p", text(table.note), class_="note") if table.note else ""
        if not table.rows:
            return element("p", f"{title}: no training of it is done.") + note
        supported = any(row.support is not None for row in table.rows)
        printed = outline.published_columns(table)
        most = outline.most_seeds(table)
        command = self._only_command(table)
        html = element(
            "table",
            _caption(f"{title}.{f' Command {_number(command)}.' if command else ''}"),
            _rows("thead", _column_heads(table, printed, supported)),
            _rows("tbody", [self._cells(row, printed, supported, most) for row in table.rows]),
            class_=f"{'by-class' if supported else ''} {'alike' if command else ''}".strip(),
        )
        return _scroll(html, name) + note

    def _only_command(self, table: Table) -> Command | None:
        """The command that all numbers lead to; print names it once instead of at every number."""
        commands = {self._leads_to(cell) for row in table.rows for cell in row.cells} - {None}
        return commands.pop() if len(commands) == 1 else None

    def _cells(self, row: Row, printed: Sequence[int], supported: bool, most: int) -> list[str]:
        cells = [element("th", text(row.name), scope="row")]
        if supported:
            cells.append(element("td", "" if row.support is None else f"{row.support:,}"))
        for index, cell in enumerate(row.cells):
            number = wording.cell(cell, most) if cell.runs else ""
            cells.append(element("td", _link(self._leads_to(cell), number, title=", ".join(cell.runs))))
            if index in printed:
                value = row.published[index] if row.published else None
                cells.append(element("td", wording.published(value), class_="published"))
        return cells

    def _leads_to(self, cell: Cell) -> Command | None:
        return self._commands.of_run(cell.runs[0]) if cell.runs else None

    def _figure(self, picture: Picture) -> str:
        image, width = self._image(picture)
        stands = f"Stands for {picture.counterpart} of the report." if picture.counterpart else ""
        caption = element(
            "figcaption",
            element("b", text(stands)) + " " if stands else "",
            f"{text(picture.caption)}. Command {_number(self._commands.of_text(picture.command))}.",
        )
        return element("figure", image, caption, style=f"width: {width}px")

    def _image(self, picture: Picture) -> tuple[str, int]:
        """The picture itself in its natural size, and its width in CSS pixels."""
        path = self._folder / picture.file
        if not path.is_file():
            return element("p", f"{text(picture.file)} is not there any more"), 320
        png = path.read_bytes()
        width, height = (round(pixels * _CSS_PIXELS) for pixels in struct.unpack(">II", png[_SIZE_IN_PNG]))
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        alt = text(picture.caption)
        return f'<img src="{source}" alt="{alt}" width="{width}" height="{height}">\n', width


def _banner(banner: Banner) -> str:
    items = [element("li", text(f"{name}: {reason}" if reason else name)) for name, reason in banner.items]
    return element(
        "div",
        element("p", text(banner.text)),
        element("ul", *items) if items else "",
        class_=f"banner {banner.kind}",
        role="note",
    )


def _column_heads(table: Table, printed: Sequence[int], supported: bool) -> list[list[str]]:
    """One row of column names, and a second that tells ours from published ones, where there are any."""
    rows = 2 if printed else None
    first = [element("td", rowspan=rows)]
    if supported:
        first.append(_head("clips", rowspan=rows))
    second = []
    for index, name in enumerate(table.columns):
        if index in printed:
            first.append(element("th", text(name), scope="colgroup", colspan=2))
            second += [_head("here"), _head("published", class_="published")]
        else:
            first.append(_head(text(name), rowspan=rows))
    return [first, second] if printed else [first]


def _head(content: str, **attributes: object) -> str:
    return element("th", content, scope="col", **attributes)


def _rows(name: str, rows: Sequence[Sequence[str]]) -> str:
    return element(name, *(element("tr", *cells) for cells in rows))


def _caption(content: str) -> str:
    return element("caption", element("span", content))


def _scroll(table: str, label: str) -> str:
    """A box in which a table that is too wide for a phone can be moved."""
    return element("div", table, class_="scroll", role="region", tabindex=0, aria_label=label)


def _pre(command: Command) -> str:
    return element("pre", text(command.text), id=command.anchor)


def _link(command: Command | None, content: str, title: str = "") -> str:
    """A number or words that lead to a command, whose number print adds."""
    if command is None or not content:
        return text(content)
    return element(
        "a",
        text(content),
        href=f"#{command.anchor}",
        class_="cmd",
        data_number=command.number,
        title=title,
    )


def _number(command: Command) -> str:
    return element("a", f"[{command.number}]", href=f"#{command.anchor}")
