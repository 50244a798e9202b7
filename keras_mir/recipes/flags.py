"""A flag for every setting of a recipe, described by the setting's own documentation."""

from __future__ import annotations

import argparse
import inspect
import re
import typing
from typing import Any, Literal

from keras_mir.recipes.recipe import Setting, all_settings, part_types

_PREFIX = "setting_"  # keeps settings apart from a command's own options


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--learning-rate` and all the others, a group a part of the recipe."""
    settings = all_settings()
    for part, kind in part_types().items():
        group = parser.add_argument_group(f"recipe settings: {part}")
        texts = attribute_texts(kind)
        for name, setting in settings.items():
            if setting.part == part:
                _add(group, name, setting, texts.get(name, ""))


def changed_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line."""
    values = vars(arguments)
    return {name: values[_PREFIX + name] for name in all_settings() if values.get(_PREFIX + name) is not None}


def attribute_texts(kind: type) -> dict[str, str]:
    """What a class's docstring says of its attributes."""
    _, _, section = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text.replace("`", "")) for name, text in entries}


def _add(group: Any, name: str, setting: Setting, text: str) -> None:
    kind = setting.type
    flag = f"--{name.replace('_', '-')}"
    text = text.replace("%", "%%")
    options: dict[str, Any] = {"dest": _PREFIX + name, "help": text, "default": None}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif choices := setting.choices or (typing.get_origin(kind) is Literal and typing.get_args(kind)):
        options["choices"] = choices
    else:
        is_list = typing.get_origin(kind) is tuple
        options["metavar"] = "A,B,..." if is_list else {int: "N", float: "X"}.get(kind, "VALUE")
    group.add_argument(flag, **options)
