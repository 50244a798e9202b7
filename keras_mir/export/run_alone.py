"""A program by itself: loads a SavedModel as TF Serving does, and answers.

It imports nothing but TensorFlow and numpy, so what answers here needs no more than they have. It reads
one pickled request from standard input, `(folder, [(signature, {input: array}), ...])`, and writes the
pickled outputs, `[{output: array}, ...]`, to standard output; strings are object arrays of bytes.
"""

import os
import pickle
import sys

import numpy as np
import tensorflow as tf


def main() -> None:
    # Whatever a library prints goes to standard error, so that the answer is alone on standard output.
    answer_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    folder, requests = pickle.load(sys.stdin.buffer)
    # By default the graph is optimised twice, which costs seconds before the first answer and gains none.
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.meta_optimizer_iterations = type(rewriting).ONE
    answers = []
    with tf.compat.v1.Session(graph=tf.Graph(), config=config) as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
        for name, feed in requests:
            inputs, outputs = signatures[name].inputs, signatures[name].outputs
            answer = session.run(
                {output: tensor.name for output, tensor in outputs.items()},
                {inputs[key].name: value for key, value in feed.items()},
            )
            answers.append({output: np.asarray(value) for output, value in answer.items()})
    with answer_to:
        pickle.dump(answers, answer_to)


if __name__ == "__main__":
    main()
