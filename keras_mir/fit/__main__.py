"""Train, evaluate and export a model: `python -m keras_mir.fit`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_mir.command_line.lines import say
from keras_mir.command_line.options import add_data_options, command_parser, count, names
from keras_mir.command_line.run import run
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.flags import add_setting_flags, changed_settings
from keras_mir.recipes.named import DEFAULT, OUR_RECIPES, RECIPES, named_recipe
from keras_mir.recipes.paper import PAPER_RECIPES
from keras_mir.recipes.recipe import Recipe, read_recipe
from pipelines.errors import ArgumentError, UserError
from pipelines.input.service import workers_of
from pipelines.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from keras_mir.fit.run import Run
    from keras_mir.models.trained_model import TrainedModel

# Options that `Run` takes under the same name.
_OF_RUN = (
    *("labels", "synced", "skip_bad", "cache_dir", "jobs", "data_service"),
    *("out", "export_dir", "name", "seed", "export", "devices"),
)

_OF_FOLDS = ("repeats", "ensemble", "suspicious_labels")  # options of a cross-validation alone


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if an overfit check failed, 2 for a user's mistake."""
    return run(parser(), _fit, argv)


def parser() -> argparse.ArgumentParser:
    """The options of `fit`."""
    parser = command_parser(
        "fit",
        usage="%(prog)s [RECIPE] [--data DIR] [--SETTING VALUE ...]",
        description="Train a model, evaluate it on held-out clips and export it for TF Serving. "
        "Without --data it trains on synthetic music that it generates itself.",
    )
    parser.add_argument("recipe", nargs="?", help=f"a named recipe (default: {DEFAULT}); --list shows them")
    parser.add_argument("--list", action="store_true", help="show the named recipes and stop")
    parser.add_argument(
        "--recipe", dest="recipe_file", type=Path, metavar="FILE", help="a recipe of your own (TOML)"
    )
    data = parser.add_argument_group("data")
    add_data_options(data)
    data.add_argument(
        "--data-service",
        default="",
        metavar="grpc://HOST:PORT",
        help="load examples in the workers of a tf.data service (python -m keras_mir.data_service); the "
        "numbers are the same",
    )
    folder = parser.add_argument_group("run")
    folder.add_argument(
        "--out", type=Path, metavar="RUN_DIR", help="folder of the run (default: runs/RECIPE-TIME)"
    )
    folder.add_argument(
        "--export-dir",
        type=Path,
        default=Path("saved_models"),
        metavar="DIR",
        help="folder of exported models (default: %(default)s)",
    )
    folder.add_argument("--name", help="name of the exported model (default: the recipe's)")
    text = "seed of everything random but the split (default: %(default)s)"
    folder.add_argument("--seed", type=int, default=0, metavar="N", help=text)
    folder.add_argument("--resume", type=Path, metavar="RUN_DIR", help="continue a run that was stopped")
    folder.add_argument("--no-export", dest="export", action="store_false", help="write no SavedModel")
    folder.add_argument(
        "--devices",
        type=names,
        default=(),
        metavar="A,B",
        help="train on these devices in step (default: all GPUs)",
    )
    folds = parser.add_argument_group("cross-validation")
    folds.add_argument(
        "--repeats", type=count, metavar="N", help="repeat --folds with N divisions of the clips (default: 1)"
    )
    folds.add_argument(
        "--ensemble",
        action="store_true",
        help="make one model of those of all --folds, their mean, and export it",
    )
    folds.add_argument(
        "--suspicious-labels",
        action="store_true",
        help="list the genre labels most likely wrong, by the predictions of --folds (needs cleanlab)",
    )
    folds.add_argument(
        "--tune",
        type=count,
        metavar="N",
        help="search for the best settings in N trials, each a cross-validation (default: 3 folds); "
        "settings given here are not varied",
    )
    add_setting_flags(parser)
    return parser


def _fit(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    console = Console()
    if arguments.list:
        from keras_mir.recipes.table import print_recipes

        print_recipes(OUR_RECIPES, PAPER_RECIPES, console)
        return 0
    named, file, resume = arguments.recipe, arguments.recipe_file, arguments.resume
    if named and file:
        raise UserError("recipe: give a name or --recipe FILE, not both")
    if resume and (named or file or changed_settings(arguments) or _of_folds(arguments) or arguments.tune):
        raise UserError("--resume continues a run as it was started; leave the recipe and its settings away")
    if arguments.data_service:
        workers_of(arguments.data_service)
    there = RunFolder(resume) if resume else None
    if there:
        there.read_options()  # refuses what is no run
    asked = there.read_recipe() if there else _recipe(arguments)  # refuses before TensorFlow is imported
    recipe = None if there else asked
    if arguments.tune or (there and there.study.exists()):
        return _tune(arguments, recipe, console)
    if _has_folds(asked):
        return _cross_validate(arguments, recipe, console)
    for name, value in _of_folds(arguments).items():
        raise ArgumentError(name, None if value is True else value, "goes with folds")
    from keras_mir.fit.run import Run
    from keras_mir.models.report_table import print_report

    if recipe is None:
        job = Run.continued(resume, arguments.data_service, console)
        model = job.resume()
    else:
        job = Run(recipe, arguments.data, **_options(arguments), console=console)
        if job.recipe.train.overfit_batches:
            return _check_overfit(job)
        model = job.train()
    print_report(model.report, console)
    say(console, f"report  {job.folder.report}", f"logs    {job.folder.logs}")
    if job.options.export:
        say(console, f"export  {model.report.model}")
    _say_next(model, job.options.export, console)
    return 0


def _has_folds(recipe: Recipe) -> bool:
    """Whether it is trained once a fold."""
    return bool(recipe.split.folds) and not recipe.split.fold


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in _OF_RUN}


def _of_folds(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of a cross-validation that were given."""
    return {name: value for name in _OF_FOLDS if (value := getattr(arguments, name))}


def _cross_validate(arguments: argparse.Namespace, recipe: Recipe | None, console: Console) -> int:
    from keras_mir.fit.cross_validation import CrossValidationRun
    from keras_mir.models.report_table import print_cross_validation, print_report

    if recipe is None:
        job = CrossValidationRun.continued(arguments.resume, arguments.data_service, console)
        result = job.resume()
    else:
        options = _options(arguments) | _of_folds(arguments)
        job = CrossValidationRun(recipe, arguments.data, **options, console=console)
        result = job.train()
    print_cross_validation(result.report, console)
    if result.model:
        console.print()
        print_report(result.model.report, console)
    say(console, f"report  {job.folder.cross_validation}", f"table   {job.folder.predictions}")
    if job.options.suspicious_labels:
        say(console, f"labels  {job.folder.suspicious_labels}")
    if result.model:
        what = "export" if job.options.export else "model "
        say(console, f"{what}  {result.model.report.model}")
        _say_next(result.model, job.options.export, console)
    return 0


def _say_next(model: TrainedModel, exported: bool, console: Console) -> None:
    """How to ask the model about a song, unless it takes vectors."""
    if model.description.feature_spec.sample_rate:
        place = model.report.model if exported else model.folder
        say(console, f"next: python -m keras_mir.predict SONG --model {shlex.quote(str(place))}")


def _tune(arguments: argparse.Namespace, recipe: Recipe | None, console: Console) -> int:
    from keras_mir.fit.tuning import Tuning, print_best_trials

    if recipe is None:
        job = Tuning.continued(arguments.resume, arguments.data_service, console)
        trials = job.resume()
    else:
        options = _options(arguments) | _of_folds(arguments)
        fixed = tuple(changed_settings(arguments))
        job = Tuning(recipe, arguments.data, trials=arguments.tune, fixed=fixed, **options, console=console)
        trials = job.run()
    print_best_trials(trials, job.score, console)
    say(console, f"best    {job.folder.best}", f"table   {job.folder.trials}")
    return 0


def _recipe(arguments: argparse.Namespace) -> Recipe:
    file = arguments.recipe_file
    recipe = read_recipe(file, RECIPES) if file else named_recipe(arguments.recipe or DEFAULT)
    return recipe.with_settings(changed_settings(arguments))


def _check_overfit(job: Run) -> int:
    check = job.check_overfit()
    batches = counted(check.batches, "batch", "batches")
    say(
        job.console,
        f"overfit check: {batches} {'memorised' if check.passed else 'NOT memorised'} in "
        f"{check.training.epochs} epochs; training loss {check.first_loss:.4g} -> {check.last_loss:.4g}",
        f"curve   {job.folder.curves}",
        f"logs    {job.folder.logs}",
    )
    return 0 if check.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
