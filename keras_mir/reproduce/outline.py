"""What the page and its Markdown twin say, before it is either."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_mir.reproduce.results import Comparison, Experiment, Results, Run, Table
from keras_mir.reproduce.wording import count, duration, score

AGAIN = "Run the same command again: what is done is kept."
LEGEND = (
    "Numbers are the mean over seeds ± the sample standard deviation; one seed has no deviation. A dash is "
    "a score that is undefined, or that no finished training has. Every number leads to the command that "
    "made it, where several seeds did to that of the first. In brackets behind a training's result stands "
    "its 95 % interval over resampled clips."
)
COMPARISONS = (
    "Sides are compared seed by seed. Two alike would by chance agree in sign over all of three seeds one "
    "time in four, and other clips would move the scores too: the intervals of the trainings below "
    "say how far."
)
COMPARISONS_OF_A_TRIAL = "In a trial run these answers mean nothing."
SETTINGS = {"report": "The report's settings", "ours": "Our variant"}

# The step below which a table of the report stands, and another one where that was not asked for.
_PLACES = dict.fromkeys("1234", ("6", "5c")) | {"5": ("7b",), "6": ("8",), "7": ("10",)}

_TEST_FROM = {
    "the data set": "test clips are the data set's own",
    "held out": "test clips were held out at random",
    "none": "no test clips, so the validation clips judge too",
}


@dataclass(frozen=True)
class Banner:
    """What a reader has to know before any number.

    Attributes:
        kind: `trial`, `synthetic`, `failed` or `waiting`.
        text: One or two sentences.
        items: What failed, and why.
    """

    kind: str
    text: str
    items: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Command:
    """A command line that numbers lead to.

    Attributes:
        anchor: Its place in the page.
        number: By which print refers to it.
        text: The command line.
        title: What it makes.
        group: What commands that differ in their seed only have in common.
    """

    anchor: str
    number: int
    text: str
    title: str
    group: str


class Commands:
    """The commands of a reproduction, each once, those that differ in their seed only together.

    Attributes:
        whole: What makes the page.
        groups: The others by what they have in common.
    """

    def __init__(self, results: Results) -> None:
        self.whole = Command("cmd-1-everything", 1, results.command, "the whole page", "")
        self.groups: dict[str, list[Command]] = {}
        self._by_text = {results.command: self.whole}
        self._by_run: dict[str, Command] = {}
        for experiment in results.experiments:
            for run in experiment.runs:
                group = f"Step {experiment.id}: {training_name(run)}"
                self._by_run[run.name] = self._add(group, run.name, run.command, run.name)
            for picture in experiment.pictures:
                self._add(f"Step {experiment.id}: figures", picture.file, picture.command, picture.caption)

    def of_run(self, name: str) -> Command | None:
        """The command of a run."""
        return self._by_run.get(name)

    def firsts(self, names: Sequence[str]) -> list[Command]:
        """The commands of runs, of those that differ in their seed only the first."""
        found: dict[str, Command] = {}
        for name in names:
            found.setdefault(self._by_run[name].group, self._by_run[name])
        return list(found.values())

    def of_text(self, text: str) -> Command:
        """Where a command line stands."""
        return self._by_text[text]

    def _add(self, group: str, name: str, text: str, title: str) -> Command:
        if text not in self._by_text:
            number = len(self._by_text) + 1
            # Names of targets and files may hold what an address cannot; numbers keep them apart.
            anchor = f"cmd-{number}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-').lower()}"
            self._by_text[text] = Command(anchor, number, text, title, group)
            self.groups.setdefault(group, []).append(self._by_text[text])
        return self._by_text[text]


def title(results: Results) -> str:
    return f"The report's experiments on {results.dataset['name']}"


def banners(results: Results) -> list[Banner]:
    """What limits the worth of the page, the gravest last."""
    found = []
    if results.quick:
        text = "A trial run: few clips, two epochs, short stretches. It shows that everything runs; judge "
        found.append(Banner("trial", f"{text}nothing by its numbers."))
    if results.dataset["synthetic"]:
        text = "The music is synthetic: generated, with labels its generator knows. Scores on it say nothing "
        found.append(Banner("synthetic", f"{text}about real music."))
    waiting = tuple(_unfinished(results, "waiting"))
    if waiting:
        text = f"Not finished: {count(len(waiting), 'training')} still to do. {AGAIN}"
        found.append(Banner("waiting", text, waiting))
    failed = tuple(_unfinished(results, "failed"))
    if failed:
        text = (
            f"{count(len(results.failed), 'experiment')} failed; the others went on without. Mend what the "
        )
        found.append(Banner("failed", f"{text}reasons name, if they name anything. {AGAIN}", failed))
    return found


def facts(results: Results) -> list[tuple[str, str]]:
    """What the numbers depend on, but for the command."""
    dataset = results.dataset
    own = "Yes: its published values stand beside ours" if dataset["is_course"] else "No"
    versions = (f"{name} {version or 'not installed'}" for name, version in results.versions.items())
    unstated = "none; this package generated the music" if dataset["synthetic"] else "not stated"
    lines = [
        ("Data set", str(dataset["name"])),
        ("Licence", str(dataset.get("licence") or unstated)),
        ("The report's own data", f"{own}. {dataset['why_not']}" if dataset["why_not"] else own),
        ("Genre", _split(dataset.get("genre") or {}, "class_names", "class", "classes")),
        ("Affect", _split(dataset.get("affect") or {}, "targets", "target", "targets")),
        ("Left out", str(dataset.get("left_out") or "")),
        ("Seeds", ", ".join(map(str, results.seeds))),
        ("Versions", ", ".join(versions)),
        ("Machine", results.machine),
        ("Started", results.started.replace("T", " ")),
        ("Time", f"{duration(results.seconds)}, stops left out"),
    ]
    return [(name, text) for name, text in lines if text]


def tables_below(results: Results, experiment: Experiment) -> list[Table]:
    """The tables that stand with an experiment."""
    ids = {one.id for one in results.experiments}
    return [
        table
        for table in results.tables
        if table.number
        and next((place for place in _PLACES[table.number] if place in ids), "") == experiment.id
    ]


def overviews(results: Results) -> list[Table]:
    """The tables that stand at the top."""
    return [table for table in results.tables if not table.number]


def table_name(table: Table) -> str:
    """Such as `Table 1` and `Table 1, our variant`."""
    if not table.number:
        return "Overview"
    return f"Table {table.number}{', our variant' if table.settings == 'ours' else ''}"


def most_seeds(table: Table) -> int:
    """Seeds of the cells that have most."""
    return max((cell.n for row in table.rows for cell in row.cells), default=0)


def published_columns(table: Table) -> list[int]:
    """Indices of the columns that have published values."""
    return [
        index
        for index in range(len(table.columns))
        if any(row.published and row.published[index] is not None for row in table.rows)
    ]


def questions(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Comparisons by question."""
    found: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        found.setdefault(comparison.question, []).append(comparison)
    return found


def training_name(run: Run) -> str:
    """What the seeds of a training have in common."""
    return f"{run.recipe}, {run.target}" if run.target else run.recipe


def outcome(run: Run) -> str:
    """What came of a training, in a few words."""
    if run.status == "waiting":
        return "not done yet"
    facts = ", ".join(f"{name.replace('_', ' ')} {_fact(value)}" for name, value in run.facts.items())
    if run.status == "failed":
        return f"failed: {run.reason}{f' ({facts})' if facts else ''}"
    if run.report is None:
        return facts or "done"
    genre = run.report["task"] == "genre"
    found = run.report["accuracy" if genre else "spearman_mean"]
    several = not genre and len(run.report["targets"]) > 1
    metric = "accuracy" if genre else "mean Spearman" if several else "Spearman"
    if found["value"] is None:
        return f"{metric} undefined"
    return f"{metric} {score(found['value'])} ({score(found['low'])} to {score(found['high'])})"


def epochs(run: Run) -> str:
    """How long a training went on, and whose weights it has."""
    training = (run.report or {}).get("training")
    if not training:
        return str(len(run.history["loss"])) if "loss" in run.history else ""
    stopped = ", stopped early" if training["stopped_early"] else ""
    return f"{training['epochs']}{stopped}, best {training['best_epoch']}"


def _unfinished(results: Results, status: str) -> list[tuple[str, str]]:
    """Runs of a status, and experiments that have it for a reason of their own."""
    found = []
    for experiment in results.experiments:
        runs = [run for run in experiment.runs if run.status == status]
        if experiment.status == status == "failed" and not runs:
            found.append((f"Step {experiment.id}", experiment.reason or "it shows what failed before it"))
        found += [(f"Step {experiment.id}, {run.name}", run.reason) for run in runs]
    return found


def _split(split: Mapping[str, Any], learnt: str, one: str, many: str) -> str:
    """How clips were split, and what is learnt of them."""
    if not split:
        return ""
    names = list(split.get(learnt, ()))
    sizes = ", ".join(f"{size:,} {name}" for name, size in split.get("sizes", {}).items())
    how = [
        f"{split['method']} split, seed {split.get('seed')}" if split.get("method") else "",
        _TEST_FROM.get(str(split.get("test_from")), ""),
        f"clips of the same {split['group_by']} kept together"
        if split.get("group_by", "none") != "none"
        else "",
        f"at most {split['limit']} clips in each part" if split.get("limit") else "",
        f"judged on {split['evaluated']}" if split.get("evaluated") else "",
    ]
    parts = [
        f"{sizes} clips",
        "; ".join(filter(None, how)),
        f"{count(len(names), one, many)}: {', '.join(names)}",
    ]
    return ". ".join(part[0].upper() + part[1:] for part in parts if part)


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
