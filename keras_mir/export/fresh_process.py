"""What an exported model answers in a process that has TensorFlow and nothing of ours."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipelines.errors import UserError

Request = tuple[str, Mapping[str, np.ndarray]]  # a signature, and all its inputs
_PROGRAM = Path(__file__).with_name("run_alone.py")
_SECONDS = 600  # to import TensorFlow, load the model and answer


class FreshProcess:
    """A process that answers once; made by `fresh_process`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, path: Path, requests: Sequence[Request]) -> list[dict[str, np.ndarray]]:
        """Load an exported model and run its signatures, one after the other.

        Args:
            path: The folder that holds `saved_model.pb`.
            requests: Signatures with their inputs, of the dtypes they take; strings as object arrays of
                bytes.

        Returns:
            The outputs of each request by name; strings as object arrays of bytes.

        Raises:
            UserError: If the model cannot be loaded, or a signature fails.
        """
        try:
            answers, problem = self._process.communicate(
                pickle.dumps((str(path), list(requests))), timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{path}: no answer in {_SECONDS // 60} minutes; export the model again"
            ) from None
        if self._process.returncode:
            lines = problem.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"exit status {self._process.returncode}"
            raise UserError(
                f"{path}: the exported model does not answer in a process of its own ({reason[:300]})"
            )
        return list(pickle.loads(answers))


@contextmanager
def fresh_process() -> Iterator[FreshProcess]:
    """Start a Python process that loads an exported model as TF Serving does.

    It takes seconds to import TensorFlow, so it pays to start it before there is anything to ask. It
    runs on the CPU: the GPU's memory belongs to the process that trained.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    process = subprocess.Popen(
        # -P: the program's own folder is not on its path, so none of our modules can be imported from it.
        [sys.executable, "-P", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **quiet},
    )
    with process:
        try:
            yield FreshProcess(process)
        finally:
            process.kill()
