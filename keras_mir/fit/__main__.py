"""Train, evaluate and export a model: `python -m keras_mir.fit`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line import run as cli
from keras_mir.recipes.flags import add_setting_flags, changed_settings
from keras_mir.recipes.named import DEFAULT, OUR_RECIPES, RECIPES, named_recipe
from keras_mir.recipes.paper import PAPER_RECIPES
from keras_mir.recipes.recipe import Recipe, read_recipe
from pipelines.errors import UserError
from pipelines.input.dispatcher import workers_of


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return cli.run(lambda: _fit(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_mir.fit",
        usage="%(prog)s [RECIPE] [--data DIR] [--SETTING VALUE ...]",
        description="Train a model, evaluate it on held-out clips and export it for TF Serving. "
        "Without --data it trains on synthetic music that it generates itself.",
        allow_abbrev=False,
    )
    parser.add_argument("recipe", nargs="?", help=f"a named recipe (default: {DEFAULT}); --list shows them")
    parser.add_argument("--list", action="store_true", help="show the named recipes and stop")
    parser.add_argument(
        "--recipe", dest="recipe_file", type=Path, metavar="FILE", help="a recipe of your own (TOML)"
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", type=Path, metavar="DIR", help="prepared data, a folder of features, or of audio"
    )
    data.add_argument("--labels", type=Path, metavar="FILE", help="CSV or TSV table, for a folder of files")
    data.add_argument(
        "--synced", action="store_true", help="the folder's features are beat-synchronous already"
    )
    data.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read")
    data.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="processed features (default: runs/.cache)"
    )
    data.add_argument(
        "--jobs", type=int, metavar="N", help="processes that extract features (default: all cores)"
    )
    data.add_argument(
        "--data-service",
        default="",
        metavar="grpc://HOST:PORT",
        help="load examples in the workers of a tf.data service (python -m keras_mir.data_service); the "
        "numbers are the same",
    )
    run = parser.add_argument_group("run")
    run.add_argument(
        "--out", type=Path, metavar="RUN_DIR", help="folder of the run (default: runs/RECIPE-TIME)"
    )
    run.add_argument(
        "--export-dir", type=Path, default=Path("saved_models"), metavar="DIR", help="default: %(default)s"
    )
    run.add_argument("--name", help="name of the exported model (default: the recipe's)")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    run.add_argument("--resume", type=Path, metavar="RUN_DIR", help="continue a run that was stopped")
    run.add_argument("--no-export", action="store_true", help="write no SavedModel")
    run.add_argument(
        "--devices", default="", metavar="A,B", help="train on these devices in step (default: all GPUs)"
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
    _check(arguments)
    cli.import_tensorflow()
    from keras_mir.fit.run import FitRequest, resume_fit, run_fit

    if arguments.resume:
        return resume_fit(arguments.resume, console, arguments.data_service)
    request = FitRequest(
        recipe=_recipe(arguments),
        data=_text(arguments.data),
        labels=_text(arguments.labels),
        synced=arguments.synced,
        skip_bad=arguments.skip_bad,
        cache_dir=_text(arguments.cache_dir),
        jobs=arguments.jobs or 0,
        data_service=arguments.data_service,
        out=_text(arguments.out),
        export_dir=str(arguments.export_dir),
        name=arguments.name or "",
        seed=arguments.seed,
        export=not arguments.no_export,
        devices=tuple(filter(None, arguments.devices.split(","))),
    )
    return run_fit(request, console)


def _recipe(arguments: argparse.Namespace) -> Recipe:
    if arguments.recipe_file:
        recipe = read_recipe(arguments.recipe_file, RECIPES)
    else:
        recipe = named_recipe(arguments.recipe or DEFAULT)
    return recipe.with_settings(changed_settings(arguments))


def _check(arguments: argparse.Namespace) -> None:
    if arguments.recipe and arguments.recipe_file:
        raise UserError("recipe: give a name or --recipe FILE, not both")
    if arguments.resume and (arguments.recipe or arguments.recipe_file or changed_settings(arguments)):
        raise UserError("--resume continues a run as it was started; leave the recipe and its settings away")
    if arguments.seed < 0:
        raise UserError(f"--seed {arguments.seed}: give 0 or more")
    if arguments.labels and not arguments.data:
        raise UserError("--labels goes with --data, the folder its files are in")
    if arguments.data_service:
        workers_of(arguments.data_service)  # refuses before TensorFlow is imported


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


if __name__ == "__main__":
    raise SystemExit(main())
