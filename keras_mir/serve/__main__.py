"""Serve exported models on this machine: `python -m keras_mir.serve`."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from keras_mir.command_line.options import add_models_option, command_parser, port, positive
from keras_mir.command_line.run import run
from pipelines.errors import ArgumentError, UserError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _serve, argv)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = command_parser(
        "serve",
        description="A stand-in for TF Serving on a laptop: the newest version of every model in a folder, "
        "over TF Serving's REST and gRPC interfaces. New versions are picked up while it runs. For "
        "anything but your own machine use TF Serving itself.",
    )
    add_models_option(parser)
    parser.add_argument(
        "--label",
        action="append",
        type=_label,
        default=[],
        metavar="LABEL=NAME/VERSION",
        help="serve this version as well, under a label such as stable or canary; may be given several times",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine alone)"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=8501,
        metavar="N",
        help="port of REST; 0 for any free (default: %(default)s)",
    )
    parser.add_argument(
        "--grpc-port",
        type=port,
        default=8500,
        metavar="N",
        help="port of gRPC, if tensorflow-serving-api is installed; 0 for any free (default: %(default)s)",
    )
    parser.add_argument(
        "--max-request-mb",
        type=positive,
        default=100,
        metavar="N",
        help="largest request, in MiB (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=60,
        metavar="SECONDS",
        help="longest a request may take (default: %(default)s)",
    )
    parser.add_argument(
        "--poll",
        type=positive,
        default=2,
        metavar="SECONDS",
        help="how often to look for new versions (default: %(default)s)",
    )
    parser.add_argument(
        "--similar",
        type=Path,
        metavar="VECTORS",
        help="a table that keras_mir.embed has written: the page lists its songs that sound like one",
    )
    parser.add_argument(
        "--music",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder in which songs of VECTORS may be listened to, by everyone who reaches the server; may "
        "be given several times (default: none may)",
    )
    return parser


def _label(text: str) -> tuple[str, str, int]:
    """`LABEL=NAME/VERSION`, as the model's name, the label and the version."""
    label, _, version = text.partition("=")
    name, _, number = version.rpartition("/")
    if not (label and name and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text}: give LABEL=NAME/VERSION, such as stable=small-cnn/1")
    return name, label, int(number)


def _serve(arguments: argparse.Namespace) -> int:
    for module in ("starlette", "uvicorn"):
        if importlib.util.find_spec(module) is None:
            raise UserError(f"{module} is not installed; install it with: pip install 'keras-mir[serve]'")
    # What matters comes as an exception; read when gRPC is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if arguments.music and arguments.similar is None:
        raise ArgumentError(
            "music", arguments.music[0], "is for the songs of a table; name it with --similar"
        )
    from keras_mir.serve.local_server import local_server
    from keras_mir.serve.similar import SimilarSongs
    from keras_mir.serve.workers import Limits

    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logger = logging.getLogger("keras_mir.serve")
    logger.setLevel(logging.INFO)
    labels: dict[str, dict[str, int]] = {}
    for name, label, version in arguments.label:
        if labels.setdefault(name, {}).setdefault(label, version) != version:
            raise ArgumentError("label", label, f"stands for two versions of {name}; give one")
    similar = None
    if arguments.similar is not None:
        similar = SimilarSongs(arguments.similar, arguments.models, arguments.music)
        logger.info("%s: %d songs, by %s", arguments.similar, len(similar), similar.model)
    with local_server(
        arguments.models,
        labels=labels,
        host=arguments.host,
        port=arguments.port,
        grpc_port=arguments.grpc_port,
        poll_seconds=arguments.poll,
        limits=Limits(request_bytes=int(arguments.max_request_mb * 2**20), seconds=arguments.timeout),
        similar=similar,
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


if __name__ == "__main__":
    raise SystemExit(main())
