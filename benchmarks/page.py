"""What the page takes from a file to the answer on the screen, step by step: `python -m benchmarks.page`.

A song of four minutes is put on the page of `keras_mir.serve` in a real browser, several times; the steps
are those that page and server tell the browser themselves. CHROMIUM is the path of a browser; without it,
the one that `playwright install chromium` downloads is taken.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import soundfile
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import MODEL, Inputs
from pipelines.extraction.audio_files import decode

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MINUTES = 4
_MOST_MS = 120_000

# By the names that page and server give them, in order.
_STEPS = {
    "decode": "decoded, in the page",
    "encode": "to WAV and base64, in the page",
    "pack": "to JSON, in the page",
    "arrive": "arrives at the server",
    "read": "JSON and base64 read, in the server",
    "model": "features and network, in the server",
    "write": "answer to JSON, in the server",
    "show": "answer shown, in the page",
    "draw": "spectrogram drawn, in the page, while it asks",
}
_TOTAL = "from file to answer"

_ASK = """async file => {
  performance.clearMeasures(); performance.clearResourceTimings();
  const bytes = await (await fetch(file)).arrayBuffer();
  const data = new DataTransfer();
  data.items.add(new File([bytes], "song"));
  const start = performance.now();
  dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
  const measures = name => performance.getEntriesByName(name, "measure");
  const done = () => measures("show").length && measures("draw").length;
  while (!done()) await new Promise(resolve => setTimeout(resolve, 50));
  const steps = Object.fromEntries(performance.getEntriesByType("measure").map(m => [m.name, m.duration]));
  const [answer] = performance.getEntriesByType("resource").filter(one => one.name.endsWith(":predict"));
  for (const {name, duration} of answer.serverTiming) steps[name] = duration;
  const [show] = measures("show");
  return {...steps, total: show.startTime + show.duration - start};
}"""


def main() -> int:
    """Print the median of each step."""
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=summary)
    parser.add_argument(
        "--audio", type=Path, metavar="DIR", help="real music with a labels.csv, instead of synthetic"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/benchmarks"), metavar="DIR", help="for inputs"
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds (default: %(default)s)")
    arguments = parser.parse_args()
    inputs = Inputs(arguments.folder.resolve(), arguments.audio.resolve() if arguments.audio else None)
    with _browser() as browser:  # first, for it may be missing, and a model takes minutes
        found = _rounds(browser, inputs.model(), _song(inputs), arguments.rounds)
    table = Table("step", "ms", title=f"a song of {MINUTES} minutes, the median of {arguments.rounds}")
    for step, what in {**_STEPS, "total": _TOTAL}.items():
        table.add_row(what, f"{median(each[step] for each in found):.0f}")
    Console(width=100).print(table)
    return 0


def _song(inputs: Inputs) -> Path:
    """Clips one after the other, as an mp3."""
    path = inputs.folder / "song.mp3"
    if not path.exists():
        pieces, rate, seconds = [], 0, 0.0
        for clip in inputs.clips(3 * MINUTES):
            samples, rate = decode(clip)
            pieces.append(samples.mean(axis=0))
            seconds += samples.shape[1] / rate
            if seconds >= 60 * MINUTES:
                break
        with soundfile.SoundFile(path, "w", rate, 1, format="MP3") as file:
            for piece in pieces:
                file.write(piece)
    return path


@contextmanager
def _server(models: Path) -> Iterator[str]:
    """The page's address."""
    command = [sys.executable, "-m", "keras_mir.serve", "--models", str(models)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--grpc-port", "0"], stderr=subprocess.PIPE, text=True
    )
    try:
        log = ""
        while (found := re.search(r"a page to try it at (http\S+/);", log)) is None:
            line = process.stderr.readline() if process.stderr else ""
            if not line:
                raise SystemExit(log)
            log += line
        yield found[1]
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        raise SystemExit("error: a browser is driven by playwright: pip install playwright") from None
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
            )
        except Error as error:
            what_to_do = "set CHROMIUM=/path/to/chromium, or run playwright install chromium"
            raise SystemExit(f"{error}\nerror: no browser was started: {what_to_do}") from None
        yield browser
        browser.close()


def _rounds(browser: Browser, version: Path, song: Path, rounds: int) -> list[dict[str, float]]:
    """Milliseconds of each step, of each round; one before them warms up."""
    with _server(version.parents[1]) as url:
        page = browser.new_page()
        page.set_default_timeout(_MOST_MS)
        page.route("**/song.mp3", lambda route: route.fulfill(path=song))
        page.goto(url)
        page.get_by_role("checkbox", name=MODEL).wait_for()
        found = [page.evaluate(_ASK, f"{url}song.mp3") for _ in range(rounds + 1)]
    return found[1:]


if __name__ == "__main__":
    raise SystemExit(main())
