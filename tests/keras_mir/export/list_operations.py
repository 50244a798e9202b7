"""Prints the operations of the TensorFlow that runs it, and their attributes, as check_graph reads them.

In an environment that has the oldest promised version:

    python tests/keras_mir/export/list_operations.py > keras_mir/export/tensorflow_2.17.txt
"""

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

if __name__ == "__main__":
    version = ".".join(tf.__version__.split(".")[:2])
    made = "tests/keras_mir/export/list_operations.py prints them"
    print(f"# Operations of TensorFlow {version} and their attributes; {made}.")
    for name in sorted(dir(tf.raw_ops)):
        operation = op_def_registry.get(name)
        if operation is not None:
            print(name, *sorted(attribute.name for attribute in operation.attr))
