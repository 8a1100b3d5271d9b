"""What prepare_data.py writes is what the stages read: data sets of each kind are valid."""

import h5py
import numpy as np
import pytest
from stage_runs import prepare_data, run

N = 24
RANDOM = np.random.default_rng(0)
X, LABELS = RANDOM.normal(size=(N, 3)), np.arange(N) % 3
TOKENS = np.arange(N * 5).reshape(N, 5) % 7
KINDS = {
    "weights": ({"inputs": X, "targets": LABELS, "weights": np.ones(N)}, []),
    "a mask": ({"inputs": TOKENS[:, :-1], "targets": TOKENS[:, 1:], "mask": TOKENS[:, 1:] > 2}, []),
    "a test part": ({"inputs": X, "targets": LABELS, "inputs_test": X, "targets_test": LABELS}, []),
    "names of classes": ({"inputs": X, "targets": np.array(["a", "b", "c"])[LABELS]}, []),
    "shared inputs": ({"inputs": X, "targets": LABELS, "shared.edges": TOKENS}, []),
    "tokens, one label": ({"inputs": TOKENS, "targets": LABELS}, ["--integer-inputs", "tokens"]),
    "several labels": ({"inputs": X, "targets": TOKENS % 2}, ["--task", "multilabel"]),
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
