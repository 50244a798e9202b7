"""What stands in the tables, and what must not."""

from dataclasses import dataclass, replace
from math import isnan, nan

import pytest

from keras_mir.reproduce import paper
from keras_mir.reproduce.run import make_tables

COURSE = ""
OTHER = "This is other data."


def table_of(experiments, number, settings="paper", data=COURSE):
    return next(
        one for one in make_tables(experiments, data) if (one.number, one.settings) == (number, settings)
    )


@dataclass
class Row:
    """A row of a table, with a number a column."""

    cells: list
    published: tuple  # None where nothing may be shown


def rows_of(table):
    """The rows of a table by name."""
    return {
        name: Row(
            list(part.itertuples()), tuple(None if isnan(value) else value for value in part["published"])
        )
        for name, part in table.numbers.groupby("row", sort=False)
    }


def row_of(table, name):
    return rows_of(table)[name]


def test_a_class_has_mean_and_sample_deviation_over_seeds(experiments_of):
    table = table_of(experiments_of(), "1")
    row = row_of(table, "Jazz")
    precision, recall, f1 = row.cells
    assert precision.mean == pytest.approx(0.41)  # of .40 and .42
    assert precision.spread == pytest.approx(0.02 / 2**0.5)
    assert precision.n == 2
    assert precision.runs == ("paper-5c-mel-seed0", "paper-5c-mel-seed1")
    assert (recall.mean, f1.mean) == (pytest.approx(0.205), pytest.approx(0.1025))
    assert table.clips["Jazz"] == 40


def test_rows_come_in_the_reports_order(experiments_of):
    names = list(rows_of(table_of(experiments_of(), "1")))
    assert names == [*paper.CLIPS, "accuracy", "macro avg", "micro avg", "weighted avg"]


def test_accuracy_stands_below_f1_alone(experiments_of):
    row = row_of(table_of(experiments_of(), "1"), "accuracy")
    assert [cell.mean for cell in row.cells] == pytest.approx([nan, nan, 0.41], nan_ok=True)
    assert row.published == (None, None, 0.36)


def test_published_values_stand_beside_the_reports_settings_on_its_data(experiments_of):
    table = table_of(experiments_of(), "2")
    assert row_of(table, "Blues").published == (0.25, 0.03, 0.05)
    assert row_of(table, "weighted avg").published == (0.35, 0.40, 0.34)
    assert row_of(table, "micro avg").published == (None, None, None)
    affect = table_of(experiments_of(), "6")
    assert row_of(affect, "CNN").published == (0.5682, 0.7639, 0.6719, 0.668)


def test_published_values_stand_nowhere_on_other_data(experiments_of):
    tables = make_tables(experiments_of(), OTHER)
    assert not any(table.numbers["published"].any() for table in tables)
    assert all("This is other data." in table.note for table in tables if table.settings != "ours")


def test_published_values_stand_not_beside_our_variant(experiments_of):
    table = table_of(experiments_of(), "1", "ours")
    assert table.numbers["published"].isna().all()
    assert "our variant, not the paper's settings: lstm-mel" in table.title


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (
            {"classes": list(paper.CLIPS)[:9], "support": list(paper.CLIPS.values())[:9]},
            "this is 541 clips of 9 classes",
        ),
        ({"support": (4,) * 10}, "this is 40 clips of 10 classes"),
        ({"limit": 48}, "limited to 48 in each part"),
    ],
)
def test_published_values_stand_not_beside_other_classes_or_clips(experiments_of, report, reason):
    experiments = experiments_of(**report)
    table = table_of(experiments, "1")
    assert table.numbers["published"].isna().all()
    assert reason in table.note
    overview = table_of(experiments, "", "both")
    assert row_of(overview, "5c LSTM, mel: accuracy").published == (None, None)
    assert row_of(overview, "8 CNN: mean Spearman").published == (0.668, None)


def test_a_failed_run_is_left_out_and_named(experiments_of):
    table = table_of(experiments_of(), "4")
    cell = row_of(table, "accuracy").cells[2]
    assert (cell.n, isnan(cell.spread)) == (1, True)
    assert "Left out: paper-5c-beat-fused-seed1 failed (loss became NaN | epoch 3)." in table.note


def test_a_table_without_a_finished_run_says_so(experiments_of):
    experiments = experiments_of()
    transfer = experiments[5]
    waiting = tuple(replace(run, variant="multitask", status="waiting", report=None) for run in transfer.runs)
    table = table_of([replace(transfer, id="10", runs=waiting)], "7")
    assert len(table.numbers)
    assert table.numbers["mean"].isna().all()
    assert "was not reached" in table.note


def test_an_undefined_correlation_is_in_no_mean(experiments_of):
    table = table_of(experiments_of(), "6")
    valence, energy, _, mean = row_of(table, "LSTM").cells
    assert (valence.n, energy.n, mean.n) == (1, 2, 1)
    assert valence.mean == pytest.approx(0.1)
    assert mean.mean == pytest.approx((0.1 + 0.4 + 0.25) / 3)
    assert "valence by paper-8-lstm-valence-seed1 (all predictions are the same)" in table.note


def test_a_correlation_that_is_always_undefined_is_no_number(experiments_of):
    experiments = experiments_of(seeds=(1,))
    cell = row_of(table_of(experiments, "6"), "LSTM").cells[0]
    assert (isnan(cell.mean), isnan(cell.spread), cell.n) == (True, True, 0)


def test_the_mean_over_targets_is_made_seed_by_seed(experiments_of):
    # Seeds add 0 and -.01 to the mean .45 of the targets.
    mean = row_of(table_of(experiments_of(), "6"), "CNN").cells[-1]
    assert mean.mean == pytest.approx(0.445)
    assert mean.spread == pytest.approx(0.01 / 2**0.5)
    assert len(mean.runs) == 6


def test_the_overview_sets_both_settings_side_by_side(experiments_of):
    table = table_of(experiments_of(), "", "both")
    assert list(table.numbers["column"].unique()) == ["the paper's settings", "our variant"]
    row = row_of(table, "5c LSTM, beat-mel: accuracy")
    assert [cell.mean for cell in row.cells] == [pytest.approx(0.51), pytest.approx(0.66)]
    assert row.published == (0.40, None)
    transfer = row_of(table, "9 transfer: Spearman of energy")
    assert transfer.cells[0].mean == pytest.approx(0.54)
    assert transfer.published == (0.7365, None)
    assert "Always answering Rock, the most frequent class, has accuracy .179." in table.note


def test_transfer_to_another_target_has_no_published_value(experiments_of):
    experiments = experiments_of()
    run = experiments[5].runs[0]
    scores = {"calmness": run.report.spearman["energy"]}
    report = replace(run.report, targets=("calmness",), spearman=scores, rmse=scores, r2=scores)
    other = replace(run, target="calmness", report=report)
    table = table_of([replace(experiments[5], runs=(other,))], "")
    assert {name: row.published for name, row in rows_of(table).items()} == {
        "9 transfer: Spearman of calmness": (None,)
    }


def test_without_experiments_there_are_no_tables():
    assert make_tables([], COURSE) == ()
