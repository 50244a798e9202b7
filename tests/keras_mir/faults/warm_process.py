"""A process that has imported what commands need, and runs them in copies of itself; see `conftest`.

It is called with the commands' names. It reads a line of JSON a command, with its `argv`, the `folder` to
run it in, the file for its `output` and the seconds to `kill_after`; it writes its exit status and how long
it took.
"""

import importlib
import json
import os
import signal
import sys
import threading
import time

from keras_mir.__main__ import main
from pipelines.spec import FeatureSpec

# Beside its `__main__`, what a command imports once it has been given its arguments.
NEEDED = {
    "prepare": ("pipelines.extraction.dataset", "keras_mir.data.find"),
    "fit": ("keras_mir.fit.run", "keras_mir.models.report_table", "keras_mir.models.trained_model"),
    "evaluate": (
        "keras_mir.models.trained_model",
        "keras_mir.evaluate.evaluate",
        "keras_mir.models.report_table",
    ),
    "export": ("keras_mir.export.savedmodel", "keras_mir.models.trained_model"),
    "predict": (
        "keras_mir.predict.songs",
        "keras_mir.predict.models",
        "keras_mir.predict.figure",
        "keras_mir.predict.file_tags",
    ),
    "embed": ("keras_mir.embed.songs", "keras_mir.models.trained_model", "pyarrow.parquet"),
    "similar": ("keras_mir.similar.answers", "keras_mir.models.trained_model", "pyarrow.parquet"),
    "compare": ("keras_mir.compare.compare",),
    "reproduce": ("keras_mir.reproduce.run",),
}


def run(argv: list[str], folder: str, output: str) -> int:
    """Run a command in this process."""
    os.setsid()
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(output, os.O_WRONLY), 1)
    os.dup2(1, 2)
    try:
        return main(argv)
    except SystemExit as error:
        return int(error.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()


print("started", flush=True)
for name in sys.argv[1:]:
    for module in (f"keras_mir.{name}.__main__", *NEEDED[name]):
        importlib.import_module(module)
if "prepare" in sys.argv:  # compiled functions are loaded when they are called
    importlib.import_module("pipelines.extraction.features").compile_functions(FeatureSpec())
for line in sys.stdin:
    asked = json.loads(line)
    started = time.monotonic()
    process = os.fork()
    if not process:
        os._exit(run(asked["argv"], asked["folder"], asked["output"]))
    timer = threading.Timer(asked["kill_after"], os.kill, (process, signal.SIGKILL))
    timer.start()
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    timer.cancel()
    timer.join()
    print(json.dumps([status, time.monotonic() - started]), flush=True)
