"""A `docker` for the pages' blocks, where there is none: the local server in place of TF Serving's container.

It reads what `docker run` and `docker compose up` are given as docker and TF Serving do, serves the same
models on the same port, and ends once all of them are available. What it does not know is refused, and what
is not there.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

TF_SERVING = "tensorflow/serving"
OTHERS = ("prom/prometheus", "grafana/grafana")  # only looked at
# Of a service in Compose: what is read, and what makes no difference to what is served.
READ = {"image", "entrypoint", "command", "ports", "volumes", "environment"}
UNREAD = {"read_only", "tmpfs", "cap_drop", "security_opt", "restart", "user", "deploy", "depends_on"}
PATIENCE = 300  # seconds


def refuse(reason: str) -> NoReturn:
    raise SystemExit(f"docker: {reason}")


@dataclass
class Container:
    """What a container is started with; folders and files by where it sees them."""

    image: str
    command: list[str]
    ports: dict[int, int]  # of the host, by the container's
    mounts: dict[PurePosixPath, Path]
    variables: dict[str, str] = field(default_factory=dict)
    own_entry_point: bool = True

    def on_host(self, place: str) -> Path:
        """What a path in the container is on this machine."""
        path = PurePosixPath(place)
        for above in (path, *path.parents):  # the nearest mount
            if above in self.mounts:
                found = self.mounts[above] / path.relative_to(above)
                return found if found.exists() else refuse(f"{place} is {found}, which is not there")
        refuse(f"{place}: nothing is mounted there")


def ports(given: list[str]) -> dict[int, int]:
    """Of `HOST:CONTAINER`, which may have an address before it."""
    pairs = [text.split(":")[-2:] for text in given]
    return {int(container): int(host) for host, container in pairs}


def mounts(
    given: list[str], folder: Path | None = None, named: frozenset[str] = frozenset()
) -> dict[PurePosixPath, Path]:
    """Of `HOST:CONTAINER`, which may have `:ro` after it; only Compose takes relative paths."""
    found = {}
    for text in given:
        here, there, *mode = text.split(":")
        if mode not in ([], ["ro"]):
            refuse(f"{text}: a volume is HOST:CONTAINER or HOST:CONTAINER:ro")
        if here in named:  # a volume of docker's own, which begins empty
            continue
        if not here.startswith("/" if folder is None else ("/", ".")):
            refuse(f"{here}: no path")
        found[PurePosixPath(there)] = Path(folder or "/", here).resolve()
        if not found[PurePosixPath(there)].exists():
            refuse(f"{text}: nothing is there to be mounted")  # docker makes an empty folder
    return found


def variables(given: list[str]) -> dict[str, str]:
    return dict(text.split("=", 1) for text in given)


def of_run(words: list[str]) -> Container:
    parser = argparse.ArgumentParser(prog="docker run", allow_abbrev=False)
    parser.add_argument("--rm", action="store_true")
    for name in ("-p", "-e", "-v"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    return Container(given.image, given.command, ports(given.p), mounts(given.v), variables(given.e))


def of_compose(words: list[str]) -> list[Container]:
    import yaml

    parser = argparse.ArgumentParser(prog="docker compose", allow_abbrev=False)
    parser.add_argument("-f", type=Path, required=True)
    parser.add_argument("command", choices=["up"])
    file = parser.parse_args(words).f
    compose = yaml.safe_load(file.read_text(encoding="utf-8"))
    containers = []
    for name, service in compose["services"].items():
        if unknown := service.keys() - READ - UNREAD:
            refuse(f"{name}: {', '.join(sorted(unknown))}: not known here")
        entry_point, environment = service.get("entrypoint"), service.get("environment", {})
        if entry_point not in (None, ["tensorflow_model_server"]):
            refuse(f"{name}: {entry_point}: not known here")
        containers.append(
            Container(
                service["image"],
                service.get("command", []),
                ports(service.get("ports", [])),
                mounts(service.get("volumes", []), file.parent, frozenset(compose.get("volumes", {}))),
                variables(environment) if isinstance(environment, list) else environment,
                entry_point is None,
            )
        )
    return containers


def tf_serving_flags(container: Container) -> argparse.Namespace:
    """What TF Serving is started with, by the image's entry point as well."""
    words = list(container.command)
    given = {"MODEL_NAME": "model", "MODEL_BASE_PATH": "/models"} | container.variables
    if len(given) > 2:
        refuse(f"{', '.join(given)}: the image reads two of them")
    name, folder = given["MODEL_NAME"], given["MODEL_BASE_PATH"]
    if container.own_entry_point:
        model = [f"--model_name={name}", f"--model_base_path={folder}/{name}"]
        words = ["--port=8500", "--rest_api_port=8501", *model, *words]
    if strange := [word for word in words if not word.startswith("--")]:
        refuse(f"{strange[0]}: TF Serving takes --FLAG=VALUE")
    parser = argparse.ArgumentParser(prog="tensorflow_model_server", allow_abbrev=False)
    for flag, number in (("port", 8500), ("rest_api_port", 0), ("rest_api_timeout_in_ms", 30000)):
        parser.add_argument(f"--{flag}", type=int, default=number)
    parser.add_argument("--model_config_file_poll_wait_seconds", type=int)
    for flag in ("enable_batching", "allow_version_labels_for_unavailable_models"):
        parser.add_argument(f"--{flag}", nargs="?", const="true", choices=["true", "false"])
    for flag in ("model_name", "model_base_path", "model_config_file"):
        parser.add_argument(f"--{flag}")
    for flag in ("batching_parameters_file", "monitoring_config_file"):
        parser.add_argument(f"--{flag}", type=container.on_host)
    return parser.parse_args(words)


def models_of(container: Container, flags: argparse.Namespace) -> dict[str, Path]:
    """The folder of each model. TF Serving answers nothing before all of them are there, so all must be."""
    if flags.model_config_file is None:
        wanted = [(flags.model_name, flags.model_base_path, ())]
    else:
        from google.protobuf import text_format
        from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

        text = container.on_host(flags.model_config_file).read_text(encoding="utf-8")
        configs = text_format.Parse(text, ModelServerConfig()).model_config_list.config
        if any(config.version_labels for config in configs):
            refuse("labels of versions: not known here")
        wanted = [(c.name, c.base_path, c.model_version_policy.specific.versions) for c in configs]
    found = {}
    for name, place, versions in wanted:
        found[name] = container.on_host(place)
        there = {int(path.parent.name) for path in found[name].glob("[0-9]*/saved_model.pb")}
        if not there or set(versions) - there:
            refuse(f"{name}: {place} has versions {sorted(there)}; wanted: {sorted(versions) or 'any'}")
    return found


def free(port: int) -> int:
    """The port, or another one where that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free(0)
        return int(probe.getsockname()[1])


def is_available(name: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/{name}", timeout=5) as answer:
            states = json.load(answer)["model_version_status"]
    except OSError:
        return False
    return any(state["state"] == "AVAILABLE" for state in states)


def serve(container: Container) -> None:
    """Serve what TF Serving would, until all of it is available."""
    flags = tf_serving_flags(container)
    models = models_of(container, flags)
    if flags.rest_api_port not in container.ports:
        refuse(f"nothing leads to the port of REST, {flags.rest_api_port}")
    port, grpc = free(container.ports[flags.rest_api_port]), free(container.ports.get(flags.port, 0))
    with tempfile.TemporaryDirectory() as folder:
        for name, place in models.items():
            Path(folder, name).symlink_to(place)
        command = [sys.executable, "-m", "keras_mir.serve", "--models", folder]
        command += ["--port", str(port), "--grpc-port", str(grpc)]
        command += ["--timeout", str(flags.rest_api_timeout_in_ms / 1000)]
        with subprocess.Popen(command) as server:
            try:
                end = time.monotonic() + PATIENCE
                while not all(is_available(name, port) for name in models):
                    if server.poll() is not None or time.monotonic() > end:
                        refuse(f"{', '.join(models)}: not all available on port {port}")
                    time.sleep(0.5)
            finally:
                server.terminate()
    print(f"available on port {port}: {', '.join(models)}")


def main(words: list[str]) -> None:
    if words[:1] == ["run"]:
        containers = [of_run(words[1:])]
    elif words[:1] == ["compose"]:
        containers = of_compose(words[1:])
    else:
        refuse(f"{' '.join(words)}: not known here")
    for container in containers:
        image = container.image.partition(":")[0]
        if image not in (TF_SERVING, *OTHERS):
            refuse(f"{container.image}: not known here")
        if image in OTHERS:
            for word in container.command:
                if ".file=" in word:
                    container.on_host(word.partition("=")[2])
    served = [each for each in containers if each.image.partition(":")[0] == TF_SERVING]
    if not served:
        refuse(f"no container of {TF_SERVING}")
    for container in served:
        serve(container)


if __name__ == "__main__":
    main(sys.argv[1:])
