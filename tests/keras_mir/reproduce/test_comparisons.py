"""Whether the answers say what the numbers do, and no more."""

from dataclasses import replace

import pytest

from keras_mir.models.report import Interval
from keras_mir.reproduce.run import make_comparisons

MEL = "Does beat-synchronous mel beat mel?"
CHROMA = "Is chroma the worst input?"
TRANSFER = "Does transfer come near a CNN trained on energy itself?"
MULTITASK = "Does multitask beat one model per target?"


def answer_of(experiments, question, settings="paper"):
    found = [
        one for one in make_comparisons(experiments) if (one.question, one.settings) == (question, settings)
    ]
    assert len(found) == 1
    return found[0]


def with_accuracies(experiments, variant, values):
    """The experiments with other accuracies of a variant of 5c, in the paper's settings, by seed."""
    changed = []
    for experiment in experiments:
        runs = []
        for run in experiment.runs:
            if (experiment.id, run.variant, run.settings) == ("5c", variant, "paper") and run.report:
                run = replace(
                    run, report=replace(run.report, accuracy=Interval(values[run.seed], None, None))
                )
            runs.append(run)
        changed.append(replace(experiment, runs=tuple(runs)))
    return changed


def test_seeds_that_agree_say_yes(experiments_of):
    found = answer_of(with_accuracies(experiments_of((0, 1, 2)), "mel", (0.40, 0.41, 0.48)), MEL)
    assert found.answer == (
        "Yes: accuracy of beat-mel is .520 ± .020 and of mel .430 ± .044, a mean paired difference of "
        "+.090 ± .026, positive in 3 of 3 seeds (all seeds share the same clips, so the spread is over "
        "training seeds only)."
    )
    assert found.first == pytest.approx({"0": 0.50, "1": 0.52, "2": 0.54})
    assert found.second == pytest.approx({"0": 0.40, "1": 0.41, "2": 0.48})
    assert "paper-5c-mel-seed2" in found.runs


def test_seeds_that_agree_on_the_contrary_say_no(experiments_of):
    found = answer_of(with_accuracies(experiments_of(), "mel", (0.6, 0.7)), MEL)
    assert found.answer.startswith("No: ")
    assert "positive in 0 of 2 seeds" in found.answer


@pytest.mark.parametrize("mel", [(0.40, 0.60), (0.40, 0.52)])
def test_seeds_that_disagree_or_tie_tell_nothing(experiments_of, mel):
    found = answer_of(with_accuracies(experiments_of(), "mel", mel), MEL)
    assert found.answer.startswith("Not told apart by 2 seeds: ")
    assert "positive in 1 of 2 seeds" in found.answer


def test_one_seed_tells_nothing(experiments_of):
    found = answer_of(experiments_of((0,)), MEL)
    assert found.answer == (
        "One seed cannot tell: accuracy of beat-mel is .500 and of mel .400, a difference of +.100."
    )


def test_only_seeds_that_both_sides_have_are_compared(experiments_of):
    found = answer_of(experiments_of(), "Does adding chroma to mel help?")
    assert found.first == {"0": 0.45}
    assert found.second == {"0": 0.50}
    assert set(found.runs) == {"paper-5c-beat-fused-seed0", "paper-5c-beat-mel-seed0"}
    assert found.answer.startswith("One seed cannot tell: ")


def test_chroma_is_compared_with_the_next_worst(experiments_of):
    found = answer_of(experiments_of(), CHROMA)
    assert found.answer.startswith("Yes: accuracy of beat-chroma is .210 ± .014 and of the next worst (mel) ")
    assert "negative in 2 of 2 seeds" in found.answer


def test_chroma_that_is_not_worst_says_no(experiments_of):
    found = answer_of(with_accuracies(experiments_of(), "beat-chroma", (0.9, 0.9)), CHROMA)
    assert found.answer.startswith("No: ")
    assert "negative in 0 of 2 seeds" in found.answer


def test_settings_are_not_mixed(experiments_of):
    ours = answer_of(experiments_of(), MEL, "ours")
    assert ours.first["0"] == pytest.approx(0.65)
    assert ours.second["0"] == pytest.approx(0.60)
    questions = {(one.question, one.settings) for one in make_comparisons(experiments_of())}
    assert (CHROMA, "ours") not in questions  # it was not run


def test_a_seed_without_all_targets_is_in_no_mean(experiments_of):
    found = answer_of(experiments_of(), "Does the CNN beat the LSTM in affect?")
    assert list(found.first) == ["0"]
    assert found.first["0"] == pytest.approx(0.45)
    assert found.second["0"] == pytest.approx(0.25)


def test_transfer_says_what_share_it_reaches(experiments_of):
    found = answer_of(experiments_of(), TRANSFER)
    assert found.answer == (
        "It reaches 90 % of it, but one seed cannot tell: Spearman correlation of energy of transfer is .540 "
        "and of the CNN .600, a difference of \N{MINUS SIGN}.060."
    )


def test_no_share_is_given_of_a_correlation_below_zero(experiments_of):
    experiments = experiments_of()
    run = experiments[5].runs[0]
    below = replace(run.report, spearman={"energy": Interval(-0.2, None, None)})
    experiments[5] = replace(experiments[5], runs=(replace(run, report=below),))
    assert answer_of(experiments, TRANSFER).answer.startswith("No share can be given")


def test_multitask_is_compared_on_the_mean_over_the_same_targets(experiments_of):
    found = answer_of(experiments_of(), MULTITASK)
    assert found.metric == "mean Spearman correlation"
    assert found.first == pytest.approx({"0": 0.50, "1": 0.50})
    assert found.second == pytest.approx({"0": 0.45, "1": 0.44})
    assert found.answer.startswith("Yes: ")


def test_every_question_of_the_paper_is_asked_where_it_can_be(experiments_of):
    experiments = experiments_of()
    cnn = tuple(replace(run, variant="cnn", name=f"cnn-{run.seed}") for run in experiments[2].runs[:2])
    experiments.append(replace(experiments[2], id="7b", runs=cnn))
    questions = [one.question for one in make_comparisons(experiments) if one.settings == "paper"]
    assert questions == [
        MEL,
        CHROMA,
        "Does adding chroma to mel help?",
        "Does the CNN beat the LSTM in genre?",
        "Does the CNN beat the LSTM in affect?",
        TRANSFER,
        MULTITASK,
    ]


def test_without_experiments_nothing_is_asked():
    assert make_comparisons([]) == ()
