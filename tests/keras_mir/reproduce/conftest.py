"""A reproduction with everything that can go right and wrong, made up from formulas."""

import struct
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from keras_mir.models.report import (
    AffectReport,
    Bootstrap,
    ClassScores,
    Dataset,
    GenreReport,
    Interval,
    Split,
    TrainingSummary,
)
from keras_mir.reproduce import paper
from keras_mir.reproduce.results import Outcome, Picture, Results, Run
from keras_mir.reproduce.run import make_comparisons, make_tables

WHY_NOT = "The paper's numbers are not shown: they are of its own data set, and this is <emotify>."

# Accuracy or correlation of seed 0, by recipe; a seed adds .02 times its number.
ACCURACY = {
    ("paper", "mel"): ("paper-5c-mel", 0.40),
    ("paper", "beat-mel"): ("paper-5c-beat-mel", 0.50),
    ("paper", "beat-chroma"): ("paper-5c-beat-chroma", 0.20),
    ("paper", "beat-fused"): ("paper-5c-beat-fused", 0.45),
    ("ours", "mel"): ("lstm-mel", 0.60),
    ("ours", "beat-mel"): ("lstm-beat-mel", 0.65),
}
CORRELATION = {"valence": 0.30, "energy": 0.60, "danceability": 0.45}


def interval(value):
    return Interval(value, value and value - 0.1, value and value + 0.1)


CLASSES, SUPPORT = tuple(paper.CLIPS), tuple(paper.CLIPS.values())


def circumstances(split, training):
    return {
        "seed": 0,
        "split": Split(**split),
        "dataset": Dataset("made up", synthetic=False, licence=""),
        "recipe": {},
        "training": training,
        "model": "",
        "bootstrap": Bootstrap(),
    }


def genre_report(accuracy, classes=CLASSES, support=SUPPORT, limit=0):
    scores = accuracy, accuracy / 2, accuracy / 4
    split = {
        "evaluated": "test",
        "sizes": {"train": 1537, "validation": 768, "test": sum(support)},
        "method": "course",
        "test_from": "the data set",
        "group_by": "none",
        "seed": 420,
        "limit": limit,
    }
    return GenreReport(
        **circumstances(split, TrainingSummary(30, 20, True, 75.0)),
        class_names=tuple(classes),
        n=sum(support),
        accuracy=interval(accuracy),
        macro_f1=interval(accuracy / 4),
        weighted_f1=interval(accuracy / 4),
        per_class={name: ClassScores(*scores, clips) for name, clips in zip(classes, support, strict=True)},
        averages={name: ClassScores(*scores, sum(support)) for name in ("macro", "micro", "weighted")},
        confusion_matrix=np.diag(support),
    )


def affect_report(spearman):
    missing = [name for name, value in spearman.items() if value is None]
    mean = None if missing else sum(spearman.values()) / len(spearman)
    split = {
        "evaluated": "validation",
        "sizes": {"train": 748, "validation": 374},
        "method": "course",
        "test_from": "none",
        "group_by": "none",
        "seed": 420,
    }
    error = dict.fromkeys(spearman, interval(0.2))
    return AffectReport(
        **circumstances(split, TrainingSummary(12, 7, False, 40.0)),
        targets=tuple(spearman),
        n=374,
        spearman={name: interval(value) for name, value in spearman.items()},
        spearman_mean=interval(mean),
        rmse=error,
        r2=error,
        undefined={f"spearman.{name}": "all predictions are the same" for name in missing},
    )


def make_run(recipe, variant, seed, report=None, settings="paper", target="", **changes):
    name = "-".join(filter(None, [recipe, target, f"seed{seed}"]))
    return Run(
        **{
            "name": name,
            "recipe": recipe,
            "settings": settings,
            "variant": variant,
            "target": target,
            "seed": seed,
            "command": f"python -m keras_mir.fit {recipe} --data 'my <music>' --seed {seed}"
            + (f" --targets {target}" if target else ""),
            "folder": f"runs/{name}",
            "status": "done",
            "report": report,
            "seconds": 75.0,
            **changes,
        }
    )


def genre_runs(seeds, **report):
    """Experiment 5c: of two seeds, the second training of beat-fused failed."""
    runs = []
    for (settings, variant), (recipe, accuracy) in ACCURACY.items():
        for seed in seeds:
            done = genre_report(accuracy + 0.02 * seed, **report)
            run = make_run(recipe, variant, seed, done, settings)
            if variant == "beat-fused" and seed == 1:
                run = make_run(recipe, variant, seed, status="failed", reason="loss became NaN | epoch 3")
            runs.append(run)
    return runs


def affect_runs(recipe, variant, seeds, lead, undefined=()):
    """Experiment 8: one run a target; `undefined` names (target, seed) without a correlation."""
    return [
        make_run(
            recipe,
            variant,
            seed,
            affect_report(
                {target: None if (target, seed) in undefined else value + lead + 0.01 * seed * (-1) ** seed}
            ),
            target=target,
        )
        for target, value in CORRELATION.items()
        for seed in seeds
    ]


def make_experiments(seeds=(0, 1), **report):
    single = [
        *affect_runs("paper-8-lstm", "lstm", seeds, -0.2, undefined={("valence", 1)}),
        *affect_runs("paper-8-cnn", "cnn", seeds, 0.0),
    ]
    multitask = {name: value + 0.05 for name, value in CORRELATION.items()}
    return [
        Outcome(
            "1",
            "Mel spectrograms",
            "done",
            pictures=(
                Picture("figures/1 full.png", "Mel of <Rock> & Jazz", "Fig 1", "reproduce --all"),
                Picture("figures/gone.png", "A picture that was deleted", "", "reproduce --all"),
            ),
        ),
        Outcome(
            "5a",
            "Overfit check",
            "done",
            runs=(
                make_run(
                    "paper-5a-overfit",
                    "overfit",
                    0,
                    history={"loss": [2.0, 0.001]},
                    facts={"first_loss": 2.0, "last_loss": 0.001, "passed": True},
                ),
            ),
        ),
        Outcome(
            "5c",
            "Larger LSTMs",
            "failed",
            "paper-5c-beat-fused-seed1: loss became NaN | epoch 3",
            tuple(genre_runs(seeds, **report)),
            notes=("One note.",),
        ),
        Outcome("6", "Class by class", "failed"),
        Outcome("8", "Affect, one model per target", "done", runs=tuple(single)),
        Outcome(
            "9",
            "Transfer",
            "waiting",
            runs=(
                make_run("paper-9-transfer", "transfer", 0, affect_report({"energy": 0.54}), target="energy"),
                make_run("paper-9-transfer", "transfer", 1, target="energy", status="waiting", seconds=0.0),
            ),
        ),
        Outcome(
            "10",
            "Multitask",
            "done",
            runs=tuple(
                make_run("paper-10-multitask", "multitask", seed, affect_report(multitask)) for seed in seeds
            ),
        ),
    ]


def make_results(is_course=False, quick=False, seeds=(0, 1), **report):
    why_not = "" if is_course else WHY_NOT
    experiments = make_experiments(seeds, **report)
    genre = experiments[2].runs[0].report
    affect = experiments[6].runs[0].report
    return Results(
        dataset={
            "name": "the course's data" if is_course else "<emotify>",
            "licence": "" if is_course else "for research & study",
            "synthetic": False,
            "is_course": is_course,
            "why_not": why_not,
            "left_out": "",
            "genre": {**asdict(genre.split), "class_names": genre.class_names},
            "affect": {**asdict(affect.split), "targets": affect.targets},
        },
        command="reproduce --all",
        quick=quick,
        seeds=tuple(seeds),
        versions={"python": "3.11.7", "librosa": None},
        machine="Linux x86_64, 2 cores",
        started="2026-01-05T21:24:00",
        seconds=4000.0,
        experiments=tuple(experiments),
        tables=make_tables(experiments, why_not),
        comparisons=make_comparisons(experiments),
    )


def tiny_png(width, height):
    """A grey picture."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


@pytest.fixture
def page_folder(tmp_path) -> Path:
    """A folder with the one picture of the results."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "1 full.png").write_bytes(tiny_png(300, 150))
    return tmp_path


@pytest.fixture
def results_of():
    """`make_results`."""
    return make_results


@pytest.fixture
def experiments_of():
    """`make_experiments`."""
    return make_experiments


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The course layout with learnable noise: two classes, one target, full clips and unlabelled ones."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for folder, split, count in (
        ("fma_genre_spectrograms", "train", 9),
        ("fma_genre_spectrograms", "test", 4),
        ("multitask_dataset", "train", 9),
        ("multitask_dataset", "test", 3),
    ):
        (root / folder / split).mkdir(parents=True)
        labels = ["Id\tGenre"] if "genre" in folder else ["Id,energy"]
        for number in range(count):
            loud = number % 2
            array = np.concatenate(
                [random.uniform(-60, -30, (128, 90)) + 20 * loud, random.uniform(0, 1, (12, 90))]
            )
            np.save(root / folder / split / f"{split}{number}.fused.full.npy", array.astype(np.float32))
            name = f"{split}{number}.fused.full.npy.gz"
            labels.append(
                f"{name}\t{('Jazz', 'Metal')[loud]}" if "genre" in folder else f"{split}{number},{loud}"
            )
        if folder == "fma_genre_spectrograms" or split == "train":
            (root / folder / f"{split}_labels.txt").write_text("\n".join(labels) + "\n")
    return root
