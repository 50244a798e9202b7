"""The page as one self-contained HTML file, and its twin in Markdown, as GitHub and editors show it."""

from __future__ import annotations

import base64
import html
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from keras_mir.recipes.duration import duration
from keras_mir.reproduce import scores, wording
from keras_mir.reproduce.results import Outcome, Picture, Results, Run, Table
from pipelines.files import write_atomically
from pipelines.wording import counted

FILES = {"index.html": "page.html.j2", "index.md": "page.md.j2"}

_WHOSE = {"paper": "The paper's settings", "ours": "Our variant"}
_AGAIN = "Run the same command again: what is done is kept."
_COMPARED = (
    "Sides are compared seed by seed. Two alike would by chance agree in sign over all of three seeds one "
    "time in four, and other clips would move the scores too: the intervals of the trainings below "
    "say how far."
)
_TEST_FROM = {
    "the data set": "test clips are the data set's own",
    "held out": "test clips were held out at random",
    "a fold": "test clips are one fold of a cross-validation",
    "none": "no test clips, so the scores are of the validation clips",
}
_CSS_PIXELS = 96 / 150  # of a pixel of our pictures, which have 150 to the inch
_SIZE_IN_PNG = slice(16, 24)  # width and height, in the header that every PNG starts with


def write_page(results: Results, folder: Path) -> None:
    """Write `index.html` and `index.md`, each whole or not at all, in the folder the pictures are in."""
    for name in FILES:
        write_atomically(folder / name, render(name, results, folder).encode())


def render(name: str, results: Results, folder: Path) -> str:
    """One of the files; see `write_page`."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"md": _markdown, "sh": _shell_block}
    text = templates.get_template(FILES[name]).render(page=_Outline(results, folder))
    return text if name.endswith(".html") else re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@dataclass(frozen=True)
class _Command:
    """A command line that numbers lead to: where it stands in the page, its number, and what it makes."""

    anchor: str
    number: int
    text: str
    title: str


@dataclass(frozen=True)
class _Cell:
    """A cell of a table: its words, the command they lead to, their kind as CSS knows it, and a tooltip."""

    text: str
    command: _Command | None = None
    kind: str = ""
    title: str = ""


@dataclass(frozen=True)
class _Grid:
    """A table to show.

    Attributes:
        name: Such as `Table 1`; empty for none.
        title: What stands above it, after the name.
        columns: Their names; kind `published` where a column of the paper's values follows.
        rows: A cell for each of these columns; the first is the row's name.
        note: What stands below it.
        kind: As CSS knows it.
        command: To which all of its numbers lead; None if they lead to several.
    """

    name: str
    title: str
    columns: Sequence[_Cell]
    rows: Sequence[Sequence[_Cell]]
    note: str = ""
    kind: str = ""
    command: _Command | None = None


class _Outline:
    """What the page says, in the order it says it, before it is HTML or Markdown."""

    legend = (
        "Numbers are the mean over seeds ± the sample standard deviation; one seed has no deviation. A dash "
        "is a score that is undefined, or that no finished training has. Every number leads to the command "
        "that made it, where several seeds did to that of the first. In brackets behind a training's result "
        "stands its 95 % interval over resampled clips."
    )

    def __init__(self, results: Results, folder: Path) -> None:
        self.results = results
        self.title = f"The paper's experiments on {results.dataset['name']}"
        self.compared = "In a trial run these answers mean nothing." if results.quick else _COMPARED
        self.whole = _Command("cmd-1-everything", 1, results.command, "the whole page")
        self.commands = {results.command: self.whole}  # each once, by its text
        self.groups: dict[str, list[_Command]] = {}  # but for the first; those of several seeds together
        for one in results.experiments:
            made = [(run.kind, run.name, run.command, run.name) for run in one.runs]
            made += [("figures", shown.file, shown.command, shown.caption) for shown in one.pictures]
            for kind, name, text, title in made:
                if text not in self.commands:
                    number = len(self.commands) + 1
                    # Names of targets and files may hold what an address cannot; numbers keep them apart.
                    anchor = f"cmd-{number}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-').lower()}"
                    self.commands[text] = _Command(anchor, number, text, title)
                    self.groups.setdefault(f"Experiment {one.id}: {kind}", []).append(self.commands[text])
        self._runs = {run.name: (one.id, run) for one in results.experiments for run in one.runs}
        self._folder = folder
        self.overview = [self._table(table) for table in results.tables if not table.place]
        self.answers = self._answers()

    def banners(self) -> Iterator[tuple[str, str, list[str]]]:
        """What limits the worth of the page, the gravest last: its kind, what it is, and where."""
        if self.results.quick:
            text = "A trial run: few clips, two epochs, short stretches. It shows that everything runs; its "
            yield "trial", f"{text}numbers mean nothing.", []
        if self.results.dataset["synthetic"]:
            text = "The music is synthetic: generated, with labels its generator knows. Scores on it say "
            yield "synthetic", f"{text}nothing about real music.", []
        if waiting := list(self._unfinished("waiting")):
            text = f"Not finished: {counted(len(waiting), 'training')} still to do. "
            yield "waiting", f"{text}{_AGAIN}", waiting
        if failed := list(self._unfinished("failed")):
            text = f"{counted(len(self.results.failed), 'experiment')} failed; the others went on without. "
            yield "failed", f"{text}Mend what the reasons name, if they name anything. {_AGAIN}", failed

    def facts(self) -> Iterator[tuple[str, str]]:
        """What the numbers depend on, but for the command."""
        results, dataset = self.results, self.results.dataset
        own = "Yes: its published values stand beside ours" if dataset["is_course"] else "No"
        versions = (f"{name} {version or 'not installed'}" for name, version in results.versions.items())
        unstated = "none; this package generated the music" if dataset["synthetic"] else "not stated"
        facts = {
            "Data set": dataset["name"],
            "Licence": dataset["licence"] or unstated,
            "The paper's own data": f"{own}. {dataset['why_not']}" if dataset["why_not"] else own,
            "Genre": _split(dataset["genre"], "class_names", "class", "classes"),
            "Affect": _split(dataset["affect"], "targets", "target", "targets"),
            "Left out": dataset["left_out"],
            "Seeds": ", ".join(map(str, results.seeds)),
            "Versions": ", ".join(versions),
            "Machine": results.machine,
            "Started": results.started.replace("T", " "),
            "Time": f"{duration(results.seconds)}, stops left out",
        }
        return ((name, text) for name, text in facts.items() if text)

    def tables(self, outcome: Outcome) -> list[_Grid]:
        """An experiment's trainings, and the tables that stand with it."""
        found = [self._table(table) for table in self.results.tables if table.place == outcome.id]
        return [self._trainings(outcome), *found] if outcome.runs else found

    def image(self, picture: Picture) -> tuple[str, int, int]:
        """Source, width and height in CSS pixels; no source if the file is gone."""
        path = self._folder / picture.file
        if not path.is_file():
            return "", 320, 0
        png = path.read_bytes()
        width, height = (round(pixels * _CSS_PIXELS) for pixels in struct.unpack(">II", png[_SIZE_IN_PNG]))
        return f"data:image/png;base64,{base64.b64encode(png).decode()}", width, height

    def _answers(self) -> dict[str, list[tuple[str, str, str, list[_Command]]]]:
        """By question: whose settings, the verdict, its numbers, and a command for each kind of training."""
        found: dict[str, list[tuple[str, str, str, list[_Command]]]] = {}
        for one in self.results.comparisons:
            verdict, colon, numbers = one.answer.partition(":")
            first: dict[tuple[str, str], _Command] = {}
            for experiment, run in map(self._runs.__getitem__, one.runs):
                first.setdefault((experiment, run.kind), self.commands[run.command])
            answer = _WHOSE[one.settings], verdict + colon, numbers, list(first.values())
            found.setdefault(one.question, []).append(answer)
        return found

    def _table(self, table: Table) -> _Grid:
        """With every number's command, and published values where there are any."""
        variant = ", our variant" if table.settings == "ours" else ""
        name = f"Table {table.number}{variant}" if table.number else "Overview"
        numbers = table.numbers
        if numbers.empty:
            return _Grid(name, table.title, [], [], table.note)
        printed = numbers.groupby("column", sort=False)["published"].count() > 0
        columns = [_Cell(""), *([_Cell("clips")] if table.clips else [])]
        columns += [_Cell(str(column), kind="published" * shown) for column, shown in printed.items()]
        rows: dict[str, list[_Cell]] = {}
        most = numbers["n"].max()
        for record in numbers.to_dict("records"):
            row, runs = str(record["row"]), record["runs"]
            clips = f"{table.clips[row]:,}" if row in table.clips else ""
            cells = rows.setdefault(row, [_Cell(row), *([_Cell(clips)] if table.clips else [])])
            text = wording.spread(record["mean"], record["spread"])
            if not math.isnan(record["mean"]) and record["n"] < most:
                text = f"{text} ({record['n']} of {most} seeds)"
            command = self.commands[self._runs[runs[0]][1].command] if runs else None
            cells.append(_Cell(text if runs else "", command, title=", ".join(runs)))
            if printed[record["column"]]:
                cells.append(_Cell(wording.published(record["published"]), kind="published"))
        commands = {cell.command for cells in rows.values() for cell in cells} - {None}
        alike = commands.pop() if len(commands) == 1 else None
        kind = f"{'by-class' * bool(table.clips)} {'alike' * bool(alike)}".strip()
        return _Grid(name, table.title, columns, list(rows.values()), table.note, kind, alike)

    def _trainings(self, outcome: Outcome) -> _Grid:
        result = _Cell("result", kind="words")
        columns = [_Cell("training"), _Cell("seed"), result, _Cell("epochs"), _Cell("time")]
        rows = []
        for run in outcome.runs:
            kind = "words bad" if run.status == "failed" else "words"
            result = _Cell(_outcome(run), self.commands[run.command], kind)
            time = "" if run.status == "waiting" else duration(run.seconds)
            rows.append([_Cell(run.kind), _Cell(str(run.seed)), result, _Cell(_epochs(run)), _Cell(time)])
        return _Grid("", f"Trainings of experiment {outcome.id}", columns, rows)

    def _unfinished(self, status: str) -> Iterator[str]:
        """Runs of a status, and experiments that have it for a reason of their own."""
        for one in self.results.experiments:
            runs = [run for run in one.runs if run.status == status]
            if one.status == status == "failed" and not runs:
                yield f"Experiment {one.id}: {one.reason or 'it shows what failed before it'}"
            for run in runs:
                yield f"Experiment {one.id}, {run.name}{f': {run.reason}' if run.reason else ''}"


def _outcome(run: Run) -> str:
    """What came of a training, in a few words."""
    if run.status == "waiting":
        return "not done yet"
    facts = ", ".join(f"{name.replace('_', ' ')} {_fact(value)}" for name, value in run.facts.items())
    if run.status == "failed":
        return f"failed: {run.reason}{f' ({facts})' if facts else ''}"
    return scores.in_words(run) if run.report else facts or "done"


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _epochs(run: Run) -> str:
    """How long a training went on, and whose weights it has."""
    if run.report:
        told = scores.training(run)
        stopped = ", stopped early" if told.stopped_early else ""
        return f"{told.epochs}{stopped}, best {told.best_epoch}"
    return str(len(run.history["loss"])) if "loss" in run.history else ""


def _split(split: Mapping[str, Any], learnt: str, one: str, many: str) -> str:
    """How clips were split, and what is learnt of them."""
    if not split:
        return ""
    names = split[learnt]
    sizes = ", ".join(f"{size:,} {name}" for name, size in split["sizes"].items())
    group, limit = split["group_by"], split["limit"]
    how = (
        f"{split['method']} split, seed {split['seed']}",
        _TEST_FROM[split["test_from"]],
        f"clips of the same {group} kept together" if group != "none" else "",
        f"at most {limit} clips in each part" if limit else "",
        f"evaluated on {split['evaluated']}",
    )
    learns = f"{counted(len(names), one, many)}: {', '.join(names)}"
    parts = (f"{sizes} clips", "; ".join(filter(None, how)), learns)
    return ". ".join(part[0].upper() + part[1:] for part in parts)


def _markdown(text: str) -> str:
    """Text that Markdown leaves alone, on one line."""
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _shell_block(command: str) -> str:
    fence = "```" if "```" not in command else "`" * (len(command) + 1)
    return f"{fence}sh\n{command}\n{fence}"
