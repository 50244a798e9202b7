"""Training: repeatable, resumable, stops early, memorises, runs on several devices."""

import dataclasses
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from keras_mir.data.load import load_data
from keras_mir.fit.callbacks import EpochLines
from keras_mir.fit.training import fit, overfit
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.named import named_recipe
from pipelines.datasets.course import load_course
from pipelines.errors import UserError

REPOSITORY = Path(__file__).parents[3]
SMALL = {"units": 8, "layers": 1, "batch_size": 8, "epochs": 4, "early_stopping": 0}
SMALL_CNN = {"kind": "cnn-any-length", "filters": (4, 4), "pools": (2, 2), "batch_size": 8, "epochs": 2}


class KilledError(Exception):
    """Stands for the process dying: nothing may run after it."""


class KillAt(keras.callbacks.Callback):
    """Dies in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.at = epoch
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.at and batch == 1:
            raise KilledError


def prepared(course_data, tmp_path, recipe):
    examples = load_course(course_data, recipe.task.task, synced=True)
    return load_data(examples, recipe, tmp_path / "cache")


def run_folder(path: Path) -> RunFolder:
    path.mkdir()
    return RunFolder(path)


def test_the_line_of_an_epoch_begins_with_the_losses(capsys):
    lines = EpochLines()
    lines.set_params({"epochs": 2})
    lines.on_epoch_end(0, {"genre_loss": 1.0, "loss": 3.0, "val_genre_loss": 2.0, "val_loss": 4.0})
    assert capsys.readouterr().out == "epoch 1/2  loss 3  val_loss 4  genre_loss 1  val_genre_loss 2\n"


AUGMENTED = {"freq_mask": 20, "time_mask": 5, "mixup": 0.3, "bucket": True}
RESUMED = {
    "lstm": (
        "lstm-beat-mel",
        {**SMALL, **AUGMENTED, "early_stopping": 3, "reduce_lr": 1, "weight_decay": 1e-3},
    ),
    "cnn": (
        "cnn-beat-mel",
        {**SMALL_CNN, "epochs": 4, "frames": 16, "crop": "random", "class_weights": "balanced"},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["lstm", "cnn"])
def test_a_killed_run_ends_at_the_weights_of_an_uninterrupted_one(case, course_data, tmp_path):
    name, settings = RESUMED[case]
    recipe = named_recipe(name).with_settings(settings)
    data = prepared(course_data, tmp_path, recipe)
    whole = fit(recipe, data, run_folder(tmp_path / "whole"), seed=3)
    run = run_folder(tmp_path / "killed")
    with pytest.raises(KilledError):
        fit(recipe, data, run, seed=3, extra_callbacks=[KillAt(2)])
    resumed = fit(recipe, data, run, seed=3, resume=True)
    assert resumed.history == whole.history
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(pd.read_csv(run.history), pd.read_csv(tmp_path / "whole" / "history.csv"))


@pytest.mark.slow
def test_same_seed_same_weights_other_seed_other_weights(course_data, tmp_path):
    recipe = named_recipe("lstm-beat-mel").with_settings({**SMALL, "epochs": 1})
    data = prepared(course_data, tmp_path, recipe)
    weights = [
        fit(recipe, data, run_folder(tmp_path / f"run{number}"), seed=seed).model.get_weights()[2]
        for number, seed in enumerate((1, 1, 2))
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.slow
def test_early_stopping_keeps_the_best_weights_also_when_resumed_after_the_end(course_data, tmp_path):
    # A learning rate this high gets worse soon, so that the best epoch is not the last.
    recipe = named_recipe("lstm-beat-mel").with_settings(
        {**SMALL, "epochs": 30, "early_stopping": 2, "learning_rate": 0.1}
    )
    data = prepared(course_data, tmp_path, recipe)
    run = run_folder(tmp_path / "run")
    training = fit(recipe, data, run, seed=0)
    assert training.epochs < 30
    assert training.best_epoch == training.epochs - 3 == int(np.argmin(training.history["val_loss"]))
    again = fit(recipe, data, run, seed=0, resume=True)
    assert again.history == training.history
    for one, other in zip(training.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_checkpoint_that_is_damaged_or_of_another_training_is_refused(course_data, tmp_path):
    recipe = named_recipe("lstm-beat-mel").with_settings({**SMALL, "epochs": 1})
    data = prepared(course_data, tmp_path, recipe)
    run = run_folder(tmp_path / "run")
    fit(recipe, data, run, seed=0)
    other = recipe.with_settings({"units": 4, "epochs": 2})
    with pytest.raises(UserError, match="the recipe is not what was trained; start a new run"):
        fit(other, data, run, seed=0, resume=True)
    with pytest.raises(UserError, match="the seed is not what was trained"):
        fit(recipe, data, run, seed=1, resume=True)
    for file in run.checkpoint.iterdir():
        whole = file.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], b"[]", b"null", whole[:-3] + b"\xff" + whole[-2:]):
            file.write_bytes(damaged)
            with pytest.raises(UserError, match=r"state\.json: damaged, or of another version"):
                fit(recipe, data, run, seed=0, resume=True)
        file.write_bytes(whole)
    assert fit(recipe, data, run, seed=0, resume=True).epochs == 1


@pytest.mark.slow
def test_a_model_memorises_four_batches_and_a_blind_one_does_not(course_data, tmp_path):
    settings = {**SMALL, "batch_size": 4, "epochs": 60, "learning_rate": 0.01}
    recipe = named_recipe("lstm-beat-mel").with_settings({**settings, "overfit_batches": 4})
    data = prepared(course_data, tmp_path, recipe)
    check = overfit(recipe, data, 0, run_folder(tmp_path / "sound"))
    assert check.passed
    assert check.last_loss < 0.05 * check.first_loss
    source = data.sources["train"]
    shuffled = np.random.default_rng(0).permutation(len(source))
    # Features all alike: nothing tells the examples apart.
    same = dataclasses.replace(source.cached, paths=(source.cached.paths[0],) * len(source))
    labels = {"genre": source.labels["genre"][shuffled]}
    blind = dataclasses.replace(
        data, sources={**data.sources, "train": dataclasses.replace(source, cached=same, labels=labels)}
    )
    assert not overfit(recipe, blind, 0, run_folder(tmp_path / "blind")).passed


def test_a_loss_that_is_not_a_number_is_a_clear_error(course_data, tmp_path):
    recipe = named_recipe("multitask-cnn-beat-mel").with_settings(
        {**SMALL_CNN, "learning_rate": 1e30, "clip_norm": 0, "weight_decay": 0}
    )
    data = prepared(course_data, tmp_path, recipe)
    with pytest.raises(UserError, match="lower learning_rate"):
        fit(recipe, data, run_folder(tmp_path / "run"), seed=0)


def test_mixed_precision_trains_and_answers_in_float32(course_data, tmp_path):
    recipe = named_recipe("lstm-beat-mel").with_settings({**SMALL, "epochs": 1, "mixed_precision": True})
    data = prepared(course_data, tmp_path, recipe)
    try:
        training = fit(recipe, data, run_folder(tmp_path / "run"), seed=0)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert training.model.output["genre"].dtype == "float32"
    assert np.isfinite(training.history["loss"][0])


@pytest.mark.slow
def test_transfer_trains_the_head_alone(course_data, tmp_path):
    genre = named_recipe("cnn-beat-mel").with_settings({**SMALL_CNN, "epochs": 1})
    trained = fit(genre, prepared(course_data, tmp_path, genre), run_folder(tmp_path / "genre"), seed=0)
    trained.model.save(tmp_path / "genre" / "model.keras")
    recipe = named_recipe("transfer-cnn").with_settings(
        {
            **SMALL_CNN,
            "backbone": str(tmp_path / "genre"),
            "sync": "beat",
            "frames": "batch",
            "targets": "power",
        }
    )
    affect = fit(recipe, prepared(course_data, tmp_path, recipe), run_folder(tmp_path / "affect"), seed=0)
    assert [weight.path for weight in affect.model.trainable_weights] == [
        "target_power/kernel",
        "target_power/bias",
    ]
    for layer in trained.model.layers[:-3]:  # all but dropout and head
        for before, after in zip(
            layer.get_weights(), affect.model.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(before, after)


def test_a_backbone_that_is_not_there_is_refused(course_data, tmp_path):
    recipe = named_recipe("transfer-cnn").with_settings(
        {**SMALL_CNN, "backbone": str(tmp_path / "none"), "sync": "beat", "frames": "batch"}
    )
    with pytest.raises(UserError, match=r"^backbone: "):
        fit(recipe, prepared(course_data, tmp_path, recipe), run_folder(tmp_path / "run"), seed=0)


def on_two_devices(script):
    """What a script prints last, on two logical CPUs: devices are set at the start of a process."""
    start = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = [{str(REPOSITORY)!r}]
        from pathlib import Path
        import tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        """
    )
    whole = start + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_two_devices_train_in_step(course_data, tmp_path):
    """MirroredStrategy over both."""
    losses = on_two_devices(
        f"""
        from keras_mir.data.load import load_data
        from keras_mir.recipes.named import named_recipe
        from keras_mir.models.run_folder import RunFolder
        from keras_mir.fit.training import fit
        from pipelines.datasets.course import load_course
        recipe = named_recipe("lstm-beat-mel").with_settings({SMALL | {"epochs": 3}!r})
        folder = Path({str(tmp_path)!r})
        data = load_data(load_course(Path({str(course_data)!r}), "genre", True), recipe, folder)
        run = RunFolder(folder)
        training = fit(recipe, data, run, seed=0, devices=("CPU:0", "CPU:1"))
        print(*training.history["loss"])
        """
    ).split()
    assert float(losses[-1]) < float(losses[0])


@pytest.mark.slow
def test_a_head_trains_on_two_devices(tmp_path):
    """Of a head several steps run at once, which Keras does on one device only."""
    rng, vectors, labels = np.random.default_rng(0), tmp_path / "vectors", ["id,genre"]
    vectors.mkdir()
    for row in range(32):
        np.save(vectors / f"{row}.npy", rng.normal(size=(2, 6)).astype(np.float32) + row % 2)
        labels.append(f"{row},{('Jazz', 'Metal')[row % 2]}")
    (vectors / "labels.csv").write_text("\n".join(labels))
    losses = on_two_devices(
        f"""
        from keras_mir.fit.run import Run
        run = Run("vectors", {str(vectors)!r}, out={str(tmp_path / "run")!r}, devices=("CPU:0", "CPU:1"),
            epochs=4, batch_size=8, discriminant=0.0, baseline=False, jobs=1)
        run.train()
        import pandas
        print(*pandas.read_csv({str(tmp_path / "run" / "history.csv")!r}).loss)
        """
    ).split()
    assert float(losses[-1]) < float(losses[0])
