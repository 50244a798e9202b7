"""A SavedModel in a session: wherever it is."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mir.models.session import ServedModel


class Twice(tf.Module):
    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def __call__(self, x):
        return {"y": self.factor * x}


@pytest.mark.parametrize("folder", ["Songs [2024]", "a*b?", "x\\y", "東 $HOME"])
def test_its_folder_may_have_any_name(folder, tmp_path, monkeypatch):
    place = tmp_path / folder / "1"
    tf.saved_model.save(Twice(), str(tmp_path / "model"))
    place.parent.mkdir()
    (tmp_path / "model").rename(place)
    monkeypatch.chdir(tmp_path)
    for path in (place, place.relative_to(tmp_path)):
        with ServedModel(path) as model:
            answers = model.predict({"x": np.array([1.0, 3.0], np.float32)})
        np.testing.assert_array_equal(answers["y"], [2.0, 6.0])
