"""Files with flipped, missing and cut bytes: read, or refused in one line."""

import json
import random
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from ritzflow.common.script_cli import InputError

X, LABELS = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
RUNS = 12


def save(kind: str) -> Path:
    """A file of the kind; the one that is damaged."""
    if kind == "npz":
        np.savez_compressed("mine.npz", inputs=X, targets=LABELS)
    elif kind == "hdf5":
        with h5py.File("mine.hdf5", "w") as file:
            file.update({"inputs": X, "targets": LABELS})
    elif kind == "npy":
        Path("mine.npy").mkdir()
        np.save("mine.npy/inputs.npy", X)
        np.save("mine.npy/targets.npy", LABELS)
        return Path("mine.npy/inputs.npy")
    elif kind == "images":
        for name in "ab":
            Path(f"mine.images/{name}").mkdir(parents=True)
            pixels = np.random.default_rng(0).integers(0, 256, (2, 9, 9), dtype=np.uint8)
            for i, image in enumerate(pixels):
                Image.fromarray(image).save(f"mine.images/{name}/{i}.png")
        return Path("mine.images/a/0.png")
    elif kind == "csv":
        rows = "".join(f"{x[0]},{x[1]},{label}\n" for x, label in zip(X, LABELS))
        Path("mine.csv").write_text("a,b,targets\n" + rows)
    else:
        rows = [{"a": x[0], "b": [1, 2], "targets": int(label)} for x, label in zip(X, LABELS)]
        Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Path(f"mine.{kind}")


def damaged(content: bytes, chance: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(chance.choice([1, 2, 5, 30])):
        place, what = chance.randrange(len(found)), chance.random()
        if what < 0.6:
            found[place] = chance.randrange(256)
        elif what < 0.8:
            del found[place : place + chance.randrange(1, 20)]
        else:
            del found[place + 1 :]
        found = found or bytearray(b"x")
    return bytes(found)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["npz", "hdf5", "npy", "images", "csv", "jsonl"])
def test_damaged_files_are_read_or_refused_in_one_line(prepare, kind):
    path, refused = save(kind), 0
    content, chance = path.read_bytes(), random.Random(kind)
    for _ in range(RUNS):
        path.write_bytes(damaged(content, chance))
        try:
            prepare(f"{kind}:mine.{kind}")
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > RUNS // 2
