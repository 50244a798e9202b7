"""Serve exported models on this machine: `python -m keras_mir.serve`."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line import run as cli
from pipelines.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return cli.run(lambda: _serve(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_mir.serve",
        description="A stand-in for TF Serving on a laptop: the newest version of every model in a folder, "
        "over TF Serving's REST and gRPC interfaces. New versions are picked up while it runs. For "
        "anything but your own machine use TF Serving itself.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("saved_models"),
        metavar="DIR",
        help="folder of NAME/VERSION/saved_model.pb (default: %(default)s)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine alone)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8501,
        metavar="N",
        help="REST; 0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--grpc-port",
        type=_port,
        default=8500,
        metavar="N",
        help="gRPC, if tensorflow-serving-api is installed; 0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--max-request-mb", type=_positive, default=100, metavar="N", help="in MiB (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout",
        type=_positive,
        default=60,
        metavar="SECONDS",
        help="longest a request may take (default: %(default)s)",
    )
    parser.add_argument(
        "--poll",
        type=_positive,
        default=2,
        metavar="SECONDS",
        help="pause between looks for new versions (default: %(default)s)",
    )
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    for module in ("starlette", "uvicorn"):
        if importlib.util.find_spec(module) is None:
            raise UserError(f"{module} is not installed; install it with: pip install 'keras-mir[serve]'")
    cli.import_tensorflow()
    from keras_mir.serve.local_server import ServerSettings, serve
    from keras_mir.serve.workers import Limits

    limits = Limits(request_bytes=int(arguments.max_request_mb * 2**20), seconds=arguments.timeout)
    return serve(
        ServerSettings(
            models=arguments.models,
            host=arguments.host,
            port=arguments.port,
            grpc_port=arguments.grpc_port,
            poll_seconds=arguments.poll,
            limits=limits,
        )
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 0 to 65535")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
