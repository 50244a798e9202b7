"""Vectors that a user brings: in files, in one array, in Parquet; and what does not fit is named."""

import numpy as np
import pandas as pd
import pytest

import keras_mir as km
from keras_mir.data.vectors import own_vectors
from keras_mir.fit import training
from keras_mir.models.session import ServedModel
from pipelines.errors import ArgumentError, UserError

IDS = [f"clip{number}" for number in range(40)]
GENRES = ["Jazz", "Metal"] * 20


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    pd.DataFrame({"id": IDS, "genre": GENRES}).to_csv(path, index=False)
    return path


def vectors_of(number):
    random = np.random.default_rng(number)
    return random.normal(4.0 * (GENRES[number] == "Metal"), 1.0, (1 + number % 3, 6)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, labels):
    root = tmp_path / "vectors"
    root.mkdir()
    for number, identity in enumerate(IDS):
        np.save(root / f"{identity}.npy", vectors_of(number))
    return root


def read(path):
    return np.load(path).T


def test_files_are_read_as_they_are(folder, labels, tmp_path):
    np.save(folder / "clip0.npy", np.arange(6))  # one vector, of whole numbers
    examples = own_vectors(folder, labels, "genre", tmp_path / "cache")
    assert (examples.spec.maker, examples.spec.n_bands, examples.spec.sample_rate) == ("vectors", 6, 0)
    assert list(examples.table["id"]) == IDS
    np.testing.assert_array_equal(read(examples.table["path"][0]), [np.arange(6)])
    np.testing.assert_array_equal(read(examples.table["path"][2]), vectors_of(2))


def test_one_array_has_a_row_for_each_line_of_the_table(labels, tmp_path):
    rows = np.stack([vectors_of(number)[0] for number in range(40)])
    np.save(tmp_path / "all.npy", rows)
    examples = own_vectors(tmp_path / "all.npy", labels, "genre", tmp_path / "cache")
    np.testing.assert_array_equal(np.concatenate([read(path) for path in examples.table["path"]]), rows)
    np.save(tmp_path / "all.npy", rows[:39])
    with pytest.raises(UserError, match="39 rows, but the label table has 40; give a row for each line"):
        own_vectors(tmp_path / "all.npy", labels, "genre", tmp_path / "cache")


@pytest.mark.parametrize("lists", [True, False])
def test_parquet_has_windows_of_an_id_in_order(lists, labels, tmp_path):
    pytest.importorskip("pyarrow", exc_type=ImportError)  # it may want a newer NumPy
    ids = [identity for number, identity in enumerate(IDS) for _ in vectors_of(number)]
    rows = np.concatenate([vectors_of(number) for number in range(40)])
    columns = {"vector": list(rows)} if lists else {f"v{n}": rows[:, n] for n in range(6)}
    pd.DataFrame({"id": ids, **columns}).to_parquet(tmp_path / "all.parquet")
    examples = own_vectors(tmp_path / "all.parquet", labels, "genre", tmp_path / "cache")
    for number in (0, 2, 39):
        np.testing.assert_allclose(read(examples.table["path"][number]), vectors_of(number), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "clip3",
            np.zeros((2, 5)),
            "id 'clip3': vectors of 5 numbers, but id 'clip0' has 6; give all of one",
        ),
        (
            "clip3",
            np.full((2, 6), np.nan),
            r"clip3\.npy: id 'clip3': values that are NaN, infinite or beyond 1,000,000; make the vector",
        ),
        ("clip3", np.full((2, 6), 3e38), "infinite or beyond 1,000,000"),
        ("clip3", np.zeros((2, 2, 6)), "give numbers of shape"),
        (
            "other",
            np.zeros((2, 6)),
            "'other.npy' has no line in labels.csv; add the line or move the file away",
        ),
    ],
)
def test_what_does_not_fit_is_named(name, array, message, folder, labels, tmp_path):
    np.save(folder / f"{name}.npy", array)
    with pytest.raises(UserError, match=message):
        own_vectors(folder, labels, "genre", tmp_path / "cache")


def zipped(path):
    np.savez(path, np.zeros(3))
    path.with_name(f"{path.name}.npz").rename(path)


HEADER = b"{'descr': '<f8', 'fortran_order': False, 'shape': (6, 400000000000), }\n"


def test_a_data_set_of_spectrograms_is_none_of_vectors(course_data, tmp_path):
    with pytest.raises(ArgumentError, match=r"^data .*: has spectrograms, not vectors; name the folder of"):
        own_vectors(course_data, None, "genre", tmp_path / "cache")


@pytest.mark.parametrize(
    "write",
    [
        zipped,
        lambda path: path.write_bytes(b"PK\3\4" + bytes(50)),
        lambda path: path.write_bytes(b"\x93NUMPY\1\0" + len(HEADER).to_bytes(2, "little") + HEADER),
    ],
    ids=["an archive", "no archive", "more than the memory holds"],
)
def test_a_file_that_is_no_array_is_named(write, folder, labels, tmp_path):
    (folder / "clip3.npy").unlink()
    write(folder / "clip3.npy")
    with pytest.raises(UserError, match=r"clip3\.npy: cannot be read as \.npy \(.*\); write it again$"):
        own_vectors(folder, labels, "genre", tmp_path / "cache")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a", "b"]}, "no column of lists, nor one of numbers; add the vectors"),
        ({"id": ["a", "b"], "v": ["1", "2"]}, "no column of lists, nor one of numbers; add the vectors"),
        ({"id": ["a", "b"], "v": [[1.0], None]}, "row 2, v: no list of numbers; write it again"),
        ({"id": ["a", "b"], "v": [["x"], ["y"]]}, "row 1, v: no list of numbers; write it again"),
        ({"id": ["a", "b"], "v": [[[1.0]], [[2.0]]]}, "row 1, v: no list of numbers; write it again"),
        ({"id": ["a", "b"], "v": [[], []]}, "row 1, v: no list of numbers; write it again"),
        ({"id": ["a", "b"], "v": [[1], [2]], "w": [[3], [4]]}, "columns 'v' and 'w' both hold lists; leave"),
        ({"id": [b"a", b"\xff"], "v": [[1], [2]]}, r"cannot be read as Parquet \(.*\); write it again"),
        ({"id": [], "v": []}, "without a row; write it again"),
    ],
)
def test_a_parquet_table_of_something_else_is_named(columns, message, labels, tmp_path):
    pytest.importorskip("pyarrow", exc_type=ImportError)
    pd.DataFrame(columns).to_parquet(tmp_path / "all.parquet")
    with pytest.raises(UserError, match=rf"^{tmp_path}/all\.parquet: {message}"):
        own_vectors(tmp_path / "all.parquet", labels, "genre", tmp_path / "cache")


@pytest.mark.slow
def test_steps_that_run_together_give_what_they_give_one_by_one(folder, labels, tmp_path, monkeypatch):
    def trained(name):
        options = {"labels": labels, "epochs": 3, "batch_size": 2, "baseline": False}
        return km.train("vectors", folder, out=tmp_path / name, **options)

    together = trained("together")
    monkeypatch.setattr(training, "_MOST_AT_ONCE", 1)
    alone = trained("alone")
    assert together.keras.steps_per_execution > alone.keras.steps_per_execution == 1
    pd.testing.assert_frame_equal(together.history, alone.history)
    for one, other in zip(together.keras.get_weights(), alone.keras.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_head_on_them_is_trained_and_its_export_takes_vectors_alone(folder, labels, tmp_path):
    model = km.train("vectors", folder, labels=labels, out=tmp_path / "run", epochs=30, batch_size=8)
    assert model.report.accuracy.value > 0.8
    version = model.export(tmp_path / "models")
    with ServedModel(version) as served:
        assert sorted(served.signatures)[-2:] == ["embedding", "serving_default"]
        assert "audio" not in served.signatures
        answer = served.predict({"features": np.full((1, 2, 6), 4.0), "lengths": [2]})
    assert answer["genre"].tolist() == ["Metal"]
    with pytest.raises(UserError, match="the model takes vectors, and no sound"):
        model.predict(np.zeros(22050, np.float32) + 0.1, 22050)
