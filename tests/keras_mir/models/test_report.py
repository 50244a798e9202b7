"""The report file is strict JSON with stable keys, and its tables fit a terminal."""

import io
import json
from dataclasses import fields, replace

import numpy as np
import pytest
from rich.console import Console

from keras_mir.evaluate.metrics import affect_scores, genre_scores
from keras_mir.evaluate.tag_metrics import tag_scores
from keras_mir.models.report import (
    AffectScores,
    Baseline,
    Calibration,
    Circumstances,
    Dataset,
    GenreScores,
    Interval,
    MultitaskScores,
    Split,
    TagScores,
    Thresholds,
    TrainingSummary,
    make_report,
    read_report,
    report_from_dict,
    report_to_dict,
    thresholds_of,
    versions,
    write_report,
)
from keras_mir.models.report_table import print_report
from pipelines.errors import UserError

COMMON = {"format", "task", "n", "chance", "bootstrap", "dataset", "split", "seed", "recipe", "training"}
COMMON |= {"model", "versions", "baseline", "calibration"}
GENRE = {"class_names", "accuracy", "macro_f1", "weighted_f1", "per_class", "averages", "confusion_matrix"}
GENRE |= {"expected_calibration_error"}
TAGS = {"tags", "roc_auc", "average_precision", "macro_roc_auc", "mean_average_precision", "per_tag"}
TAGS |= {"averages", "thresholds", "undefined"}
AFFECT = {"targets", "spearman", "spearman_mean", "rmse", "r2", "undefined"}

CONTEXT = Circumstances(
    seed=7,
    split=Split(evaluated="test", method="stratified", sizes={"train": 20, "test": np.int64(6)}),
    dataset=Dataset("my-music", synthetic=False, licence="CC0"),
    recipe={"name": "cnn", "train": {"epochs": 30, "learning_rate": float("nan")}},
    training=TrainingSummary(epochs=16, best_epoch=12, stopped_early=True, seconds=4.5),
    model="saved_models/genre/1",
)
NAMES = ("Blues", "Hip-Hop", "Ρεμπέτικο", "[bold]:smile:")


def genre_report(context=CONTEXT, names=NAMES):
    scores = genre_scores(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 2]), names)
    return make_report(scores, context)


def affect_report(context=CONTEXT, constant=False):
    rng = np.random.default_rng(0)
    true = {name: rng.random(40) for name in ("power", "calmness")}
    predicted = {name: values + 0.2 * rng.random(40) for name, values in true.items()}
    if constant:
        predicted["power"][:] = 0.5
    return make_report(affect_scores(true, predicted), context)


def tags_report(context=CONTEXT, names=("live", "rock", "Ρεμπέτικο")):
    true = np.array([[0, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]])
    probabilities = np.array([[0.2, 0.9, 0.1], [0.6, 0.4, 0.1], [0.1, 0.3, 0.2], [0.9, 0.1, 0.3]])
    thresholds = Thresholds(dict(zip(names, (0.7, 0.25, 0.5), strict=True)), 9, "validation clips")
    return make_report(tag_scores(true, probabilities, thresholds), context)


def multitask_report(context=CONTEXT):
    """Of three heads, the last without a baseline."""
    parts = {"genre": genre_report(), "tags": tags_report(), "affect": affect_report()}
    kinds = {"genre": GenreScores, "tags": TagScores, "affect": AffectScores}
    scores = {
        task: kinds[task](**{each.name: getattr(part, each.name) for each in fields(kinds[task])})
        for task, part in parts.items()
    }
    interval = Interval(0.5, 0.4, 0.6)
    baselines = {task: Baseline(f"a guess of {task}", interval, interval) for task in ("genre", "tags")}
    return make_report(MultitaskScores(**scores), context, baselines)


def printed(report, *, width=80, encoding="utf-8", terminal=False):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    print_report(report, Console(file=file, width=width, force_terminal=terminal, color_system=None))
    file.flush()
    return raw.getvalue().decode(encoding)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize(
    ("report", "keys"),
    [
        (genre_report(), COMMON | GENRE),
        (affect_report(), COMMON | AFFECT),
        (affect_report(constant=True), COMMON | AFFECT),
        (tags_report(), COMMON | TAGS),
        (multitask_report(), COMMON - {"n", "bootstrap"} | {"genre", "tags", "affect", "baselines"}),
    ],
)
def test_file_is_strict_json_with_the_promised_keys(report, keys, tmp_path):
    path = write_report(report, tmp_path / "run")

    assert path == tmp_path / "run" / "report.json"
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert set(content) == keys
    assert content == report_to_dict(report)
    assert content == report_to_dict(read_report(path)) == report_to_dict(read_report(path.parent))
    assert [file.name for file in path.parent.iterdir()] == ["report.json"]


def test_genre_report():
    report = report_to_dict(genre_report())

    assert report["task"] == "genre"
    assert report["n"] == 6
    assert report["accuracy"]["value"] == pytest.approx(5 / 6)
    assert set(report["macro_f1"]) == set(report["weighted_f1"]) == {"value", "low", "high"}
    assert report["class_names"] == list(NAMES)
    assert report["per_class"]["Hip-Hop"] == {
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "f1": pytest.approx(0.8),
        "support": 2,
    }
    assert report["confusion_matrix"][0] == [2, 1, 0, 0]
    assert report["chance"] == {"majority_share": 0.5, "majority_class": "Blues"}
    assert report["bootstrap"] == {"seed": 0, "resamples": 1000, "confidence": 0.95}


def test_affect_report():
    report = report_to_dict(affect_report())

    assert report["targets"] == ["power", "calmness"]
    for score in ("spearman", "rmse", "r2"):
        assert {name: set(interval) for name, interval in report[score].items()} == {
            name: {"value", "low", "high"} for name in report["targets"]
        }
    assert report["spearman_mean"]["low"] < report["spearman_mean"]["high"]


def test_what_is_undefined_is_null_with_a_reason():
    report = report_to_dict(affect_report(constant=True))

    nothing = {"value": None, "low": None, "high": None}
    assert report["spearman"]["power"] == report["spearman_mean"] == nothing
    assert set(report["undefined"]) == {"spearman.power", "spearman_mean"}


def test_tags_report():
    report = report_to_dict(tags_report())

    assert report["task"] == "tags"
    assert report["thresholds"] == {
        "by_tag": {"live": 0.7, "rock": 0.25, "Ρεμπέτικο": 0.5},
        "clips": 9,
        "chosen_on": "validation clips",
    }
    assert report["per_tag"]["rock"] == {
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "f1": pytest.approx(0.8),
        "support": 2,
    }
    assert report["roc_auc"]["rock"]["value"] == 0.75
    assert report["macro_roc_auc"]["value"] == 0.875
    assert report["undefined"] == {"Ρεμπέτικο": "none of the evaluated clips has it"}
    assert report["chance"] == {"roc_auc": 0.5, "average_precision": 0.375}
    first, second = (score.bounds for score in tags_report().main_scores.values())
    assert tags_report().headline == (
        f"Tags of 4 clips of music (my-music, test split): macro ROC-AUC 0.875 {first}, mAP 0.917 {second} "
        "over 2 tags; guessing would give 0.500 and 0.375."
    )


def test_context_is_kept_and_made_json():
    report = report_to_dict(genre_report())

    assert report["seed"] == 7
    assert report["split"]["sizes"] == {"train": 20, "test": 6}
    assert report["recipe"] == {"name": "cnn", "train": {"epochs": 30, "learning_rate": None}}
    assert report["training"] == {
        "epochs": 16,
        "best_epoch": 12,
        "stopped_early": True,
        "seconds": 4.5,
        "discriminant": False,
    }
    assert report["dataset"] == {"name": "my-music", "synthetic": False, "licence": "CC0"}
    assert report_to_dict(genre_report(replace(CONTEXT, training=None)))["training"] is None


def test_versions_are_of_what_results_depend_on():
    found = versions()

    assert list(found) == ["python", "keras_mir", "tensorflow", "keras", "numpy", "librosa"]
    assert found["numpy"] == np.__version__


def test_same_report_same_bytes(tmp_path):
    report = genre_report()
    shuffled = replace(report, per_class=dict(reversed(report.per_class.items())))
    first, second = write_report(report, tmp_path / "a"), write_report(shuffled, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_a_failed_write_leaves_the_old_report(tmp_path):
    path = write_report(genre_report(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="JSON serializable"):
        write_report(replace(genre_report(), model=object()), tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no report"),
        (b"{", "damaged, not JSON"),
        (b"\xff", "damaged, not JSON"),
        (b'{"format": 2}', "format 2"),
        (b"[]", "damaged, not a JSON object"),
        (b'{"format": 1, "task": "genre"}', r"damaged \(seed is missing\)"),
    ],
)
def test_unreadable_report_is_named(content, message, tmp_path):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_report(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("report", "key", "value", "message"),
    [
        (genre_report(), "class_names", ["Blues", "x", "y", "z"], "per_class lacks 'x'"),
        (affect_report(), "targets", ["x"], "spearman lacks 'x'"),
        (tags_report(), "tags", ["x"], "roc_auc lacks 'x'"),
        (genre_report(), "task", [], "targets is missing"),
    ],
)
def test_a_report_whose_parts_do_not_go_together_is_damaged(report, key, value, message, tmp_path):
    path = write_report(report, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UserError, match=rf"report.json: damaged \({message}\); "):
        read_report(path)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_fit_80_columns(width, terminal):
    long = replace(CONTEXT, dataset=replace(CONTEXT.dataset, name="a data set " * 12))
    names = ("A genre with a name that is much longer than its column", *NAMES[1:])
    for report in (genre_report(long, names), affect_report(long), tags_report(long, names[:3])):
        lines = printed(report, width=width, terminal=terminal).splitlines()
        assert max(map(len, lines)) <= min(width, 80)


def test_genre_table_has_every_class_and_average():
    text = printed(genre_report())

    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["Blues"] == ["Blues", "1.000", "0.667", "0.800", "3"]
    assert set(NAMES) <= set(rows)
    assert rows["accuracy"][1:3] == ["0.833", "6"]
    for average in ("macro avg", "micro avg", "weighted avg"):
        assert average in text
    assert "precision" in text
    assert "95 % interval" in text


def test_affect_table_has_every_target_and_the_mean():
    report = affect_report()
    text = printed(report)

    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    for name in ("power", "calmness"):
        assert f"{report.spearman[name].value:.3f}" in rows[name]
        assert f"{report.rmse[name].value:.3f}" in rows[name]
        assert f"{report.r2[name].value:.3f}" in rows[name]
    assert f"{report.spearman_mean.low:.3f}" in rows["mean"]


def test_tags_tables_are_of_areas_and_of_what_the_thresholds_give():
    report = tags_report()
    intervals = [report.roc_auc["live"].bounds, report.average_precision["live"].bounds]
    lines = [" ".join(line.split()) for line in printed(report).splitlines() if line.strip()]
    at = lines.index("tag ROC-AUC 95 % interval PR-AUC 95 % interval")
    assert lines[at + 1] == f"live 1.000 {intervals[0]} 1.000 {intervals[1]}"
    assert lines[at + 3] == "Ρεμπέτικο undefined undefined"
    assert lines[at + 4].startswith("macro (mAP) 0.875 [")
    assert lines[at + 5 :] == [
        "Ρεμπέτικο: undefined, for none of the evaluated clips has it; the means are over",
        "the other tags.",
        "tag threshold precision recall F1 support",
        "live 0.700 1.000 1.000 1.000 1",
        "rock 0.250 0.667 1.000 0.800 2",
        "Ρεμπέτικο 0.500 0.000 0.000 0.000 0",
        "macro avg 0.556 0.667 0.600 3",
        "micro avg 0.750 1.000 0.857 3",
        "weighted avg 0.778 1.000 0.867 3",
        "A clip is given the tags whose probability reaches their threshold, where F1 is",
        "highest on 9 validation clips.",
    ]


@pytest.mark.parametrize(("evaluated", "flatters"), [("test", False), ("validation", True), ("all", False)])
def test_thresholds_that_were_chosen_on_the_evaluated_clips_are_said_to_flatter(evaluated, flatters):
    report = tags_report(replace(CONTEXT, split=Split(evaluated=evaluated, sizes={evaluated: 4})))
    words = "Those are among the clips evaluated here, which flatters precision, recall and F1."
    assert (words in " ".join(printed(report).split())) is flatters


def test_undefined_correlation_is_explained_under_the_table():
    text = printed(affect_report(constant=True))

    assert "undefined" in text
    assert "spearman.power: undefined, for all predictions are the same value." in text


def headline(report):
    return " ".join(printed(report).split("\n\n")[0].split())


def test_headline_says_what_was_evaluated_and_what_chance_is():
    text = headline(genre_report())

    assert "6 clips" in text
    assert "my-music, test split" in text
    assert "accuracy 0.833 [" in text
    assert "always answering Blues would give 0.500" in text
    assert "synthetic" not in text
    assert "mean Spearman" in headline(affect_report())


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (Interval(0.05, -0.02, 0.12), "the network is ahead by 0.050 [-0.020, 0.120]."),
        (Interval(-0.05, -0.12, 0.02), "the network is behind by 0.050 [-0.020, 0.120]."),
        (Interval(-0.05, -0.12, 0.0), "the network is behind by 0.050 [0.000, 0.120]."),
        (Interval(0.0, -0.6, 0.4), "the network gets the same, a difference of 0.000 [-0.600, 0.400]."),
        (Interval(None, None, None), "how far the network is ahead is undefined."),
    ],
)
def test_the_baseline_is_said_after_the_headline(difference, said):
    baseline = Baseline("an SVM on feature statistics", Interval(0.68, 0.58, 0.77), difference)
    sentence = f"An SVM on feature statistics gets 0.680 [0.580, 0.770]; {said}"
    for report in (genre_report, affect_report):
        assert headline(report(replace(CONTEXT, baseline=baseline))).endswith(f" {sentence}")
        assert "SVM" not in headline(report())


@pytest.mark.parametrize(
    ("error", "calibration", "said"),
    [
        (None, None, ""),
        (0.043, None, "Expected calibration error 0.043 (15 bins)."),
        (
            0.043,
            Calibration(1.84, 60, 0.121),
            "Expected calibration error 0.043 (15 bins), 0.121 before the probabilities were calibrated by a "
            "temperature of 1.840, fitted on 60 validation clips.",
        ),
    ],
)
def test_calibration_is_said_below_the_table(error, calibration, said, tmp_path):
    context = replace(CONTEXT, calibration=calibration)
    report = replace(genre_report(context), expected_calibration_error=error)
    assert report.calibration_sentence == said
    assert " ".join(printed(report).split()).endswith(said or "by bootstrap over clips.")
    assert read_report(write_report(report, tmp_path)).calibration == calibration


def test_a_report_of_before_baselines_and_calibration_is_read():
    values = report_to_dict(genre_report())
    later = {"baseline": None, "calibration": None, "expected_calibration_error": None}
    older = {key: value for key, value in values.items() if key not in later}
    assert report_to_dict(report_from_dict(older, "report.json")) == {**older, **later}


@pytest.mark.parametrize("report", [genre_report, affect_report])
def test_synthetic_music_is_called_so(report):
    dataset = Dataset("built-in", synthetic=True, licence="")
    assert "synthetic music" in headline(report(replace(CONTEXT, dataset=dataset)))


@pytest.mark.parametrize(("split", "words"), [("validation", "chosen its best epoch"), ("train", "has seen")])
def test_scores_on_clips_that_had_a_part_in_training_come_with_a_caveat(split, words):
    context = replace(CONTEXT, split=replace(CONTEXT.split, evaluated=split))
    assert words in headline(genre_report(context))
    assert words not in headline(genre_report())


def test_output_that_is_not_a_terminal_is_ascii_but_for_names():
    assert printed(affect_report()).isascii()
    assert printed(genre_report()).replace("Ρεμπέτικο", "").isascii()


def test_names_survive_a_terminal_that_only_has_ascii():
    assert r"\u03a1\u03b5" in printed(genre_report(), encoding="ascii", terminal=True)


def test_a_report_shows_itself():
    report = genre_report()
    assert repr(report) == report.headline
    assert float(report.accuracy) == pytest.approx(5 / 6)
    assert str(report.accuracy).startswith("0.833 [")
    assert list(report.frame().index) == [*NAMES, "macro avg", "micro avg", "weighted avg"]
    assert report.frame().loc["Hip-Hop", "recall"] == 1.0
    assert "<p>Genre of 6 clips" in report._repr_html_()
    assert "&lt;" not in affect_report()._repr_html_()
    assert list(affect_report().frame().columns) == ["spearman", "low", "high", "rmse", "r2"]


def test_a_report_on_several_heads_has_each_as_if_it_were_alone(tmp_path):
    report = read_report(write_report(multitask_report(), tmp_path))
    assert report.task == "genre+tags+affect"
    assert list(report.main_scores)[:5] == [
        *("accuracy", "macro_f1", "macro_roc_auc", "mean_average_precision"),
        "spearman_mean",
    ]
    assert report.main_score == report.genre.accuracy
    alone = {"genre": genre_report(), "tags": tags_report(), "affect": affect_report()}
    for task, head in report.reports.items():
        without = replace(head, baseline=None)
        assert report_to_dict(without) == report_to_dict(alone[task])
        assert head.headline in report.headline
    assert report.reports["tags"].baseline.name == "a guess of tags"
    assert report.reports["affect"].baseline is None
    text = printed(report)
    for task, head in alone.items():
        *_, body = printed(head).split("\n\n", 1)
        assert body in text, task
    assert set(report.frame().index.get_level_values("task")) == set(alone)
    assert thresholds_of(report) == alone["tags"].thresholds
    assert thresholds_of(alone["genre"]) is None


def test_a_damaged_report_on_several_heads_is_refused():
    values = report_to_dict(multitask_report()) | {"tags": None}
    with pytest.raises(UserError, match=r"damaged \(it has scores of genre\+affect\)"):
        report_from_dict(values, "report.json")
