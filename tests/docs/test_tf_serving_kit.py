"""The files that TF Serving, Prometheus, Grafana and Kubernetes are started with are ones they can read.

The messages and schemas are those of the programs: TF Serving's from `tensorflow-serving-api`; `tox -e kit`
has the others. Each test skips where what it needs is not installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

KIT = Path(__file__).parents[2] / "docs" / "tf_serving"


@pytest.mark.parametrize("name", ["models.config", "labels.config"])
def test_model_configs_name_models_where_docker_puts_them(name):
    text_format = pytest.importorskip("google.protobuf.text_format")
    messages = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    config = text_format.Parse((KIT / name).read_text(encoding="utf-8"), messages.ModelServerConfig())
    for model in config.model_config_list.config:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
        policy = model.model_version_policy
        assert policy.WhichOneof("policy_choice") in {"latest", "specific"}
        # TF Serving does not start with a label of a version that it is not to serve.
        assert set(model.version_labels.values()) <= set(policy.specific.versions)
    assert config.model_config_list.config


def test_what_is_monitored_is_what_prometheus_asks_for():
    path = re.search(r'path: "(.*)"', (KIT / "monitoring.config").read_text(encoding="utf-8"))
    scrape = (KIT / "prometheus.yml").read_text(encoding="utf-8")
    assert path
    assert f"metrics_path: {path[1]} " in scrape


def test_compose_starts_what_the_configurations_name():
    yaml = pytest.importorskip("yaml")
    jsonschema = pytest.importorskip("jsonschema")
    schemas = pytest.importorskip("check_jsonschema.builtin_schemas")
    schema = (resources.files(schemas) / "vendor" / "compose-spec.json").read_text(encoding="utf-8")
    compose = yaml.safe_load((KIT / "compose.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(compose, json.loads(schema))
    assert compose["services"].keys() == {"serving", "prometheus", "grafana"}
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        for volume in service["volumes"]:
            here = volume.split(":")[0]
            there = here in compose["volumes"] or (KIT / here).exists() or here.endswith("saved_models")
            assert there, volume
    for option in compose["services"]["serving"]["command"]:
        if "=/config/" in option:
            assert (KIT / option.partition("=/config/")[2]).is_file(), option


def test_prometheus_reads_its_configuration_and_the_queries_of_the_dashboard(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool, of Prometheus, is not on the path")
    dashboard = json.loads((KIT / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"query_{number}", "expr": query.replace("$model", ".*")}
        for number, query in enumerate(queries)
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    for kind, file in (("config", KIT / "prometheus.yml"), ("rules", tmp_path / "rules.yml")):
        done = subprocess.run([promtool, "check", kind, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
    # What TF Serving counts, by its own names.
    names = {name for query in queries for name in re.findall(r":tensorflow:[a-z_:]+", query)}
    assert names == {
        ":tensorflow:serving:request_count",
        ":tensorflow:serving:request_latency_bucket",
        ":tensorflow:serving:runtime_latency_bucket",
    }


def test_kubernetes_reads_the_deployment():
    yaml = pytest.importorskip("yaml")
    validate = pytest.importorskip("kubernetes_validate")
    documents = list(yaml.safe_load_all((KIT / "kubernetes.yaml").read_text(encoding="utf-8")))
    assert [document["kind"] for document in documents] == ["Deployment", "Service"]
    for document in documents:
        validate.validate(document, "1.34", strict=True)
    deployment, service = documents
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == ports
    assert set(container["args"]) >= {f"--port={ports['grpc']}", f"--rest_api_port={ports['rest']}"}
    # Metadata is answered once a version is loaded; the status is there from the start.
    assert container["readinessProbe"]["httpGet"]["path"] == "/v1/models/lstm-beat-mel/metadata"


def test_kserve_reads_the_inference_service():
    yaml = pytest.importorskip("yaml")
    models = pytest.importorskip("kserve.models")
    kubernetes = pytest.importorskip("kubernetes.client")
    service = yaml.safe_load((KIT / "kserve.yaml").read_text(encoding="utf-8"))

    def check(value: Any, kind: str, place: str) -> None:
        """The fields of a value are those of KServe's or Kubernetes's class of that name."""
        if inside := re.fullmatch(r"list\[(.*)\]", kind):
            for number, item in enumerate(value):
                check(item, inside[1], f"{place}[{number}]")
            return
        described = getattr(models, kind, None) or getattr(kubernetes, kind, None)
        if described is None:
            return
        fields = {described.attribute_map[name]: of for name, of in described.openapi_types.items()}
        for name, item in value.items():
            assert name in fields, f"{place}.{name}"
            check(item, fields[name], f"{place}.{name}")

    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    check(service, "V1beta1InferenceService", "service")
    predictor = service["spec"]["predictor"]
    assert predictor["securityContext"]["runAsNonRoot"]
    assert predictor["model"]["securityContext"]["readOnlyRootFilesystem"]
    with pytest.raises(AssertionError, match=r"service\.spec\.predictor\.modell"):
        check({"spec": {"predictor": {"modell": {}}}}, "V1beta1InferenceService", "service")
