"""The model card says what a person needs to know, for every kind of model, and says what is not known."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from markdown_it import MarkdownIt
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.export.model_card import model_card
from keras_mir.models.report import Calibration, Circumstances, Dataset, Split, TrainingSummary, make_report
from keras_mir.models.trained_model import Description
from keras_mir.recipes.named import named_recipe
from pipelines.spec import FeatureSpec

CLASSES = ("Blues", "Drum | Bass", "Trip-Hop")


def describe(recipe="lstm-beat-mel", classes=CLASSES, targets=(), dataset=(), split=()):
    """A description as `fit` makes it, of made-up answers to twelve clips."""
    rng = np.random.default_rng(0)
    if classes:
        labels = {"genre": np.arange(12) % len(classes)}
        outputs = {"genre": np.eye(len(classes))[labels["genre"]]}
    else:
        labels = {name: rng.uniform(size=12) for name in targets}
        outputs = {name: value[:, None] * 0.5 for name, value in labels.items()}
    circumstances = Circumstances(
        seed=7,
        split=Split(
            **{
                "sizes": {"train": 40, "validation": 20, "test": 12},
                "test_from": "held out",
                "group_by": "artist",
                "evaluated": "test",
                **dict(split),
            }
        ),
        dataset=Dataset(**{"name": "my_songs", "synthetic": False, "licence": "CC BY 4.0", **dict(dataset)}),
        recipe=named_recipe(recipe).to_dict(),
        training=TrainingSummary(epochs=30, best_epoch=15, stopped_early=True, seconds=61.4),
        model="model.keras",
    )
    scores = compare_with_labels(labels, outputs, classes, targets, 0).scores
    return Description(
        recipe=named_recipe(recipe),
        feature_spec=FeatureSpec(),
        frames=None,
        classes=tuple(classes),
        targets=tuple(targets),
        class_mapping="as-is" if classes else "",
        report=make_report(scores, circumstances),
    )


def signature(inputs, outputs):
    """A signature of float32 tensors; a shape of None is an unknown one."""
    made = SignatureDef()
    for tensors, shapes in ((made.inputs, inputs), (made.outputs, outputs)):
        for name, shape in shapes.items():
            tensors[name].dtype = tf.float32.as_datatype_enum
            tensors[name].tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return made


SIGNATURES = {
    "serving_default": signature(
        {"features": (None, None, 128), "lengths": (None,)}, {"probabilities": (None, 3)}
    ),
    "audio": signature({"audio": (None,)}, {"window_probabilities": None, "probabilities": (None, 3)}),
}


def section(card, title):
    return re.search(rf"^## {title}\n+(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)[1].strip()


def test_a_genre_model():
    card = model_card("songs", describe(), SIGNATURES)
    assert (
        "---\n\n# songs\n\nA bidirectional LSTM, 2 layers of 128 units in each direction, that names" in card
    )
    assert r"3 classes: Blues, Drum \| Bass, Trip-Hop." in card
    assert "/v1/models/songs:predict" in section(card, "How to ask it")
    assert 'load("saved_models/songs/1")' in section(card, "How to ask it")
    takes = section(card, "What it takes")
    assert "128 mel bands in dB (0 the loudest of the clip, -80 the floor); one column per beat" in takes
    assert "at 22050 Hz (43.07 a second)" in takes
    signatures = section(card, "Signatures")
    assert "| `audio` | `audio` | `probabilities`, `window_probabilities` |" in signatures
    assert "| `features` | `(batch, time, 128)` | float32 |" in signatures
    assert "| `window_probabilities` | `(batch, windows, classes)` | float32 |" in signatures
    data = section(card, "Data")
    assert r"my\_songs, recorded music" in data
    assert "CC BY 4.0" in data
    assert "40 train, 20 validation, 12 test" in data
    assert "Clips of the same artist are on one side of the split." in data
    training = section(card, "Training")
    assert (
        "30 epochs of at most 100, when it no longer got better; the weights are those of epoch 15"
        in training
    )
    assert re.search(r"accuracy 1\.000 \[1\.000,\s1\.000\]", section(card, "How good it is"))
    assert re.search(r"\| tensorflow \| \d+\.", section(card, "Made with"))
    assert 'name = "lstm-beat-mel"' in section(card, "Settings")


def test_its_head_is_what_model_hubs_read():
    card = model_card("songs", describe(), SIGNATURES)
    assert card.startswith("""---
library_name: "keras-mir"
pipeline_tag: "audio-classification"
license: "cc-by-4.0"
tags:
  - "keras"
  - "music"
  - "music-genre-recognition"
model-index:
  - name: "songs"
    results:
      - task:
          type: "audio-classification"
          name: "music genre recognition"
        dataset:
          type: "my_songs"
          name: "my_songs"
          split: "test"
        metrics:
          - type: "accuracy"
            value: 1.0
            name: "accuracy"
          - type: "f1"
            value: 1.0
            name: "macro_f1"
---

# songs
""")
    for stated, told in (
        ("", 'license: "unknown"\n'),
        ("ask <us>", 'license_name: "ask-\\u003cus\\u003e"\n'),
    ):
        assert told in model_card("songs", describe(dataset={"licence": stated}), SIGNATURES)
    affect = model_card("songs", describe("multitask-cnn", (), ("valence", "energy")), SIGNATURES)
    assert 'type: "spearmanr"' in affect
    assert 'name: "spearman.valence"' in affect


def test_how_probabilities_were_calibrated():
    description = describe()
    report = replace(description.report, calibration=Calibration(1.84, 20, 0.121))
    card = model_card("songs", replace(description, report=report), SIGNATURES)
    assert (
        "0.121 before the probabilities were calibrated by a temperature of 1.840, fitted on 20 validation "
        "clips. Probabilities may fit worse where the music is unlike the data."
        in section(card, "Use and limits")
    )
    for recipe, temperatures in (("lstm-beat-mel", True), ("small-cnn", False)):  # which holds no clips out
        ensemble = replace(description, recipe=named_recipe(recipe), members=4)
        assert (
            "Each of the 4 models has a temperature of its own" in model_card("songs", ensemble, SIGNATURES)
        ) is temperatures
    older = replace(report, expected_calibration_error=None)
    card = model_card("songs", replace(description, report=older), SIGNATURES)
    assert "The probabilities are not calibrated." in section(card, "Use and limits")


def test_an_affect_model_of_fixed_length():
    description = replace(describe("multitask-cnn", (), ("valence", "energy")), frames=1293)
    shapes = {"valence": (None,), "window_valence": None, "energy": (None,), "window_energy": None}
    card = model_card("affect", description, {"audio": signature({"audio": (None,)}, shapes)})
    assert "A CNN, 4 convolution blocks of 32, 64, 128, 256 channels, that rates the affect" in card
    assert "2 targets, each a number: valence, energy." in card
    assert "kernel ridge" not in card
    assert "exactly 1293 steps" in section(card, "What it takes")
    assert "| `window_valence` | `(batch, windows)` | float32 | valence of each window |" in card
    assert "genre costs" not in card
    assert "probabilities" not in section(card, "Use and limits")
    assert "how those labels were gathered is not recorded" in section(card, "Use and limits")
    assert "Where no beat is found" not in card
    assert re.search(r"^valence +1\.000", section(card, "How good it is"), re.MULTILINE)


def test_names_of_the_data_stay_text():
    """No class, data set, target or setting becomes HTML, a link, or the end of a block."""
    hostile = "<img src=x onerror=alert(1)>\n```\n\n<script>alert(2)</script> [x](javascript:alert(3))"
    genre = describe(classes=("Blues", hostile), dataset={"name": hostile, "licence": hostile})
    recipe = replace(genre.recipe, name=f"` {hostile}")
    affect = describe("multitask-cnn", (), (hostile, "energy"))
    signatures = {"audio": signature({"audio": (None,)}, {hostile: (None,), f"window_{hostile}": None})}
    for description in (replace(genre, recipe=recipe), affect):
        html = MarkdownIt("gfm-like", {"linkify": False}).render(model_card("songs", description, signatures))
        tags = set(re.findall(r"<(\w+)", html))
        assert not tags & {"img", "script", "a"}, tags
        assert "alert(1)" in html


def test_where_files_were_is_left_out():
    description = describe()
    task = replace(description.recipe.task, classes="/home/me/secret/coarse.toml")
    mapped = replace(
        description,
        recipe=replace(description.recipe, task=task),
        class_mapping="coarse.toml",
        class_map={"Ska": "Rock", "Polka": None},
    )
    assert "/home" not in model_card("songs", mapped, SIGNATURES)
    said = json.dumps(mapped.to_dict())
    assert "/home" not in said
    again = Description.from_dict(json.loads(said), "here")
    assert (again.recipe.task.classes, again.class_map) == ("coarse.toml", {"Ska": "Rock", "Polka": None})
    transfer = describe("transfer-cnn-beat-mel", (), ("valence",))
    task = replace(transfer.recipe.task, backbone="/home/me/runs/my-cnn/")
    moved = replace(transfer, recipe=replace(transfer.recipe, task=task))
    assert moved.to_dict()["recipe"]["task"]["backbone"] == "my-cnn"


@pytest.mark.parametrize(
    ("known", "title", "said"),
    [
        (
            {"dataset": {"licence": ""}},
            "Data",
            "Licence: **not stated**. Find out what the data may be used for",
        ),
        ({"dataset": {"licence": "", "synthetic": True}}, "Data", "generated by this package"),
        ({"dataset": {"synthetic": True}}, "Use and limits", "what it says of real music means nothing"),
        ({"split": {"group_by": "none"}}, "Use and limits", "Artists were not kept apart"),
        ({"split": {"left_out": ("a.mp3", "b.mp3")}}, "Data", "cannot be read: 2 files."),
        ({"split": {"test_from": "none", "evaluated": "validation"}}, "Data", "No test clips were kept"),
    ],
)
def test_what_is_not_known_or_flatters_is_said(known, title, said):
    assert said in section(model_card("m", describe(**known), SIGNATURES), title)


@pytest.mark.parametrize("recipe", ["lstm-beat-fused", "cnn", "lstm-beat-chroma", "lstm-mel"])
def test_no_section_is_empty(recipe):
    card = model_card("m", describe(recipe), SIGNATURES)
    titles = re.findall(r"^## (.*)$", card, re.MULTILINE)
    assert len(titles) == 9
    assert all(len(section(card, title)) > 40 for title in titles)
    assert "None" not in card


def test_scores_are_in_the_card_of_a_model_exported_in_a_notebook(monkeypatch, capsys):
    card = section(model_card("m", describe(), SIGNATURES), "How good it is")
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert section(model_card("m", describe(), SIGNATURES), "How good it is") == card
    assert capsys.readouterr().out == ""


def test_what_answers_beside_the_network():
    card = model_card("songs", describe("small-cnn-affect", (), ("valence",)), SIGNATURES)
    assert "Each number is the mean of that network's and of a kernel ridge regression's" in card
