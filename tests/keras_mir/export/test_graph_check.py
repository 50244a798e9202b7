"""Graphs that stock TF Serving cannot run are refused, by the name of what it lacks."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mir.export import graph
from keras_mir.export.graph import check_graph
from pipelines.errors import UserError


def saved(function, folder):
    """A SavedModel of a function of a `(batch, 4)` tensor."""
    module = tf.Module()
    module.serve = tf.function(function, input_signature=[tf.TensorSpec((None, 4))], autograph=False)
    tf.saved_model.save(module, folder, signatures=module.serve)
    return folder


def in_python(x):
    return tf.ensure_shape(tf.numpy_function(np.square, [x], tf.float32), (None, 4))


def in_python_inside_a_loop(x):
    return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, in_python(y)), [0, x])[1]


def in_python_inside_nested_functions(x):
    def innermost(y):
        return tf.ensure_shape(tf.py_function(tf.square, [y], tf.float32), (None, 4))

    inner = tf.function(innermost, autograph=False)
    outer = tf.function(lambda y: inner(y) + 1, autograph=False)
    return tf.cond(tf.size(x) > 0, lambda: outer(x), lambda: x)


def with_cudnn(x):
    output, *_ = tf.raw_ops.CudnnRNNV3(
        input=x[tf.newaxis],
        input_h=tf.zeros((1, 1, 2)),
        input_c=tf.zeros((1, 1, 2)),
        params=tf.zeros(64),
        sequence_lengths=[1],
        rnn_mode="lstm",
    )
    return output


def with_xla(x):
    return tf.function(tf.square, jit_compile=True, autograph=False)(x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (in_python, "operation PyFunc .* needs Python"),
        (in_python_inside_a_loop, "operation PyFunc .* needs Python"),
        (in_python_inside_nested_functions, "operation EagerPyFunc .* needs Python"),
        (with_cudnn, r"operation CudnnRNNV3 .* use_cudnn=False"),
        (with_xla, "needs XLA; export it without jit_compile"),
    ],
)
def test_refused(function, message, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        check_graph(saved(function, tmp_path))
    assert "\n" not in str(error.value)


def test_what_the_oldest_promised_version_lacks_is_refused(tmp_path, monkeypatch):
    file = saved(lambda x: tf.math.cumsum(x, reverse=True), tmp_path) / "saved_model.pb"
    lacks = r"operation Cumsum \(.*\) cannot be served: TensorFlow 2\.17, .*, lacks"
    file.write_bytes(file.read_bytes().replace(b"reverse", b"newness"))  # of the same length
    with pytest.raises(UserError, match=f"{lacks} its attribute newness$"):
        check_graph(tmp_path)
    monkeypatch.setattr(graph, "_operations", lambda: {"NoOp": frozenset()})
    with pytest.raises(UserError, match=f"{lacks} it$".replace("Cumsum", "Placeholder")):
        check_graph(tmp_path)


def test_an_operation_of_another_library_is_refused(tmp_path):
    saved(lambda x: tf.math.cumsum(x), tmp_path)
    file = tmp_path / "saved_model.pb"
    # A name of the same length, as tensorflow-io spells its own.
    changed = file.read_bytes().replace(b"Cumsum", b"IO>Sum")
    file.write_bytes(changed)
    with pytest.raises(
        UserError, match=r"operation IO>Sum .* is not TensorFlow's own, and TF Serving lacks it$"
    ):
        check_graph(tmp_path)


def test_plain_loops_and_strings_pass(tmp_path):
    def loop(x):
        y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y * 2), [0, x])[1]
        return {"y": y, "name": tf.strings.as_string(y)}

    check_graph(saved(loop, tmp_path))


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"saved_model.pb: missing"):
        check_graph(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"text, not a model")
    with pytest.raises(UserError, match=r"saved_model.pb: damaged"):
        check_graph(tmp_path)
