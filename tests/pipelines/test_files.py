from __future__ import annotations

import gzip
import io

import numpy as np

from pipelines.files import gzip_npy_bytes


def test_a_compressed_array_is_what_gzip_and_numpy_read() -> None:
    array = np.random.default_rng(0).normal(size=(140, 300)).astype(np.float32)
    array[:, 200:] = -80.0

    read = np.load(io.BytesIO(gzip.decompress(gzip_npy_bytes(array))))

    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array)


def test_a_compressed_array_has_no_name_and_no_time() -> None:
    content = gzip_npy_bytes(np.zeros(3, np.float32))

    flags, time = content[3], content[4:8]
    assert flags == 0
    assert time == bytes(4)
