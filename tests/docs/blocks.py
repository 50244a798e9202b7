"""The fenced blocks of README and pages, for the tests that read them and those that run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block, and the comment on the line before it: `not run: installs`, `output`, `table` ..."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it is run with its page, from top to bottom."""
        return not self.mark.startswith(("not run: ", "run by: "))

    @property
    def environment(self) -> str:
        """The environment of tox that has what the block wants: `beam` of `run by: tox -e beam`."""
        return self.mark.removeprefix("run by: tox -e ") if self.mark.startswith("run by: tox -e ") else ""


def blocks_of(page: Path) -> list[Block]:
    pattern = r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$"
    text = page.read_text(encoding="utf-8")
    found = list(re.finditer(pattern, text, re.M | re.S))
    assert text.count("```") == 2 * len(found), page
    return [
        Block(page, text[: m.start("language")].count("\n") + 1, m["language"], m["text"], m["mark"] or "")
        for m in found
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks_run_by(test: str) -> list[Block]:
    """Those whose mark says that this file of tests runs them: `run by: tests/docs/test_x.py`."""
    found = [block for block in BLOCKS if block.mark == f"run by: {Path(test).relative_to(ROOT)}"]
    assert found, test
    return found
