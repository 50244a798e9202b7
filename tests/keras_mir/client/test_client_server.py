"""The client against the stand-in for TF Serving, with a real SavedModel, over both protocols."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from keras_mir.client import AsyncServingClient, ServingClient, ServingError, TensorInfo
from keras_mir.client.errors import Code
from keras_mir.models.folders import DESCRIPTION
from pipelines.errors import UserError


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    return folder


@pytest.fixture(params=["rest", "grpc"])
def connected(request, serving):
    """Makes clients of a running server of a folder."""
    if request.param == "grpc":
        pytest.importorskip("tensorflow_serving")

    @contextmanager
    def connected(root, **options):
        with serving(root, request_bytes=100_000, **options) as running:
            addresses = {"rest": running.server.rest_address, "grpc": running.server.grpc_address}

            def client(model: str = "toy", *arguments, **options) -> ServingClient:
                return ServingClient(
                    addresses[request.param], model, *arguments, protocol=request.param, **options
                )

            yield client

    return connected


@pytest.fixture
def connect(connected, root):
    with connected(root) as connect:
        yield connect


def test_predictions_of_a_saved_model(connect):
    random = np.random.default_rng(0)
    x = random.normal(size=(7, 3)).astype(np.float32)
    with connect(batch_size=3) as client:
        assert client.status()[0].available
        assert client.metadata().signatures["serving_default"].inputs["x"] == TensorInfo("float32", (None, 3))
        outputs = client.predict({"x": x, "tag": list("abcdefg")})
    np.testing.assert_array_equal(outputs["y"], x * np.float32(10))
    assert outputs["greeting"].tolist() == [f"hello {letter}" for letter in "abcdefg"]
    assert outputs["tag_bytes"].tolist() == [letter.encode() for letter in "abcdefg"]


def test_dtypes_and_bytes(connect):
    with connect(signature="flags") as client:
        outputs = client.predict({"small": [1, -127], "flag": [True, False]})
    assert {name: (array.dtype.name, array.tolist()) for name, array in outputs.items()} == {
        "flag": ("bool", [False, True]),
        "small": ("int8", [-1, 127]),
        "wide": ("float64", [1.0, -127.0]),
    }
    with connect(signature="sizes") as client:
        outputs = client.predict({"audio": [bytes(range(256)), b"\0"]})
    assert outputs["size"].tolist() == [256, 1]
    assert outputs["scale"] == np.float32(10)


def test_a_version_by_its_label(connected, put_version, tmp_path):
    for version in (1, 2, 3, 5):
        put_version(tmp_path, version=version)
    with connected(tmp_path, labels={"toy": {"stable": 2, "canary": 5}}) as connect:
        for version, number, scale in ((None, 5, 10), (2, 2, 20), ("stable", 2, 20), ("canary", 5, 10)):
            with connect("toy", version, signature="scalars") as client:
                assert client.metadata().version == number
                assert client.predict({"x": [1.0]})["y"].tolist() == [scale]
        with connect("toy", "stable") as client:
            assert [(status.version, status.state) for status in client.status()] == [
                (5, "AVAILABLE"),
                (2, "AVAILABLE"),
            ]
        with connect("toy", "beta v2?", signature="scalars") as client:
            with pytest.raises(ServingError, match="servable version label: beta v2") as error:
                client.predict({"x": [1.0]})
            assert error.value.code is Code.INVALID_ARGUMENT


def test_requests_that_are_awaited_run_at_the_same_time(serving, put_version, tmp_path):
    put_version(tmp_path)

    async def ask(server: str):
        async with AsyncServingClient(server, "toy", signature="scalars", concurrency=4) as client:
            assert (await client.status())[0].available
            assert (await client.metadata()).version == 1
            asked = [client.predict({"x": [float(number)]}) for number in range(20)]
            answers = await asyncio.gather(*asked)
            with pytest.raises(UserError, match="inputs without x; give x"):
                await client.predict({})
            paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
            files = [answer async for answer in client.predict_files(paths)]
        return [answer["y"].tolist() for answer in answers], files

    with serving(tmp_path) as running:
        answers, files = asyncio.run(ask(running.server.rest_address))
    assert answers == [[10.0 * number] for number in range(20)]
    missing = [
        f"{tmp_path / name}: cannot be read (no such file or directory)" for name in ("a.wav", "b.wav")
    ]
    assert [answer.error for answer in files] == missing


def test_another_model_than_was_exported_is_found_at_the_start(connected, audio_models):
    folder = audio_models / "tiny" / "1"
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    rate = {"feature_spec": {**description["feature_spec"], "sample_rate": 16000}}
    others = (
        (rate, "its feature_spec.sample_rate: 22050, expected 16000; "),
        ({"classes": ["Jazz", "Blues", "Metal"]}, "its classes: Blues, Jazz, Metal, expected Jazz, "),
        ({"recipe": {"train": {"epochs": 9}}}, "it has no recipe; "),
    )
    with connected(audio_models) as connect, connect("tiny") as client:
        client.check(folder)
        client.check(description)
        for wrong, said in others:
            with pytest.raises(ServingError, match=f"'tiny': version 1 is another model: {said}") as error:
                client.check({**description, **wrong})
            assert error.value.code is Code.FAILED_PRECONDITION
        with pytest.raises(UserError, match=r"^description: it has no 'feature_spec'; give what "):
            client.check({"classes": ["Jazz", "Blues"]})
        with pytest.raises(UserError, match=r"^description: no JSON .*; give what keras_mir\.json"):
            client.check({"feature_spec": {1, 2}})
        with pytest.raises(UserError, match=r"keras_mir.json: no exported model; give the folder"):
            client.check(folder / DESCRIPTION)
        with pytest.raises(UserError, match=r"tiny: no exported model; give the folder of a version"):
            client.check(folder.parent)


def test_the_first_request_is_refused_by_another_model_than_expected(connected, audio_models, tmp_path):
    folder = audio_models / "tiny" / "1"
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    second = shutil.copytree(folder, tmp_path / "2")
    other = {**description, "classes": ["Jazz", "Blues", "Metal"]}
    features = {"features": np.zeros((1, 4, 40), np.float32), "lengths": [4]}
    with connected(audio_models) as connect:
        with connect("tiny", expected=folder) as client:
            (genre,) = client.predict(features)["genre"]
            assert genre in description["classes"]
        for expected, said in ((other, "its classes: "), (second, "expected version 2; ")):
            with connect("tiny", expected=expected) as client:
                for _ in range(2):  # the refusal is not of the first request alone
                    with pytest.raises(ServingError, match=f"version 1 is another model: {said}"):
                        client.predict(features)
                with pytest.raises(ServingError, match="version 1 is another model"):
                    list(client.predict_files([__file__]))


def test_a_model_that_does_not_say_what_it_is_is_not_the_expected_one(connect, audio_models):
    with (
        connect(expected=audio_models / "tiny" / "1") as client,
        pytest.raises(ServingError, match="version 1 is another model: it does not say what it is, "),
    ):
        client.predict({"x": [[1.0, 2.0, 3.0]], "tag": ["a"]})


@pytest.mark.parametrize(
    ("options", "inputs", "code"),
    [
        ({"model": "jazz"}, {"x": [1.0]}, Code.NOT_FOUND),
        ({"version": 9}, {"x": [1.0]}, Code.NOT_FOUND),
        ({"signature": "jazz"}, {"x": [1.0]}, Code.FAILED_PRECONDITION),
        ({}, {"x": [[1, 2, np.inf]], "tag": ["a"]}, Code.INVALID_ARGUMENT),
        ({"signature": "sizes"}, {"audio": [b"x" * 200_000]}, Code.RESOURCE_EXHAUSTED),
    ],
)
def test_refusals(connect, options, inputs, code):
    with connect(**options) as client, pytest.raises(ServingError) as error:
        client.predict(inputs)
    assert error.value.code is code
    # Not that there was one attempt: on a busy machine the connection may need another.
    assert not error.value.retryable


def test_the_other_protocols_port(serving, root):
    pytest.importorskip("tensorflow_serving")
    with serving(root) as running:
        with (
            ServingClient(running.server.grpc_address, "toy", retries=0) as client,
            pytest.raises(ServingError, match=r"REST port|broke off"),
        ):
            client.status()
        with (
            ServingClient(running.server.rest_address, "toy", protocol="grpc", retries=0) as client,
            pytest.raises(ServingError, match="gRPC port"),
        ):
            client.status()
