"""Workers that load examples for `fit`, here and elsewhere: `python -m keras_mir.data_service`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from keras_mir.command_line.options import command_parser, count, port
from keras_mir.command_line.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), _serve, argv)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = command_parser(
        "data_service",
        description="Start a tf.data service: a dispatcher, and workers that load and change examples for "
        "fit --data-service. It runs until Ctrl-C. Whoever reaches its ports can use it, and through it "
        "read this machine's files: keep them inside a network that you trust.",
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
        help="0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        help="name or address of this machine, by which the others reach it (default: 127.0.0.1; with "
        "--join, the address from which it reaches the dispatcher)",
    )
    parser.add_argument(
        "--join", metavar="grpc://HOST:PORT", help="start only workers, for a dispatcher that runs elsewhere"
    )
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from keras_mir.data_service.service import serve

    serve(arguments.workers, arguments.port, arguments.host, arguments.join)


if __name__ == "__main__":
    raise SystemExit(main())
