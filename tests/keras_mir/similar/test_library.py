"""The nearest of many: by a product, and by an index of very many."""

import numpy as np
import pytest

from keras_mir.embed.table import read_table
from keras_mir.similar import library
from keras_mir.similar.library import Library
from pipelines.checksums import sha256
from pipelines.errors import UserError


@pytest.fixture
def table(write_vectors):
    return read_table(write_vectors(np.random.default_rng(0).normal(size=(3000, 16))))


def test_the_nearest_are_those_of_all(table):
    songs = Library(table)
    vector = np.random.default_rng(1).normal(size=16)
    centred, query = table.vectors - table.vectors.mean(axis=0), vector - table.vectors.mean(axis=0)
    expected = centred @ query / np.linalg.norm(centred, axis=1) / np.linalg.norm(query)
    near = songs.nearest(vector, 20)
    assert [one.row for one in near] == np.argsort(-expected)[:20].tolist()
    np.testing.assert_allclose([one.similarity for one in near], np.sort(expected)[::-1][:20], atol=1e-5)
    assert [one.row for one in songs.nearest(vector, 5, [7, 3])] == sorted(
        (7, 3), key=lambda row: -expected[row]
    )
    assert [one.row for one in songs.nearest(vector, 9999)] == np.argsort(-expected, kind="stable").tolist()


def test_an_index_finds_nearly_all_of_them_and_is_kept(table, monkeypatch):
    pytest.importorskip("usearch")
    exact = Library(table, exact=True)
    monkeypatch.setattr(library, "MANY", 100)

    def recall(songs):
        found = [
            len(
                {one.row for one in exact.nearest(vector, 10)}
                & {one.row for one in songs.nearest(vector, 10)}
            )
            for vector in table.vectors[:100]
        ]
        return np.mean(found) / 10

    assert recall(Library(table)) > 0.95
    (file,) = table.path.parent.glob(".vectors.parquet-*.usearch")
    written = file.stat().st_mtime_ns
    assert recall(Library(table)) > 0.95
    assert file.stat().st_mtime_ns == written
    left = file.with_name(f"{file.name}.of-the-killed.tmp")
    left.touch()
    for cut in (7, -1, -9):
        whole = file.read_bytes()
        file.write_bytes(whole[:cut] + bytes([whole[cut] ^ 1]) + (whole[cut + 1 :] if cut == -9 else b""))
        assert recall(Library(table)) > 0.95
        (file,) = (path for path in table.path.parent.glob(".*") if path != left)
        assert file.name.endswith(f"-{sha256(file)}.usearch")
    assert not left.exists()
    # Fewer that count are compared one by one.
    assert Library(table).nearest(table.vectors[0], 5, [1, 2]) == exact.nearest(table.vectors[0], 5, [1, 2])


def test_an_index_wants_its_library(table, monkeypatch):
    monkeypatch.setattr(library, "MANY", 100)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError) as refusal:
        Library(table).nearest(table.vectors[0], 10)
    assert str(refusal.value) == (
        f"{table.path}: more than a million songs want an index; "
        "pip install 'keras-mir[index]', or choose some with where"
    )
