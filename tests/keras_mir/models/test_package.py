"""What others have made is looked at before it is opened: names, sizes, links, and what could run code."""

import io
import json
import stat
import zipfile

import h5py
import keras
import pytest

from keras_mir.models.package import MOST_BYTES, check_package, unpack
from pipelines.errors import UserError


def zipped(path, *members):
    """A zip file of names, or of `ZipInfo`, with their content."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


GOOD = (("keras_mir.json", "{}"), ("model.keras", b"model"), ("README.md", "# A model"))


def test_a_zip_is_unpacked(tmp_path):
    (tmp_path / "out").mkdir()
    unpack(zipped(tmp_path / "a.zip", *GOOD), tmp_path / "out")
    assert (tmp_path / "out" / "model.keras").read_bytes() == b"model"
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(MOST_BYTES)


def link(name, target):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member, target


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../evil.py", "x")], "has '../evil.py' in it; a zipped model has keras_mir.json, "),
        ([("/etc/evil", "x")], "has '/etc/evil' in it"),
        ([("sub/model.keras", "x")], "has 'sub/model.keras' in it"),
        ([("saved_model.pb", "x")], "has 'saved_model.pb' in it"),
        ([link("model.keras", "/etc/passwd")], "has 'model.keras' in it"),
        ([("model.keras", "a"), ("model.keras", "b")], "has a file twice in it"),
        ([("README.md", "x" * (MOST_BYTES["README.md"] + 1))], "README.md has more than 1 MB"),
    ],
    ids=["above", "absolute", "folder", "SavedModel", "link", "twice", "large"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_anything_else_in_it_is_refused(members, message, tmp_path):
    (tmp_path / "out").mkdir()
    path = zipped(tmp_path / "a.zip", *GOOD[:1], *members)
    with pytest.raises(UserError, match=message):
        unpack(path, tmp_path / "out")
    assert {file.name for file in tmp_path.rglob("*")} <= {"a.zip", "out", "keras_mir.json", "README.md"}


@pytest.mark.parametrize("damage", ["no zip", "cut off", "bits", "encrypted"])
def test_a_damaged_zip_is_refused_in_a_line(damage, tmp_path):
    (tmp_path / "out").mkdir()
    content = bytearray(zipped(tmp_path / "a.zip", *GOOD).read_bytes())
    if damage == "no zip":
        content = bytearray(b"no zip")
    elif damage == "cut off":
        del content[-30:]
    elif damage == "bits":
        content[content.index(b"model", 60)] ^= 255
    else:
        for start in (b"PK\x03\x04", b"PK\x01\x02"):
            content[content.index(start) + (6 if start[2] == 3 else 8)] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip: cannot be unpacked \(.*\); ask for another copy"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(UserError, match="no such file"):
        unpack(tmp_path / "b.zip", tmp_path / "out")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """What a small `model.keras` holds, by name."""
    inputs = keras.Input((3,), name="features")
    model = keras.Model(inputs, keras.layers.Dense(2, name="dense")(inputs))
    file = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(file)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def package(parts, tmp_path):
    """Writes a model with other parts, and looks at it."""

    def check(**other):
        named = {name.replace("_", "."): content for name, content in other.items()}
        zipped(tmp_path / "model.keras", *{**parts, **named}.items())
        (tmp_path / "keras_mir.json").write_text("{}")
        check_package(tmp_path, "hf://a/b")

    return check


def test_a_model_passes(package):
    package()


LEFT = "it is not loaded, as it could run code"


def with_layer(parts, layer):
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1] = layer
    return json.dumps(config)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        ({"module": "keras.layers", "class_name": "Lambda", "registered_name": None}, "keras.layers.Lambda"),
        ({"module": "keras.layers", "class_name": "TFSMLayer"}, "keras.layers.TFSMLayer"),
        ({"module": "keras.layers", "class_name": "StringLookup"}, "keras.layers.StringLookup"),
        ({"module": "os", "class_name": "function", "config": "system"}, "os.function"),
        ({"module": None, "class_name": "__lambda__", "config": {"value": "x"}}, "__lambda__"),
        (
            {"module": "keras.layers", "class_name": "Dense", "registered_name": "evil>Dense"},
            "keras.layers.Dense",
        ),
        (
            {"module": "evil", "class_name": "TimePooling", "registered_name": "evil>TimePooling"},
            "evil.TimePool",
        ),
        ({"module": "keras.layers", "config": {}}, "keras.layers.None"),
        ({"module": ["a"], "class_name": {"b": 1}}, "b"),
    ],
)
def test_a_layer_that_could_run_code_or_read_files_is_refused_by_name(layer, named, package, parts):
    with pytest.raises(UserError, match=f"hf://a/b: its model.keras holds .*{named}.*; {LEFT}$"):
        package(config_json=with_layer(parts, layer))
    nested = {**json.loads(parts["config.json"]), "compile_config": {"loss": [layer]}}
    with pytest.raises(UserError, match=named):
        package(config_json=json.dumps(nested))


def weights(change):
    file = io.BytesIO()
    with h5py.File(file, "w") as written:
        change(written)
    return file.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")),
        lambda file: file.__setitem__("x", h5py.SoftLink("/y")),
        lambda file: file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]),
    ],
    ids=["external link", "soft link", "external data"],
)
def test_weights_that_are_in_another_file_are_refused(change, package, parts):
    other = {**parts, "model.weights.h5": weights(change)}
    with pytest.raises(UserError, match="another file"):
        package(**{"model_weights_h5": other["model.weights.h5"]})


def test_other_parts_and_damage_are_refused(package, tmp_path):
    with pytest.raises(UserError, match=r"has assets\.pickle, config\.json"):
        package(assets_pickle=b"x")
    with pytest.raises(UserError, match=r"model\.keras is damaged"):
        package(config_json=b"{")
    with pytest.raises(UserError, match=r"model\.keras is damaged"):
        package(model_weights_h5=b"no hdf5")
    (tmp_path / "keras_mir.json").unlink()
    with pytest.raises(UserError, match=r"no keras_mir\.json in it"):
        check_package(tmp_path, "hf://a/b")
