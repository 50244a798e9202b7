"""Extraction, embedding and prediction as transforms of Apache Beam, for more music than one machine takes.

import apache_beam as beam
from keras_mir.beam import Embed

with beam.Pipeline() as pipeline:
    songs = pipeline | beam.Create(["s3://bucket/one.mp3", "two.flac"])
    made, failed = songs | Embed("musicnn-mtt")
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

NEEDS = "needs Apache Beam; pip install 'keras-mir[beam]'"

__all__ = ["DeadLetter", "Embed", "ExtractFeatures", "Predict"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'keras_mir.beam' has no attribute {name!r}")
    if find_spec("apache_beam") is None:
        raise ImportError(f"keras_mir.beam {NEEDS}")
    return getattr(import_module("keras_mir.beam.transforms"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
