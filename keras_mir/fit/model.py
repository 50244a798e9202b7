"""The model of a recipe: built, on a frozen backbone or on none, and compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mir.data.load import TRAIN, Data
from keras_mir.evaluate.baseline import fit_kernel_ridge
from keras_mir.fit.discriminant import GenreHead, solve_genre_head
from keras_mir.models.build import build_model, with_auxiliary_genre, with_frozen_backbone
from keras_mir.models.heads import compile_arguments
from keras_mir.models.kernel_ridge import with_kernel_ridge
from keras_mir.models.outputs import GENRE, TAGS
from keras_mir.models.pretrained.musicnn import load_layers
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.run_folder import RunFolder
from keras_mir.models.trained_model import load_keras, load_trained
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.targets import check_targets
from pipelines.errors import ArgumentError, UserError
from pipelines.input.augment import check_augmentations
from pipelines.source import Source

_LEAST_VARIANCE = 1e-6  # of labels, which may all be the same


def new_model(recipe: Recipe, data: Data) -> keras.Model:
    """The recipe's model with fresh weights, or with new heads on its frozen backbone."""
    train = data.sources[TRAIN]
    settings = recipe.model
    if settings.head == "auto":
        values = [_known(train, target) for target in data.targets]
        inside = all(each.min() >= 0.0 and each.max() <= 1.0 for each in values)
        settings = replace(settings, head="sigmoid" if inside else "linear")
    classes = data.classes or None
    means: dict[str, Any] = {name: float(_known(train, name).mean()) for name in data.targets}
    if data.tags and recipe.task.class_weights == "none":
        means[TAGS] = _known(train, TAGS).mean(axis=0).tolist()
    if recipe.task.transfer:
        backbone = load_backbone(recipe.task.backbone)
        _check_backbone(backbone, recipe, train)
        return with_frozen_backbone(
            backbone, settings, classes=classes, targets=data.targets, tags=data.tags, label_means=means
        )
    mean = variance = None
    if settings.normalise == "bands":
        mean, variance = train.cached.statistics
    model = build_model(
        settings,
        bands=train.cached.bands,
        time=train.frames,
        classes=classes,
        targets=data.targets,
        tags=data.tags,
        spec=train.spec,
        feature=recipe.input.feature,
        band_mean=mean,
        band_variance=variance,
        label_means=means,
    )
    if (network := NETWORKS.get(recipe.input.feature)) is not None:
        load_layers(model, network.weights())
    if data.auxiliary_classes:
        return with_auxiliary_genre(model, settings, data.auxiliary_classes)
    return model


def _known(source: Source, output: str) -> np.ndarray:
    """The labels for an output, of the examples that have one."""
    return source.labels[output][source.labelled(output)]


def finished_model(
    model: keras.Model, recipe: Recipe, data: Data, seed: int
) -> tuple[keras.Model, GenreHead | None]:
    """What is kept of a trained model: the outputs of its task alone, with what is fitted instead of trained.

    Args:
        model: The recipe's, trained.
        recipe: What it was trained by.
        data: What on.
        seed: Of the order of the clips that a regression is fitted to, and of a discriminant's folds.

    Returns:
        The model, and what became of its genre head; None where nothing was to become of it.
    """
    train, head = data.sources[TRAIN], None
    if data.classes and (shrinkage := recipe.model.discriminant):
        group, balanced = data.split.group_by, recipe.task.class_weights == "balanced"
        groups = None if group == "none" else data.examples[TRAIN].table[group]
        head = solve_genre_head(model, train, shrinkage, balanced=balanced, groups=groups, seed=seed)
    if data.auxiliary_classes:
        outputs = {name: value for name, value in model.output.items() if name in data.targets}
        model = keras.Model(model.input, outputs, name=model.name)
    if not recipe.task.kernel_ridge:
        return model, head
    return with_kernel_ridge(model, *fit_kernel_ridge(train, data.targets, seed)), head


def compile_model(model: keras.Model, recipe: Recipe, data: Data, soft: bool, steps: int) -> None:
    """Give a model its losses, metrics and optimizer.

    Args:
        model: The recipe's.
        recipe: How it learns.
        data: What from.
        soft: Whether class labels are shares.
        steps: Batches of all epochs together.
    """
    train = data.sources[TRAIN]
    balanced = data.tags and recipe.task.class_weights == "balanced"
    arguments = compile_arguments(
        data.classes or None,
        data.targets,
        _loss_weights(recipe, data),
        soft_labels=soft,
        tags=data.tags,
        tag_shares=_known(train, TAGS).mean(axis=0) if balanced else None,
        partly_labelled=[output for source in data.sources.values() for output in source.known],
    )
    if data.auxiliary_classes:
        _add_auxiliary_loss(arguments, data, soft)
    settings = recipe.train
    clip = settings.clip_norm or None
    rate = _cosine(settings.learning_rate, steps) if settings.schedule == "cosine" else settings.learning_rate
    optimizer = (
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=clip)
        if settings.weight_decay
        else keras.optimizers.Adam(rate, clipnorm=clip)
    )
    model.compile(optimizer=optimizer, jit_compile=False, **arguments)
    # The optimizer's variables must be there before a checkpoint can be loaded into them.
    model.optimizer.build(model.trainable_variables)


def _loss_weights(recipe: Recipe, data: Data) -> dict[str, float]:
    """By output; empty if all weigh the same.

    Beside cross-entropies, which are about 1 when training starts, whatever they are of, squared errors are
    counted so that those of all targets together start at 1: by the variance of the labels.
    """
    given = recipe.task.loss_weights_by_output()
    if len(data.outputs.by_task) == 1 or not data.targets:
        return given
    train = data.sources[TRAIN]
    variances = {name: max(float(_known(train, name).var()), _LEAST_VARIANCE) for name in data.targets}
    scales = {name: 1.0 / (len(variances) * variance) for name, variance in variances.items()}
    return {**given, **{name: scale * given.get(name, 1.0) for name, scale in scales.items()}}


def _add_auxiliary_loss(arguments: dict[str, Any], data: Data, soft: bool) -> None:
    """Cross-entropy of the genre, weighed so that neither it nor affect is all that is learnt."""
    labels = data.sources[TRAIN].labels
    genre = compile_arguments(data.auxiliary_classes, (), soft_labels=soft)
    given = arguments.get("loss_weights", dict.fromkeys(data.targets, 1.0))
    # At the start cross-entropy is about 1, and all squared errors together the sum of the variances.
    weight = 2.0 * sum(float(np.var(labels[target])) for target in data.targets)
    arguments["loss"] |= genre["loss"]
    arguments["metrics"] |= genre["metrics"]
    arguments["loss_weights"] = {**given, GENRE: weight}


def _cosine(highest: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """From a tenth up in the first tenth of all steps, then down along a cosine to a hundredth.

    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    without the restarts.
    """
    warmup = max(steps // 10, 1)
    return keras.optimizers.schedules.CosineDecay(
        0.1 * highest, max(steps - warmup, 1), alpha=0.01, warmup_target=highest, warmup_steps=warmup
    )


def check_recipe(recipe: Recipe) -> None:
    """Refuse what no data can mend: a missing backbone, targets that no model can have.

    Raises:
        UserError: If there is such a thing.
    """
    check_augmentations(recipe.augment)
    recipe.task.loss_weights_by_output()
    check_targets(recipe.task.targets)
    if (network := NETWORKS.get(recipe.input.feature)) is not None:
        network.check()
    if recipe.task.transfer:
        load_backbone(recipe.task.backbone)


def load_backbone(place: str) -> keras.Model:
    """The Keras model of a run's folder, or of an exported model.

    Raises:
        ArgumentError: If there is none, or it is damaged.
    """
    if not place:
        raise ArgumentError("backbone", None, "give the run, or the exported model, whose layers to build on")
    file = RunFolder(Path(place)).model
    try:
        return load_keras(file) if file.is_file() else load_trained(place).keras
    except UserError as error:
        raise ArgumentError("backbone", None, f"{error}; or give the folder of a finished run") from None


def _check_backbone(backbone: keras.Model, recipe: Recipe, source: Source) -> None:
    _, frames, bands = backbone.input["features"].shape
    problem = ""
    if bands != source.cached.bands:
        problem = (
            f"{bands} bands, the recipe gives {source.cached.bands}; use the feature it was trained with"
        )
    elif frames not in (None, source.frames):
        given = source.frames or "any number"
        problem = f"{frames} frames, the recipe gives {given}; give frames {frames}"
    if problem:
        raise ArgumentError("backbone", recipe.task.backbone, f"it reads {problem}")
