"""Another package called `pipelines` that Python finds before ours."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def refuse_name_clash() -> None:
    """Stop where `import pipelines` would give something else than the package beside `keras_mir`.

    `python -m` puts the working folder first on Python's path, and this name is not a rare one.

    Raises:
        ImportError: One line that says what is in the way, and what to do.
        SystemExit: With status 2 and that line on the screen, where Python looks for a command to run.
    """
    ours = Path(__file__).parents[2] / "pipelines"
    spec = importlib.util.find_spec("pipelines")
    if spec is None:
        return
    found = Path((spec.submodule_search_locations or [spec.origin or ""])[0])
    if found.resolve() == ours.resolve():
        return
    problem = (
        f"{found}: hides the package of that name that keras_mir needs; use the command `keras-mir`, "
        "start in another folder, or rename what is there"
    )
    if sys.argv[:1] != ["-m"]:  # which is what Python calls a module that it has still to find
        raise ImportError(problem, name="pipelines", path=str(found))
    print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(2)
