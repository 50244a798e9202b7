"""Numbered examples come out in order, each once, whatever arrives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipelines.input.order import in_order

COUNT = 1000
ALL = list(range(COUNT))


def shuffled(numbers: list[int]) -> tf.data.Dataset:
    """Pairs of a number and an example of a length of its own, in the given order."""

    def example(number: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"values": tf.fill([number % 5], number), "name": tf.strings.as_string(number)}

    return tf.data.Dataset.from_tensor_slices(tf.constant(numbers, tf.int64)).map(lambda n: (n, example(n)))


def restored(numbers: list[int]) -> tuple[list[int], list[int]]:
    """The numbers that come out, and those among them that were loaded anew."""

    def load(number: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"values": tf.fill([number % 5], number), "name": tf.constant("loaded")}

    out, loaded = [], []
    for position, example in enumerate(in_order(shuffled(numbers), range(COUNT), load)):
        assert example["values"].numpy().tolist() == [position] * (position % 5)
        name = example["name"].numpy().decode()
        assert name in ("loaded", str(position))
        out.append(position)
        loaded += [position] * (name == "loaded")
    return out, loaded


def jumbled(spread: int) -> list[int]:
    """Every number within `spread` places of its own."""
    places = np.arange(COUNT) + np.random.default_rng(0).uniform(0, spread, COUNT)
    return [int(number) for number in np.argsort(places)]


@pytest.mark.parametrize(
    ("arriving", "loaded"),
    [
        pytest.param(ALL, [], id="in order"),
        pytest.param(jumbled(200), [], id="out of order"),
        pytest.param(ALL[7:200] + ALL[:7] + ALL[200:], [], id="some late"),
        pytest.param(ALL[7:] + ALL[:7], ALL[:7], id="some after they were read"),
        pytest.param(ALL[:50] + ALL[60:], ALL[50:60], id="some lost"),
        pytest.param(ALL[:-30], ALL[-30:], id="the last lost"),
        pytest.param(ALL[:10] + ALL[900:], ALL[10:900], id="most lost"),
        pytest.param([], ALL, id="all lost"),
        pytest.param(ALL[:-3] + list(range(COUNT, COUNT + 300)), ALL[-3:], id="some past the end"),
    ],
)
def test_every_example_comes_once_and_in_order(arriving, loaded):
    assert restored(arriving) == (ALL, loaded)
