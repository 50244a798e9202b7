"""The page as one self-contained HTML file, and its twin in Markdown, as GitHub and editors show it."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

from keras_mir.reproduce.outline import Outline
from keras_mir.reproduce.results import Results
from pipelines.files import write_atomically

FILES = {"index.html": "page.html.j2", "index.md": "page.md.j2"}


def write_page(results: Results, folder: Path) -> None:
    """Write `index.html` and `index.md`, each so that it is there whole or not at all.

    Args:
        results: What to show.
        folder: Where they go, and what the pictures' names are relative to.
    """
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
    text = templates.get_template(FILES[name]).render(page=Outline(results, folder))
    return text if name.endswith(".html") else re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _markdown(text: str) -> str:
    """Text that Markdown leaves alone, on one line."""
    plain = " ".join(text.split())
    marked = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", marked)


def _shell_block(command: str) -> str:
    fence = "```" if "```" not in command else "`" * (len(command) + 1)
    return f"{fence}sh\n{command}\n{fence}"
