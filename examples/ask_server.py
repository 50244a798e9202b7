"""Ask a model behind TF Serving for songs: `python examples/ask_server.py SONG...`.

The server, from the folder that `fit` exports to:

    docker run --rm -p 8501:8501 -e MODEL_NAME=NAME \\
        -v "$PWD/saved_models/NAME:/models/NAME" tensorflow/serving

or, on a laptop, `python -m keras_mir.serve`. WAV files are sent as they are; for others there is
`python -m keras_mir.predict --server`.
"""

from __future__ import annotations

import argparse
import sys

from keras_mir.client import ServingClient, ServingError


def main() -> int:
    """One line per song; one without an answer is named, and the others go on."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("songs", nargs="+", help="WAV files")
    parser.add_argument(
        "--server", default="localhost:8501", help="HOST:PORT of its REST interface (%(default)s)"
    )
    parser.add_argument("--model", default="small-cnn", help="name it is served under (%(default)s)")
    arguments = parser.parse_args()

    failed = 0
    try:
        with ServingClient(arguments.server, arguments.model) as client:
            for answer in client.predict_files(arguments.songs):
                if answer.error:
                    failed += 1
                    print(answer.error, file=sys.stderr)
                else:
                    print(f"{answer.path}: {answer.outputs['genre'].item()}")
    except ServingError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
