"""The configuration that docs/serving.md starts TF Serving with is one it can read."""

from pathlib import Path

import pytest

text_format = pytest.importorskip("google.protobuf.text_format")
model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")

ROOT = Path(__file__).parents[3]


def test_models_config_names_models_where_docker_puts_them():
    text = (ROOT / "docs/tf_serving/models.config").read_text(encoding="utf-8")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    models = config.model_config_list.config
    assert len(models) == 2
    for model in models:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
        assert model.model_version_policy.WhichOneof("policy_choice") in {"latest", "specific"}
