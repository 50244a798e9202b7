"""How well recipes recognise: `python -m benchmarks.recognition --audio MUSIC` prints two tables.

Every recipe, and the baseline on the features it reads, by cross-validation over all clips of a folder
with a `labels.csv`; the mean over the folds, and the interval of the out-of-fold predictions; a row a head
where there are several. A table that was stopped goes on where it was. What needs a backbone or vectors of
the user's own is left out, and the same recipe under another name. The second table, `alike`,
says how far songs with vectors near one another are alike; it needs the cross-validations of two recipes,
and runs those that are not there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from benchmarks import alike
from keras_mir.command_line.progress import Shown, progress
from keras_mir.fit.cross_validation import CrossValidationRun, cross_validate
from keras_mir.models.cross_validation import CrossValidationReport, read_cross_validation
from keras_mir.models.report import MAIN_SCORES, Baseline, Interval, number
from keras_mir.recipes.named import OUR_RECIPES, named_recipe
from pipelines.datasets.labels import read_label_table
from pipelines.errors import ArgumentError, UserError

MORE_NEEDED = ("vectors", "transfer-cnn", "transfer-cnn-beat-mel")  # than a folder of music
SAME = {"affect-cnn": "multitask-cnn", "affect-cnn-beat-mel": "multitask-cnn-beat-mel"}  # but for targets
MEASURED = tuple(each.name for each in OUR_RECIPES if each.name not in (*MORE_NEEDED, *SAME))
ALIKE, ALIKE_RECIPES = "alike", ("small-cnn", "cnn-beat-mel")
_NETWORK = "musicnn-mtt"


@dataclass(frozen=True)
class Row:
    """What a recipe came to, or one head of it.

    Attributes:
        recipe: Its name; with the head's where there are several.
        score: Mean over the folds, and its deviation.
        interval: Interval of the out-of-fold predictions.
        baseline: What is easier to have gets, out of fold; None if it gets nothing.
        seconds: That a fold's training took.
    """

    recipe: str
    score: str
    interval: Interval
    baseline: Baseline | None
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recognition", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--audio", type=Path, required=True, help="folder of clips with a labels.csv")
    parser.add_argument("--targets", default="", help="affect columns (default: all columns of numbers)")
    parser.add_argument(
        "--tags",
        default="",
        help="tags of the tags column or, without one, columns of numbers, each a tag of the clips that are "
        "above its mean (default: all)",
    )
    parser.add_argument("--folds", type=int, default=5, help="number of folds (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=1, help="divisions into folds; default: %(default)s")
    parser.add_argument("--only", default="", help=f"recipes, by name, and {ALIKE}, with commas between them")
    parser.add_argument(
        "--vectors", default=_NETWORK, help=f"models asked by {ALIKE}, with commas (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/recognition"), help="folder of the runs (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    try:
        wanted = [*filter(None, arguments.only.split(","))] or [*MEASURED, ALIKE]
        recipes = [name for name in wanted if name != ALIKE]
        data = _prepared(arguments.audio, arguments.tags, arguments.out)
        times = {"folds": arguments.folds, "repeats": arguments.repeats}
        chosen = {"affect": {"targets": arguments.targets}, "tags": {"tags": arguments.tags}}
        if recipes:
            print(*table(list(_rows(recipes, data, chosen, times, arguments.out))), sep="\n", flush=True)
        if ALIKE in wanted:
            models = arguments.vectors.split(",")
            runs = {name: arguments.out / name for name in ALIKE_RECIPES}
            for name, run in runs.items():
                _cross_validated(name, data, chosen, times, run)
            asked = alike.rows(arguments.audio, data, arguments.targets, models, runs)
            print("", *alike.table(list(asked)), sep="\n", flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield "| recipe | mean of folds | out of fold | baseline, same features | ahead of it by | s a fold |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        found = row.baseline
        baseline, lead = (f"{found.name}: {found.score}", str(found.difference)) if found else ("none", "")
        yield (f"| {row.recipe} | {row.score} | {row.interval} | {baseline} | {lead} | {row.seconds:.0f} |")


def _rows(
    recipes: Sequence[str],
    data: Path,
    chosen: Mapping[str, Mapping[str, str]],
    times: Mapping[str, int],
    out: Path,
) -> Iterator[Row]:
    for recipe in recipes:
        found = _cross_validated(recipe, data, chosen, times, out / recipe)
        tasks = named_recipe(recipe).task.tasks
        for task in tasks:
            summary = found.scores[MAIN_SCORES[task]]
            yield Row(
                f"`{recipe}`" if len(tasks) == 1 else f"`{recipe}`, {task}",
                f"**{number(summary.mean)}** (sd {number(summary.deviation)})",
                summary.pooled,
                found.baseline if len(tasks) == 1 else found.baselines.get(task),
                found.seconds / len(found.by_fold),
            )


def _cross_validated(
    recipe: str,
    data: Path,
    chosen: Mapping[str, Mapping[str, str]],
    times: Mapping[str, int],
    folder: Path,
) -> CrossValidationReport:
    """The report on a recipe's cross-validation; what has run is not run again."""
    if (folder / "cross_validation.json").is_file():
        return read_cross_validation(folder)
    if (folder / "run.json").is_file():
        return CrossValidationRun.continued(folder).resume().report
    labels = {
        name: value
        for task in named_recipe(recipe).task.tasks
        for name, value in chosen.get(task, {}).items()
    }
    options: dict[str, Any] = {**times, **{name: value for name, value in labels.items() if value}}
    return cross_validate(recipe, data, **options, out=folder, cache_dir=folder.parent / "cache").report


def _prepared(audio: Path, tags: str, out: Path) -> Path:
    """A data set without a test split of its own: every clip is in a fold."""
    from keras_mir.data.embed import check_network, embed_clips
    from pipelines.datasets.audio import load_labelled_audio
    from pipelines.extraction.dataset import extract_dataset

    check_network(_NETWORK)
    labels = out / "labels.csv"
    out.mkdir(parents=True, exist_ok=True)
    source = pd.read_csv(audio / "labels.csv", dtype=str, keep_default_na=False)
    known = read_label_table(audio / "labels.csv")
    if not known.tags and (tags or known.targets):
        columns = _numbers(source, tags.split(",") if tags else known.targets)
        above = columns > columns.mean()
        source = source.assign(tags=[";".join(columns.columns[row]) for row in above.to_numpy()])
    source.assign(split="train").to_csv(labels, index=False)
    console = Console(stderr=True)
    with progress("extracting features", console) as report:
        made = extract_dataset(load_labelled_audio(audio, labels), out / "data", jobs=2, progress=report)
    embed_clips(made.clips, _NETWORK, out / "data", Shown(console))
    return out / "data"


def _numbers(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    if missing := [name for name in names if name not in table]:
        raise ArgumentError(
            "tags", missing[0], f"no tag, and no column; there are {', '.join(map(str, table))}"
        )
    return table[list(names)].apply(pd.to_numeric, errors="coerce")


if __name__ == "__main__":
    raise SystemExit(main())
