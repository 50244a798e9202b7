"""What an exported model answers in a process that has TensorFlow and nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.errors import UserError
from pipelines.processes import Child, Died

Request = tuple[str, Mapping[str, np.ndarray]]  # a signature, and all its inputs
_PROGRAM = Path(__file__).with_name("run_alone.py")
_SECONDS = 600  # to import TensorFlow, load the model and answer


class FreshProcess(Child):
    """A Python process that loads an exported model as TF Serving does, and answers once.

    It takes seconds to import TensorFlow, so it pays to start it before there is anything to ask. It
    runs on the CPU: the GPU's memory belongs to the process that trained.
    """

    def __init__(self) -> None:
        # -P: the program's own folder is not on its path, so none of our modules can be imported from it.
        super().__init__("-P", str(_PROGRAM), TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

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
        answers = self.call((str(path), list(requests)), _SECONDS)
        if isinstance(answers, Died):
            raise UserError(
                f"{path}: the exported model does not answer in a process of its own "
                f"({answers.reason[:300]}); export it again"
            )
        return list(answers)
