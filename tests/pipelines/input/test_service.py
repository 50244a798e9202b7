"""A tf.data service gives what this process gives: every example, in order, whatever happens to workers."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from pipelines.input.build import evaluation_batches, training_batches
from pipelines.input.cache import cache_examples
from pipelines.input.service import DataService, connect, worker_state, workers_of
from pipelines.settings import AugmentSettings, InputSettings
from pipelines.source import Source
from pipelines.spec import FeatureSpec

LENGTHS = [7, 3, 12, 5, 9, 4, 8, 6, 11, 10, 2]


class Servers:
    """A dispatcher and workers in this process."""

    def __init__(self, workers: int) -> None:
        service = tf.data.experimental.service
        self.dispatcher = service.DispatchServer(
            service.DispatcherConfig(port=0, job_gc_check_interval_ms=100, job_gc_timeout_ms=100)
        )
        self.target = str(self.dispatcher.target)
        address = self.target.removeprefix("grpc://")
        config = service.WorkerConfig(dispatcher_address=address, heartbeat_interval_ms=100)
        self.workers = [service.WorkerServer(config) for _ in range(workers)]

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker._stop()
        self.dispatcher._stop()


# A process of its own, which can be killed: a worker that is stopped waits, minutes at times, for what
# was asked of it and is not wanted any more.
TWO_WORKERS = """
import sys
import tensorflow as tf
service = tf.data.experimental.service
dispatcher = service.DispatchServer(
    service.DispatcherConfig(port=0, job_gc_check_interval_ms=100, job_gc_timeout_ms=100)
)
address = dispatcher.target.removeprefix("grpc://")
config = service.WorkerConfig(dispatcher_address=address, heartbeat_interval_ms=100)
workers = [service.WorkerServer(config) for _ in range(2)]
print(dispatcher.target, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    command = [sys.executable, "-c", TWO_WORKERS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as servers:
        yield next(line for line in servers.stdout if line.startswith("grpc://")).strip()
        servers.kill()


@pytest.fixture
def service(target: str) -> DataService:
    return connect(target)


@pytest.fixture
def source(tmp_path: Path, make_examples: Callable[..., Any]) -> Source:
    cached = cache_examples(make_examples(LENGTHS), InputSettings(feature="fused"), tmp_path / "cache")
    labels = {"row": np.arange(len(LENGTHS), dtype=np.int32)}
    weights = {"row": np.linspace(0.5, 1.5, len(LENGTHS), dtype=np.float32)}
    return Source(cached, labels, weights, InputSettings(feature="fused"), None, FeatureSpec())


def assert_same(first: tf.data.Dataset, second: tf.data.Dataset) -> None:
    left, right = ([tf.nest.flatten(batch) for batch in dataset] for dataset in (first, second))
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        for tensor, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(tensor, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bucket": True},
        {"frames": 4, "crop": "random"},
    ],
)
def test_epochs_of_training_are_those_without_a_service(source, service, settings):
    frames = settings.pop("frames", None)
    source = replace(source, frames=frames, settings=replace(source.settings, **settings))
    augment = AugmentSettings(freq_mask=9, time_mask=3, mixup=0.4)
    here, per_epoch = training_batches(source, 4, 5, range(1, 4), augment, n_classes=11)
    there, also = training_batches(source, 4, 5, range(1, 4), augment, n_classes=11, service=service)
    assert per_epoch == also
    assert here.element_spec == there.element_spec
    assert_same(there, here)
    assert_same(there, here)  # a second look begins anew
    assert service.read_here == 0


@pytest.mark.slow
def test_evaluation_is_that_without_a_service(source, service):
    assert_same(evaluation_batches(source, 4, 11, service), evaluation_batches(source, 4, 11))
    assert service.read_here == 0


@pytest.mark.slow
def test_features_are_processed_in_the_workers(tmp_path, make_examples, service):
    examples, settings = make_examples([13, 17, 15]), InputSettings(feature="mel")
    here = cache_examples(examples, settings, tmp_path / "here")
    there = cache_examples(examples, settings, tmp_path / "there", service=service)
    assert service.read_here == 0
    for row in range(3):
        np.testing.assert_array_equal(there.read(row), here.read(row))


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_said_as_without_a_service(tmp_path, make_examples, service):
    examples = make_examples([5, 6, 7, 8])
    Path(examples.table["path"][1]).write_bytes(b"no spectrogram")
    here = cache_examples(examples, InputSettings(feature="fused"), tmp_path / "here")
    there = cache_examples(examples, InputSettings(feature="fused"), tmp_path / "there", service=service)
    assert there.bad == here.bad
    assert len(there.bad) == 1
    assert there.lengths.tolist() == here.lengths.tolist() == [5, 0, 7, 8]


@pytest.mark.slow
def test_what_a_worker_had_in_hand_when_it_went_is_read_here():
    def identity(number: tf.Tensor) -> tf.Tensor:
        return tf.identity(number)

    got = []
    with Servers(workers=2) as servers:
        service = connect(servers.target)
        for number in service.map(range(3000), identity):
            got.append(int(number))
            if len(got) == 500:
                servers.workers.pop()._stop()
    assert got == list(range(3000))
    assert 0 < service.read_here < 2000


def test_a_service_that_goes_is_noticed():
    told = queue.SimpleQueue[str]()
    with Servers(workers=2) as servers:
        service = connect(servers.target)
        with service.watched(told.put, pause=0.01):
            time.sleep(1)
            servers.workers.pop()._stop()
            time.sleep(1)
            assert told.empty()  # one is left
            servers.workers.pop()._stop()
            assert "none of its workers is there any more" in told.get(timeout=60)
    with service.watched(told.put, pause=0.01):
        assert told.get(timeout=60) == (
            f"tf.data service {servers.target}: its dispatcher does not answer any more"
        )


def test_a_worker_that_is_stuck_is_told_from_one_that_is_gone(target, deaf_port):
    assert worker_state(workers_of(target)[0]) == "answers"
    assert worker_state(f"127.0.0.1:{deaf_port}") == "mute"
    assert worker_state("127.0.0.1:1") == "gone"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port where something listens and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_service_that_does_not_answer_is_refused_soon(deaf_port):
    start = time.monotonic()
    with pytest.raises(UserError, match=f"^data_service grpc://127.0.0.1:{deaf_port}: no tf.data service"):
        connect(f"grpc://127.0.0.1:{deaf_port}")
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    "target", ["localhost:5050", "http://localhost:5050", "grpc://localhost", "grpc://:1"]
)
def test_an_address_of_another_form_is_refused(target):
    with pytest.raises(UserError, match="give the address as grpc://HOST:PORT"):
        connect(target)


def test_a_service_without_workers_is_refused():
    with (
        Servers(workers=0) as idle,
        pytest.raises(UserError, match=r"^data_service .*: it has no workers"),
    ):
        connect(idle.target)
