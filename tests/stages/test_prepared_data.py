"""What prepare_data.py writes is what the stages read: every kind of data set is valid."""

import h5py
import numpy as np
import pytest
from stage_runs import prepare_data, run

N = 24
RANDOM = np.random.default_rng(0)
X, LABELS = RANDOM.normal(size=(N, 3)), np.arange(N) % 3
TOKENS = np.arange(N * 5).reshape(N, 5) % 7
KINDS = {
    "weights and mask": ({"inputs": X, "targets": LABELS, "weights": np.ones(N), "mask": LABELS > 0}, []),
    "a test part": ({"inputs": X, "targets": LABELS, "inputs_test": X, "targets_test": LABELS}, []),
    "names of classes": ({"inputs": X, "targets": np.array(["a", "b", "c"])[LABELS]}, []),
    "several inputs": ({"inputs.ids": TOKENS, "inputs.x": X, "targets": LABELS}, []),
    "shared inputs": ({"inputs": X, "targets": LABELS, "shared.edges": TOKENS}, []),
    "tokens, one label": ({"inputs": TOKENS, "targets": LABELS}, ["--integer-inputs", "tokens"]),
    "tokens, taken out": (
        {"inputs": TOKENS[:, :-1], "targets": np.where(TOKENS > 5, -100, TOKENS)[:, 1:]},
        [],
    ),
    "several labels": ({"inputs": X, "targets": TOKENS % 2}, ["--task", "multilabel"]),
    "shares": ({"inputs": X, "targets": RANDOM.dirichlet(np.ones(3), N)}, ["--task", "classification"]),
    "several values": ({"inputs": X, "targets": X}, []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_prepared_data_are_valid(tmp_path, kind):
    arrays, flags = KINDS[kind]
    np.savez(tmp_path / "mine.npz", **arrays)
    prepared = prepare_data(tmp_path / "data.h5", f"npz:{tmp_path / 'mine.npz'}", *flags)
    assert prepared.returncode == 0, prepared.stderr
    assert prepared.stderr.startswith("prepare_data: ") and prepared.stderr.count("\n") == 1
    done = run("validate", tmp_path / "data.h5")
    assert done.returncode == 0, done.stdout
    with h5py.File(tmp_path / "data.h5") as file:
        assert file.attrs["content_sha256"] in done.stdout
