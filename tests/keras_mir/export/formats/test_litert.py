"""What the LiteRT converter cannot do is named."""

import pytest
import tensorflow as tf

from keras_mir.export.formats.litert import FORMAT
from keras_mir.export.formats.one_file import CannotConvert


def test_an_operation_that_does_not_convert_is_named():
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def double_each(x):
        return {"y": tf.map_fn(lambda row: row * 2, x)}

    with pytest.raises(CannotConvert, match=r"^lacks TensorListReserve$"):
        FORMAT.convert(double_each, {}, "")


def test_a_file_that_does_not_run_is_said():
    with pytest.raises(CannotConvert, match=r"^fails \("):
        FORMAT.run(b"not a model", [])
