"""The page about an exported model that a person reads: `model_card.md` beside its description."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tensorflow as tf
import tomli_w
from rich.console import Console

from keras_mir.export.front_matter import front_matter
from keras_mir.export.graph import OLDEST
from keras_mir.models.limits import MAX_SECONDS, WINDOW_SECONDS
from keras_mir.models.pretrained.front_end import AUDIO, MEL_AND_LEVEL, PATCH_SECONDS
from keras_mir.models.pretrained.networks import NETWORKS, Network
from keras_mir.models.report import GenreReport, Report, TagsReport, number
from keras_mir.models.report_table import print_report
from keras_mir.models.tagger import TaggerDescription
from keras_mir.models.trained_model import Description
from pipelines.datasets.base import Task
from pipelines.limits import MAX_RATE, MIN_RATE, MIN_SECONDS
from pipelines.spec import VectorSpec
from pipelines.wording import counted, listed

MODEL_CARD = Path("assets.extra") / "model_card.md"

# What tensors of the signatures hold, and the names of their axes; those of other names are of an affect
# target.
_TENSORS = {
    "features": (("batch", "time", "bands"), "features as described above, filled up at the end"),
    "lengths": (("batch",), "how long each clip is without that, in steps of features or in samples"),
    "waveform": (("batch", "samples"), "sound of one channel from -1 to 1, filled up at the end"),
    "rate": (("batch",), "sample rate of each clip, in Hz"),
    "audio": (("batch",), "the bytes of WAV files"),
    "genre": (("batch",), "the likeliest class"),
    "probabilities": (("batch", "classes"), "of each class; over long audio the mean of its windows"),
    "classes": (("batch", "classes"), "the names of the classes, in the order of the probabilities"),
    "field": (("batch",), "which field of `keras_mir.json` is asked for"),
    "description": (("batch",), "that field of the model's description, as JSON; empty if it has none"),
    "embedding": (("batch", "size"), "what the model makes of a clip before it decides"),
    "error": (("batch",), "why there is no answer; empty where there is one"),
    "note": (("batch",), "what to know of the model, with every answer; empty if there is nothing"),
    "tags": (("batch", "tags"), "the names of the tags, in the order of their probabilities"),
    "tag_probabilities": (("batch", "tags"), "of each tag; over long audio the mean of its windows"),
    "tag_thresholds": (("batch", "tags"), "the probability from which on a clip is given each tag"),
    "window_tag_probabilities": (("batch", "windows", "tags"), "of each tag in each window"),
    "windows": (("batch",), "how many windows a clip was cut into"),
    "window_starts": (("batch", "windows"), "where they start, in seconds"),
    "window_probabilities": (("batch", "windows", "classes"), "of each class in each window"),
    "tempo": (("batch",), "beats per minute"),
    "beat_times": (("batch", "beats"), "in seconds, filled up with -1"),
    "beat_counts": (("batch",), "how many beats were found"),
}
_FEATURES = {"mel": "{mel}", "chroma": "{chroma}", "fused": "{mel}, then {chroma}"}
_DOES: dict[Task, str] = {
    "genre": "names the genre of music",
    "tags": "gives music its tags",
    "affect": "rates the affect of music",
}
_TESTED_ON = {
    "the data set": "The test clips are those that the data set, or `prepare`, had set apart for testing.",
    "held out": "The test clips were held out at random before training.",
    "a fold": "The test clips are those of one fold of a cross-validation.",
    "all folds": "No clip was kept from all of the models: each was tested by those whose fold it is in.",
    "none": "No test clips were kept: the scores are of the validation clips, which chose the epoch, too.",
}


def card_of(name: str, description: Description | TaggerDescription, signatures: Mapping[str, Any]) -> str:
    """The card of a trained model, or of a pretrained network."""
    if isinstance(description, TaggerDescription):
        return tagger_card(name, description, signatures)
    return model_card(name, description, signatures)


def model_card(name: str, description: Description, signatures: Mapping[str, Any]) -> str:
    """What a model is, takes, gives, was made of and is good for, in Markdown.

    Args:
        name: The model's, as in TF Serving's URLs.
        description: What the model says of itself.
        signatures: `tensorflow.SignatureDef` by name.
    """
    of_sound = description.feature_spec.sample_rate
    return _card(
        name,
        description,
        asked=_how_to_ask(name) if of_sound else _how_to_ask_with_vectors(name),
        signatures=("## Signatures", *_signatures(signatures)),
    )


def package_card(name: str, description: Description, place: str) -> str:
    """The same of a model that `load` takes from `place`, a `.zip` or a model hub."""
    return _card(name, description, asked=_how_to_load(place, bool(description.feature_spec.sample_rate)))


def _card(
    name: str, description: Description, *, asked: Iterable[str], signatures: Iterable[str] = ()
) -> str:
    versions = description.report.versions
    parts = [
        f"{front_matter(name, description)}\n# {_text(name)}",
        *_what_it_is(description),
        "## How to ask it",
        *asked,
        "## What it takes",
        *_what_it_takes(description),
        *signatures,
        "## Use and limits",
        _list(_limits(description)),
        "## Data",
        _list(_data(description)),
        *_pretrained(description),
        "## Training",
        _training(description),
        "## How good it is",
        _scores(description.report),
        "## Made with",
        _made_with(versions),
        f"As a SavedModel it runs in TensorFlow and TF Serving {OLDEST} and later.",
        "## Settings",
        "As a recipe, which `python -m keras_mir.fit --recipe FILE` trains again:",
        _block("toml", tomli_w.dumps(description.to_dict()["recipe"])),
    ]
    return "\n\n".join(parts) + "\n"


def tagger_card(name: str, description: TaggerDescription, signatures: Mapping[str, Any]) -> str:
    """What an exported pretrained network is, takes and gives, in Markdown; see `model_card`."""
    network, spec = description.network, description.feature_spec
    tags = ", ".join(map(_text, network.tags))
    parts = [
        f"# {_text(name)}",
        f"The pretrained network {network.name}: the probability of each of {len(network.tags)} tags. Sound "
        "goes in as it is, so TF Serving needs nothing beside it.",
        f"Tags: {tags}.",
        "## How to ask it",
        *_how_to_ask(name),
        "## What it takes",
        _sound(spec.sample_rate, PATCH_SECONDS),
        f"**Or vectors** made beforehand, for `serving_default` and `embedding`: {_vectors(spec)}.",
        "## Signatures",
        *_signatures(signatures),
        "## Where it is from",
        _list(_of_network(network)),
        "## Made with",
        _table(
            ("", "version"), [(of, found or "not installed") for of, found in description.versions.items()]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _what_it_is(description: Description) -> Iterator[str]:
    settings, recipe = description.recipe.model, description.recipe.name
    model, members = settings.architecture.sentence(settings), description.members
    if members > 1:
        model = f"The mean of {members} models, each {model[0].lower()}{model[1:]}"
    transferred = " on the frozen layers of another model" if description.recipe.task.transfer else ""
    spec = description.feature_spec
    made = "the pretrained network" if isinstance(spec, VectorSpec) else "mel, chroma, beats"
    sound = f"Sound goes in as it is: {made} and the model"
    goes_in = sound if spec.sample_rate else "Vectors of the user's own go in, and what is made of them"
    does = listed([_DOES[task] for task in description.recipe.task.tasks])
    yield (
        f"{model}{transferred} that {does} (recipe {_code(recipe)}). {goes_in} are one graph of TensorFlow's "
        "own operations, so TF Serving needs nothing beside it."
    )
    if classes := description.classes:
        joined = f" The data's genres became these by the mapping {_text(description.class_mapping)}."
        as_they_are = description.class_mapping == "as-is"
        yield f"{len(classes)} classes: {', '.join(map(_text, classes))}.{'' if as_they_are else joined}"
    if thresholds := description.thresholds:
        tags = ", ".join(f"{_text(tag)} ({number(value)})" for tag, value in thresholds.items())
        yield f"{len(thresholds)} tags, each with the probability from which on a clip is given it: {tags}."
    if targets := description.targets:
        yield f"{counted(len(targets), 'target')}, each a number: {', '.join(map(_text, targets))}."
    if description.recipe.task.kernel_ridge:
        yield (
            "Each number is the mean of that network's and of a kernel ridge regression's, on the mean and "
            "deviation of every band. The regression holds these figures of the clips that it was fitted to, "
            "from which no sound can be made."
        )


def _how_to_ask(name: str) -> Iterator[str]:
    before, after = '{"signature_name": "audio", "inputs": {"audio": [{"b64": "', '"}]}}'
    yield "A running TF Serving, or `python -m keras_mir.serve`, from the shell:"
    yield _block(
        "sh",
        f"(printf '{before}'; base64 -w0 song.wav; printf '{after}') |\n"
        f"  curl -d @- http://localhost:8501/v1/models/{name}:predict",
    )
    yield "In Python with nothing but TensorFlow, where `1` is the version:"
    yield _block(
        "python",
        "import tensorflow as tf\n"
        f'model = tf.saved_model.load("saved_models/{name}/1")\n'
        'print(model.signatures["audio"](audio=tf.constant([open("song.wav", "rb").read()])))',
    )
    yield "With this package, files of any kind, and folders:"
    yield _block("sh", f"python -m keras_mir.predict song.mp3 --model saved_models/{name}")


def _how_to_ask_with_vectors(name: str) -> Iterator[str]:
    yield "In Python with nothing but TensorFlow, where `1` is the version:"
    yield _block(
        "python",
        "import tensorflow as tf\n"
        f'model = tf.saved_model.load("saved_models/{name}/1")\n'
        "# vectors: (batch, windows, size) float32, and how many windows each clip has\n"
        'print(model.signatures["serving_default"](features=vectors, lengths=lengths))',
    )


def _how_to_load(place: str, of_sound: bool) -> Iterator[str]:
    ask = '\nprint(model.predict("song.mp3"))' if of_sound else ""
    yield "In Python, with this package, which looks at what it loads before it is opened:"
    yield _block("python", f"import keras_mir as km\n\nmodel = km.load({json.dumps(place)}){ask}")
    yield "From the shell: an answer, and a SavedModel for TF Serving."
    predict = f"python -m keras_mir.predict song.mp3 --model {shlex.quote(place)}\n" if of_sound else ""
    yield _block("sh", f"{predict}python -m keras_mir.export {shlex.quote(place)} --format savedmodel")


def _sound(sample_rate: int, window_seconds: float) -> str:
    return (
        f"**Sound**: {MIN_SECONDS} s to {MAX_SECONDS / 60:.0f} minutes of it at {MIN_RATE} to {MAX_RATE} Hz, "
        "not silent; as WAV files of 8 to 32-bit PCM or float with any number of channels, or as samples. "
        f"It is resampled to {sample_rate} Hz and mixed down. What is much longer than "
        f"{window_seconds:.0f} s is cut into windows of that length, whose mean is the answer. A clip that "
        "has no answer has the reason in `error`, and the others of its batch are answered."
    )


def _what_it_takes(description: Description) -> Iterator[str]:
    spec, settings = description.feature_spec, description.recipe.input
    if spec.sample_rate:
        yield _sound(spec.sample_rate, WINDOW_SECONDS)
    if isinstance(spec, VectorSpec):
        yield (
            f"**Or vectors** made beforehand, for `serving_default` and `embedding`: {spec.n_bands} numbers "
            f"each, {_vectors(spec)}; any number of them for a clip."
        )
        return
    features = _FEATURES[settings.feature].format(
        mel=f"{spec.n_mels} mel bands in dB (0 the loudest of the clip, {-spec.top_db:g} the floor)",
        chroma=f"{spec.n_chroma} pitch classes",
    )
    step = "one column per beat, the median of its frames" if settings.sync == "beat" else "every frame"
    frames = description.frames
    length = f"exactly {frames} steps" if frames else "any number of steps"
    yield (
        f"**Or features** made beforehand, for `serving_default` and `embedding`: {features}; {step}; "
        f"{length}. Frames are {spec.n_fft} samples long and {spec.hop_length} apart at "
        f"{spec.sample_rate} Hz ({spec.frame_rate:.2f} a second)."
    )


def _vectors(spec: VectorSpec) -> str:
    if spec.maker not in NETWORKS:
        return "of the user's own"
    seconds = f"patches of {PATCH_SECONDS:.2f} s"
    level = f"{'and' if spec.made_from == MEL_AND_LEVEL else 'without'} that bin's level"
    given = (
        "its sound"
        if spec.made_from == AUDIO
        else f"a spectrogram of the clip, in dB below its loudest bin, {level}"
    )
    return f"what {spec.maker} has after pooling over {seconds}, given {given}"


def _signatures(signatures: Mapping[str, Any]) -> Iterator[str]:
    def names(tensors: Mapping[str, Any]) -> str:
        return ", ".join(_code(name) for name in sorted(tensors))

    rows = [(_code(name), names(each.inputs), names(each.outputs)) for name, each in signatures.items()]
    yield _table(("signature", "takes", "gives"), rows)
    tensors: dict[str, Any] = {}
    for signature in signatures.values():
        tensors |= {**signature.inputs, **signature.outputs}
    yield _table(
        ("name", "shape", "type", "what"),
        [
            (_code(name), f"`{_shape(name, tensor)}`", tf.as_dtype(tensor.dtype).name, _meaning(name))
            for name, tensor in sorted(tensors.items())
        ],
    )


def _shape(name: str, tensor: Any) -> str:
    axes = _TENSORS[name][0] if name in _TENSORS else ("batch", "windows")[: 1 + name.startswith("window_")]
    sizes = [-1] * len(axes)
    if not tensor.tensor_shape.unknown_rank:
        sizes = [axis.size for axis in tensor.tensor_shape.dim]
    known = [str(size) if size >= 0 else axis for axis, size in zip(axes, sizes, strict=True)]
    return f"({', '.join(known)}{',' if len(known) == 1 else ''})"


def _meaning(name: str) -> str:
    if name in _TENSORS:
        return _TENSORS[name][1]
    target = name.removeprefix("window_")
    return f"{_text(target)} of each window" if target != name else f"{_text(name)}; the mean of its windows"


def _limits(description: Description) -> Iterator[str]:
    report, synced = description.report, description.recipe.input.sync == "beat"
    if description.report.dataset.synthetic:
        yield (
            "**Trained on generated music alone. It shows that everything works; what it says of real music "
            "means nothing.**"
        )
    if description.classes:
        yield (
            "Meant for sorting and searching music, where a wrong genre costs little. Everything is given "
            "one of the classes, speech, noise and other genres too: mind the probabilities."
        )
        yield _calibration(description)
    if isinstance(tags := report.reports.get("tags"), TagsReport):
        yield (
            "Meant for sorting and searching music, where a wrong tag costs little. Tags are given one by "
            "one, and a clip may get none; what the data's labels left out counts as not there."
        )
        yield f"{tags.thresholds_sentence} The probabilities are not calibrated."
    if description.targets:
        yield (
            "Meant for sorting and searching music by what listeners feel on average. It knows the sound "
            "alone, not the words or the listener. What the numbers mean is what they mean in the data it "
            "was trained on; how those labels were gathered is not recorded here."
        )
    yield "Not meant for decisions about people, their pay or their rights."
    yield (
        "How it does on music unlike its data (other styles, regions, decades, recording quality) has not "
        "been measured."
    )
    if report.split.group_by == "none":
        yield (
            "Artists were not kept apart between training and test: where one is in both, the figures below "
            "flatter."
        )
    if synced:
        yield "Where no beat is found (silence, drones), a step is half a second instead."


def _calibration(description: Description) -> str:
    report, members = description.report.reports["genre"], description.members
    if not isinstance(report, GenreReport) or not report.calibration_sentence:
        return "The probabilities are not calibrated."
    text = report.calibration_sentence
    if members > 1 and description.recipe.split.validation > 0:
        text += f" Each of the {members} models has a temperature of its own; their mean is left as it is."
    return f"{text} Probabilities may fit worse where the music is unlike the data."


def _data(description: Description) -> Iterator[str]:
    dataset, split = description.report.dataset, description.report.split
    generated = "generated music" if dataset.synthetic else "recorded music"
    yield f"Data set: {_text(dataset.name)}, {generated}."
    if dataset.licence:
        yield f"Licence or terms, as stated with it: {_text(dataset.licence)}"
    elif dataset.synthetic:
        yield "Licence: none; the music was generated by this package and is nobody's."
    else:
        yield (
            "Licence: **not stated**. Find out what the data may be used for before you use this model or "
            "pass it on (`python -m keras_mir.prepare --licence TEXT` records it)."
        )
    sizes = ", ".join(f"{size} {part}" for part, size in split.sizes.items())
    yield f"Clips: {sizes}. {_TESTED_ON[split.test_from]}"
    if split.group_by != "none":
        yield f"Clips of the same {_text(split.group_by)} are on one side of the split."
    if left_out := len(split.left_out):
        yield f"Left out, because they cannot be read: {counted(left_out, 'file')}."


def _pretrained(description: Description) -> Iterator[str]:
    if (network := NETWORKS.get(description.recipe.input.feature)) is not None:
        yield f"## The pretrained network {network.name}"
        yield _list(_of_network(network))


def _of_network(network: Network) -> Iterator[str]:
    yield f"Trained on {_text(network.trained_on)}."
    yield f"By {_text(network.citation)}."
    yield f"Licence of its weights: {_text(network.licence)}. The music has licences of its own."


def _made_with(versions: Mapping[str, str | None]) -> str:
    return _table(("", "version"), [(made, version or "not installed") for made, version in versions.items()])


def _training(description: Description) -> str:
    report, settings = description.report, description.recipe.train
    if (training := report.training) is not None:
        stopped = ", when it no longer got better" if training.stopped_early else ""
        how = (
            f"{counted(training.epochs, 'epoch')} of at most {settings.epochs}{stopped}; the weights are "
            f"those of epoch {training.best_epoch}."
        )
        if training.discriminant:
            how += " Then a linear discriminant of the training clips took the place of the genre head."
        took = f"; {training.seconds:.0f} s"
    elif description.members > 1:
        how, took = f"{description.members} models, each on the clips outside one fold.", ""
    else:
        return "Not recorded."
    augment = asdict(description.recipe.augment)
    used = [f"{name} {value:g}" for name, value in augment.items() if value and name != "augment"]
    used += [text.replace("=", " ") for text in augment["augment"]]
    return (
        f"{how} Batches of {settings.batch_size}, Adam with a learning rate of {settings.learning_rate:g}, "
        f"seed {report.seed}{took}. Augmentation: {', '.join(used) or 'none'}."
    )


def _scores(report: Report) -> str:
    text = io.StringIO()
    plain = Console(file=text, width=80, force_terminal=False, force_jupyter=False, color_system=None)
    print_report(report, plain)
    return _block("text", re.sub(r" +$", "", text.getvalue().strip(), flags=re.MULTILINE))


def _list(items: Iterator[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _block(language: str, text: str) -> str:
    # A fence longer than any in the text, which so cannot end it.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _code(name: str) -> str:
    return "`" + " ".join(name.split()).replace("|", "\\|").replace("`", "'") + "`"


def _text(text: str) -> str:
    """Text of the data, which Markdown is to leave alone, on one line."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", plain)
