"""What a feature may be: settings, and values by them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.errors import ArgumentError, UserError
from pipelines.spec import FeatureSpec, VectorSpec, spec_from_dict


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sample_rate", (0, -1, 22050.5, True, "22050", None, math.nan, 10**400)),
        ("n_fft", (0, 1 << 40)),
        ("hop_length", (0, -512)),
        ("n_mels", (-1, 2.0)),
        ("n_chroma", (-12,)),
        ("top_db", (0, -80, math.nan, math.inf, "80", None, True)),
    ],
)
def test_a_spec_that_no_feature_can_have_is_refused_by_the_name_of_the_setting(name, values):
    for value in values:
        with pytest.raises(ArgumentError, match=f"^{name}[ :]") as raised:
            FeatureSpec.from_dict({name: value})
        assert raised.value.argument == name


def test_a_spec_of_vectors_too():
    with pytest.raises(ArgumentError, match=r"^n_bands 0"):
        spec_from_dict({"maker": "vectors", "n_bands": 0})


@pytest.mark.parametrize("values", [[], [["sample_rate", 16000]], "", "maker"])
def test_what_is_no_table_is_no_spec(values):
    with pytest.raises(UserError, match="is no table of settings"):
        spec_from_dict(values)


def test_every_spec_that_is_written_can_be_read():
    for spec in (FeatureSpec(), FeatureSpec(8000, 512, 128, 40, 24, 60), VectorSpec("vectors", 3)):
        assert spec_from_dict(spec.to_dict()) == spec


def test_limits_are_those_of_mel_chroma_or_both():
    spec = FeatureSpec(n_mels=2, n_chroma=1, top_db=60.0)
    mel, chroma = [-61.0, 1.0], [-1 / 64, 65 / 64]
    for rows, expected in ((2, [mel, mel]), (1, [chroma]), (3, [mel, mel, chroma])):
        np.testing.assert_array_equal(spec.limits(rows).T, expected)


@pytest.mark.parametrize("top_db", [60.0, 80.0, 80.3, 99.999])
def test_half_precision_has_the_same_limits(top_db):
    limits = FeatureSpec(top_db=top_db).limits(140)
    np.testing.assert_array_equal(limits.astype(np.float16), limits)
    assert limits[0, 0] <= -top_db - 1
