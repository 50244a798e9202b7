"""Workers that load examples for `fit`, here and elsewhere: `python -m keras_mir.data_service`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from keras_mir.command_line import run as cli


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = parser().parse_args(argv)
    return cli.run(lambda: _serve(arguments))


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_mir.data_service",
        description="Start a tf.data service: a dispatcher, and workers that load and change examples for "
        "fit --data-service. It runs until Ctrl-C. Whoever reaches its ports can use it, and through it "
        "read this machine's files: keep them inside a network that you trust.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help="processes here (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=_port,
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
    from keras_mir.data_service.service import join, serve

    if arguments.join:
        join(arguments.join, arguments.workers, arguments.host)
    serve(arguments.workers, arguments.port, arguments.host)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1000:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 1 to 999")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
