"""Serve exported models on this machine: `python -m keras_mir.serve`."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line import run as cli
from pipelines.errors import UserError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = parser().parse_args(argv)
    return cli.run(lambda: _serve(arguments))


def parser() -> argparse.ArgumentParser:
    """The command's options."""
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
    # What matters comes as an exception; read when gRPC is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from keras_mir.serve.local_server import local_server
    from keras_mir.serve.workers import Limits

    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logger = logging.getLogger("keras_mir.serve")
    logger.setLevel(logging.INFO)
    with local_server(
        arguments.models,
        host=arguments.host,
        port=arguments.port,
        grpc_port=arguments.grpc_port,
        poll_seconds=arguments.poll,
        limits=Limits(request_bytes=int(arguments.max_request_mb * 2**20), seconds=arguments.timeout),
    ) as server:
        if server.grpc_address is None:
            logger.info("no gRPC: tensorflow-serving-api is not installed (pip install 'keras-mir[grpc]')")
        if arguments.host not in _LOOPBACK:
            logger.warning(
                "--host %s: other machines can reach this, and nobody is asked who they are", arguments.host
            )
        logger.info(
            "%s; a stand-in for TF Serving, with a page to try it at http://%s/; Ctrl-C stops it",
            server.describe(),
            server.rest_address,
        )
        server.run()
    return 0


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
