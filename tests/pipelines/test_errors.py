"""What a user reads of a mistake is one line, whatever was given."""

import pytest

from pipelines.errors import ArgumentError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "out: choose another"),
        ("Ünïcode 日本", "out Ünïcode 日本: choose another"),
        ("x\ny\x1b[31m", r"out 'x\ny\x1b[31m': choose another"),
    ],
)
def test_a_mistake_is_one_line(value, expected):
    assert str(ArgumentError("out", value, "choose another")) == expected
