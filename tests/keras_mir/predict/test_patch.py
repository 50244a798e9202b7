"""From one file's bytes to another's: whatever the two are, and small where they are alike."""

import json

import numpy as np
import pytest

from keras_mir.predict.patch import apply_patch, patch


def random_bytes(seed: int, size: int, letters: int = 256) -> bytes:
    return np.random.default_rng(seed).integers(0, letters, size, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("letters", [2, 256])
def test_any_bytes_come_back_after_any_change(letters):
    random = np.random.default_rng(letters)
    for seed in range(300):
        wanted = random_bytes(seed, int(random.integers(0, 20_000)), letters)
        present = bytearray(wanted)
        for _ in range(random.integers(0, 4)):
            at, gone, new = random.integers(0, len(present) + 1), *random.integers(0, 300, 2)
            present[at : at + gone] = random_bytes(int(at), int(new), letters)
        parts = patch(bytes(present), wanted)
        assert apply_patch(bytes(present), json.loads(json.dumps(parts))) == wanted


SOUND = random_bytes(0, 1_000_000)
PAGED = b"".join(b"page" + bytes([n % 256]) + SOUND[n * 5000 : n * 5000 + 5000] for n in range(200))
RENUMBERED = b"".join(b"page" + bytes([7 - n % 7]) + SOUND[n * 5000 : n * 5000 + 5000] for n in range(200))


@pytest.mark.parametrize(
    ("present", "wanted", "most"),
    [
        (b"header" * 900 + SOUND, SOUND, 50),
        (SOUND, b"header" * 900 + SOUND, 150),
        (b"ID3" + SOUND + b"TAG", b"IDD" + SOUND + b"TAB", 150),
        (b"longer " * 9 + RENUMBERED, PAGED, 12_000),
    ],
    ids=["a header less", "a header more", "at both ends", "in every page"],
)
def test_what_is_there_already_is_not_kept_again(present, wanted, most):
    parts = patch(present, wanted)
    assert apply_patch(present, parts) == wanted
    assert len(json.dumps(parts)) < most
