"""New heads on a frozen model."""

import keras
import numpy as np
import pytest

from keras_mir.models.build import with_frozen_backbone
from keras_mir.models.heads import compile_arguments
from pipelines.errors import UserError

CLASSES = ("Blues", "Jazz", "Rock")


def test_transfer_trains_the_new_head_alone(small, kind, tmp_path):
    saved = small.with_random_averages(small.model(kind))
    inputs = small.batch([small.time, 7, 3, 1])
    embedding = keras.Model(saved.input, saved.get_layer("embedding").output)
    before = np.asarray(embedding(inputs, training=False))
    model = with_frozen_backbone(saved, small.settings[kind], classes=None, targets=("energy",))
    head = [w.path for w in model.trainable_weights]
    assert head == ["target_energy/kernel", "target_energy/bias"]

    model.compile(keras.optimizers.Adam(0.1), run_eagerly=True, **compile_arguments(None, ("energy",)))
    labels = {"energy": np.linspace(0, 1, 4, dtype=np.float32)}
    untrained = small.answer(model, inputs)["energy"]
    model.fit(inputs, labels, epochs=1, verbose=0)
    assert np.abs(small.answer(model, inputs)["energy"] - untrained).max() > 1e-3
    np.testing.assert_array_equal(embedding(inputs, training=False), before)

    model.save(tmp_path / "transfer.keras")
    loaded = keras.models.load_model(tmp_path / "transfer.keras")
    again = with_frozen_backbone(loaded, small.settings[kind], classes=CLASSES, targets=())
    cut = keras.Model(again.input, again.get_layer("embedding").output)
    np.testing.assert_allclose(cut(inputs, training=False), before, atol=1e-6)


def test_transfer_drops_nothing_in_the_frozen_part(small):
    model = with_frozen_backbone(
        small.model("lstm"), small.settings["lstm"], classes=None, targets=("energy",)
    )
    cut = keras.Model(model.input, model.get_layer("embedding").output)
    inputs = small.batch([small.time, 7])
    np.testing.assert_array_equal(cut(inputs, training=True), cut(inputs, training=False))
    assert model.get_layer("dropout").rate == 0.5


def test_transfer_needs_an_embedding(small):
    inputs = keras.Input((3,))
    with pytest.raises(UserError, match="no layer named 'embedding'"):
        with_frozen_backbone(keras.Model(inputs, inputs), small.settings["cnn"], classes=CLASSES, targets=())
