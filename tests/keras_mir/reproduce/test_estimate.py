"""The time that is said to be left."""

from keras_mir.recipes.named import named_recipe
from keras_mir.reproduce.estimate import TimeLeft, expected_seconds, in_words


def seconds(name, **settings):
    return expected_seconds(named_recipe(name).with_settings(settings), clips=160, frames=1293, beats=60)


def test_costly_recipes_are_expected_to_take_longer():
    assert (
        seconds("report-5c-mel") > 5 * seconds("report-5c-beat-mel") > 5 * seconds("report-5b-beat-mel") / 2
    )
    assert seconds("cnn", frames=96) < seconds("cnn") / 5
    assert seconds("cnn", limit=32) < seconds("cnn") / 2


def test_what_is_left_follows_the_pace_so_far():
    left = TimeLeft({"a": 10.0, "b": 10.0, "c": 20.0})
    assert left.seconds == 40
    left.done("a", 30.0)  # three times as slow as guessed
    assert left.seconds == 90
    left.done("b", 0.0)  # had been done before: says nothing of the pace
    assert left.seconds == 60
    left.done("c", 60.0)
    assert left.seconds == 0


def test_times_are_in_words():
    assert in_words(12) == "less than a minute"
    assert in_words(300) == "about 5 min"
    assert in_words(7200) == "about 2.0 h"
