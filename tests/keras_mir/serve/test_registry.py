"""Versions are found, swapped and dropped while they are used."""

from __future__ import annotations

import shutil
import threading
import time

import numpy as np
import pytest

from keras_mir.client.errors import Code
from keras_mir.models.session import ModelError, ServedModel
from keras_mir.serve.registry import Registry, State
from pipelines.errors import UserError


def scaled(registry, version=None, name="toy"):
    """What the toy makes of 1: 10 for odd versions, 20 for even ones."""
    with registry.use(name, version) as (_, model):
        return run(model)


def run(model):
    inputs = {"x": np.ones(1, np.float32)}
    return model.run("scalars", inputs, seconds=20)["y"].tolist()[0]


def states(registry, name="toy"):
    return [(status.version, status.state) for status in registry.status(name)]


@pytest.fixture
def open_registry():
    opened = []

    def make(root, labels=None):
        opened.append(Registry(root, labels))
        opened[-1].poll()
        return opened[-1]

    yield make
    for registry in opened:
        registry.close()


def test_the_highest_version_is_served_alone(put_version, open_registry, tmp_path):
    for version in (2, 10, 3):
        put_version(tmp_path, version=version)
    put_version(tmp_path, "other", 1)
    registry = open_registry(tmp_path)
    assert registry.names() == ["other", "toy"]
    assert scaled(registry) == scaled(registry, 10) == 20.0
    assert states(registry) == [(10, State.AVAILABLE)]
    with pytest.raises(ModelError, match=r"Specific\(toy, 3\)") as error:
        scaled(registry, 3)
    assert error.value.code is Code.NOT_FOUND


def test_a_version_with_a_label_is_served_beside_the_highest(put_version, open_registry, tmp_path):
    for version in (1, 2, 3):
        put_version(tmp_path, version=version)
    registry = open_registry(tmp_path, {"toy": {"stable": 2, "canary": 3}})
    assert states(registry) == [(3, State.AVAILABLE), (2, State.AVAILABLE)]
    assert [scaled(registry, version) for version in (None, "canary", "stable", 2)] == [10, 10, 20, 20]
    assert registry.status("toy", "stable") == registry.status("toy")
    put_version(tmp_path, version=4)
    registry.poll()
    # The label keeps its version while others come and go.
    assert states(registry) == [(4, State.AVAILABLE), (3, State.AVAILABLE), (2, State.AVAILABLE)]
    shutil.rmtree(tmp_path / "toy" / "2")
    registry.poll()
    with pytest.raises(ModelError, match=r"Specific\(toy, 2\)"):
        scaled(registry, "stable")
    for name in ("toy", "other"):
        with pytest.raises(ModelError, match=r"^Unrecognized servable version label: beta$") as error:
            scaled(registry, "beta", name)
        assert error.value.code is Code.INVALID_ARGUMENT


def test_a_label_of_no_version_is_refused(put_version, tmp_path):
    put_version(tmp_path)
    with pytest.raises(UserError, match=f"^label stable=toy/7: {tmp_path} has no such version$"):
        Registry(tmp_path, {"toy": {"stable": 7}})


def test_a_request_keeps_its_version_until_it_ends(put_version, open_registry, tmp_path):
    put_version(tmp_path, version=1)
    registry = open_registry(tmp_path)
    with registry.use("toy") as (number, first):
        put_version(tmp_path, version=2)
        registry.poll()
        assert number == 1
        assert states(registry) == [(2, State.AVAILABLE), (1, State.UNLOADING)]
        assert scaled(registry) == 20.0  # new requests get the new version
        assert run(first) == 10.0  # this one goes on with its own
    assert states(registry) == [(2, State.AVAILABLE), (1, State.END)]
    with pytest.raises(RuntimeError, match="closed"):
        run(first)


def test_versions_and_models_that_go_are_dropped(put_version, open_registry, tmp_path):
    put_version(tmp_path, version=1)
    put_version(tmp_path, version=2)
    registry = open_registry(tmp_path)
    shutil.rmtree(tmp_path / "toy" / "2")
    registry.poll()
    assert scaled(registry) == 10.0
    shutil.rmtree(tmp_path / "toy")
    registry.poll()
    for version in (None, 1):
        with pytest.raises(ModelError, match="Servable not found") as error:
            scaled(registry, version)
        assert error.value.code is Code.NOT_FOUND
    registry.poll()
    assert registry.names() == []
    put_version(tmp_path, version=2)
    registry.poll()
    assert scaled(registry) == 20.0


def test_what_is_being_written_is_not_seen(put_version, open_registry, tmp_path):
    put_version(tmp_path, version=1)
    registry = open_registry(tmp_path)
    shutil.copytree(tmp_path / "toy" / "1", tmp_path / ".toy-123-tmp")
    shutil.copytree(tmp_path / "toy" / "1", tmp_path / "toy" / ".2")
    shutil.copytree(tmp_path / "toy" / "1", tmp_path / "toy" / "3-copy")
    (tmp_path / "toy" / "4").mkdir()  # as a copy begins
    (tmp_path / "notes.txt").touch()
    registry.poll()
    assert registry.names() == ["toy"]
    assert states(registry) == [(1, State.AVAILABLE)]


def break_graph(folder):
    (folder / "saved_model.pb").write_bytes(b"text, not a model")


def break_weights(folder):
    next((folder / "variables").glob("*.data*")).write_bytes(b"short")


def break_index(folder):
    next((folder / "variables").glob("*.index")).unlink()


@pytest.mark.parametrize("damage", [break_graph, break_weights, break_index])
def test_a_broken_version_is_an_error_and_the_old_one_goes_on(damage, put_version, open_registry, tmp_path):
    put_version(tmp_path, version=1)
    registry = open_registry(tmp_path)
    broken = put_version(tmp_path, version=2)
    damage(broken)
    registry.poll()
    assert states(registry) == [(2, State.END), (1, State.AVAILABLE)]
    problem = registry.status("toy", 2)[0]
    assert problem.code is not Code.OK
    assert problem.message.startswith(f"{broken}: cannot be loaded: ")
    assert "Graph execution error" not in problem.message
    assert "\n" not in problem.message
    assert scaled(registry) == 10.0
    with pytest.raises(ModelError, match="cannot be loaded") as error:
        scaled(registry, 2)
    assert error.value.code is Code.NOT_FOUND

    # Once it is put right it is tried again.
    shutil.rmtree(broken)
    put_version(tmp_path, version=2)
    registry.poll()
    assert scaled(registry) == 20.0


def test_a_broken_version_is_not_read_again_at_every_poll(put_version, open_registry, tmp_path, caplog):
    break_graph(put_version(tmp_path))
    registry = open_registry(tmp_path)
    for _ in range(3):
        registry.poll()
    assert len([record for record in caplog.records if "not served" in record.message]) == 1
    with pytest.raises(ModelError, match="cannot be loaded"):
        scaled(registry)


def test_a_model_that_is_being_loaded_is_unavailable(put_version, open_registry, tmp_path, monkeypatch):
    put_version(tmp_path)
    loading, go_on = threading.Event(), threading.Event()
    load = ServedModel.__init__

    def slowly(self, path):
        loading.set()
        assert go_on.wait(20)
        load(self, path)

    monkeypatch.setattr(ServedModel, "__init__", slowly)
    registry = Registry(tmp_path)
    thread = threading.Thread(target=registry.poll)
    thread.start()
    try:
        assert loading.wait(20)
        with pytest.raises(ModelError) as error:
            scaled(registry)
        assert error.value.code is Code.UNAVAILABLE
        assert states(registry) == [(1, State.LOADING)]
    finally:
        go_on.set()
        thread.join()
    assert scaled(registry) == 10.0
    registry.close()


def test_two_versions_switch_while_many_threads_ask(put_version, open_registry, tmp_path):
    put_version(tmp_path, version=1)
    registry = open_registry(tmp_path)
    answers, failures, done = [], [], threading.Event()

    def ask():
        while not done.is_set():
            try:
                with registry.use("toy") as (number, model):
                    answers.append((number, run(model)))
            except (ModelError, RuntimeError) as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in (2, 3, 4):
        put_version(tmp_path, version=version)
        registry.poll()
        until = time.monotonic() + 20
        while version not in {number for number, _ in answers} and time.monotonic() < until:
            time.sleep(0.01)
    shutil.rmtree(tmp_path / "toy" / "4")
    registry.poll()
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(answer == (10.0 if number % 2 else 20.0) for number, answer in answers)
    assert {2, 3, 4} <= {number for number, _ in answers}
    assert scaled(registry) == 10.0


def test_polling_in_the_background_finds_a_new_version(put_version, tmp_path):
    registry = Registry(tmp_path)
    registry.start(0.01)
    try:
        put_version(tmp_path, version=2)
        until = time.monotonic() + 20
        while not registry.names() or states(registry) != [(2, State.AVAILABLE)]:
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        registry.close()
    with pytest.raises(ModelError, match="Servable not found"):
        scaled(registry)


def test_a_folder_that_cannot_be_read_for_a_while_drops_nothing(put_version, open_registry, tmp_path, caplog):
    put_version(tmp_path / "models")
    registry = open_registry(tmp_path / "models")
    (tmp_path / "models").rename(tmp_path / "away")
    for _ in range(3):
        registry.poll()
    assert scaled(registry) == 10.0
    assert [record.message for record in caplog.records if "goes on" in record.message] == [
        f"{tmp_path / 'models'}: no such file or directory; what is loaded goes on"
    ]


def test_a_root_that_is_none_is_refused(put_version, tmp_path):
    put_version(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        Registry(tmp_path / "nowhere")
    with pytest.raises(UserError, match=f"give the folder above it, {tmp_path}"):
        Registry(tmp_path / "toy")
