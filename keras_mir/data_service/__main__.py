"""Workers that load examples for `fit`, here and elsewhere: `python -m keras_mir.data_service`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from keras_mir.command_line.options import command_parser, count, port
from keras_mir.command_line.run import run
from pipelines.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _serve, argv)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = command_parser(
        "data_service",
        description="Start a tf.data service: a dispatcher, and workers that load and change examples for "
        "fit --data-service. It runs until Ctrl-C. TensorFlow lets it listen on every interface of this "
        "machine and asks nobody who they are: whoever reaches its ports can read and write your files, and "
        "so run programs. Therefore it starts with --expose only, for a network that you trust.",
    )
    parser.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="processes here (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=5050,
        metavar="N",
        help="port of the dispatcher; 0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        help="name or address of this machine, by which the others reach it (default: 127.0.0.1; with "
        "--join, the address from which it reaches the dispatcher)",
    )
    parser.add_argument(
        "--expose",
        action="store_true",
        help="let everyone who reaches this machine use it, and through it your files",
    )
    parser.add_argument(
        "--join", metavar="grpc://HOST:PORT", help="start only workers, for a dispatcher that runs elsewhere"
    )
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    if not arguments.expose:
        raise UserError(
            "a data service (grpc://) listens on every interface of this machine, and whoever reaches it "
            "can read and write your files; where you trust everyone who does, start it with --expose"
        )
    from keras_mir.data_service.service import serve

    serve(arguments.workers, arguments.port, arguments.host, arguments.join)


if __name__ == "__main__":
    raise SystemExit(main())
