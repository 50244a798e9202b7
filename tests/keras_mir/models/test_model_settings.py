import pytest

from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError


def test_lists_from_a_recipe_file_become_tuples():
    settings = ModelSettings(filters=[8, 16], pools=[2, 2])
    assert (settings.filters, settings.pools) == ((8, 16), (2, 2))
    assert hash(settings) == hash(ModelSettings(filters=(8, 16), pools=(2, 2)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "gru"}, "kind gru: choose lstm, cnn, cnn-any-length, vectors or musicnn"),
        ({"normalise": "range"}, "normalise range: choose bands or none"),
        ({"normalise": "all"}, "normalise all: choose bands or none"),
        ({"head": "relu"}, "head relu: choose auto, linear or sigmoid"),
        ({"units": 0}, "units 0: give 1 to 65536"),
        ({"layers": 0}, "layers 0: give 1 to 100"),
        ({"filters": (8, 16)}, "pools 2,2,4,4: give one for each of 2 filters"),
        ({"filters": (), "pools": ()}, "filters '': give 1 or more for each block"),
        ({"filters": (8, 0), "pools": (2, 2)}, "filters 8,0"),
        ({"filters": (8,), "pools": (0,)}, "pools 0"),
        ({"statistics": ()}, "statistics '': give some of mean, max, std and attention"),
        ({"statistics": ("median",)}, "statistics median"),
        ({"hidden": -1}, "hidden -1"),
        ({"dropout": 1.0}, "dropout 1.0: give a value from 0 to below 1"),
        ({"dropout": float("nan")}, "dropout nan"),
        ({"l2": -1e-4}, "l2 -0.0001"),
        ({"l2": float("inf")}, "l2 inf"),
    ],
)
def test_a_wrong_setting_is_named(values, message):
    with pytest.raises(UserError) as error:
        ModelSettings(**values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
