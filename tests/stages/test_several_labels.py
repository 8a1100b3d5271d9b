"""Several labels a sample, from a user's arrays to the spectrum of a network trained on them."""

import json

import h5py
import numpy as np
from stage_runs import make, prepare_data

SPEC = {
    "architecture": {"kind": "mlp", "hidden": [6]},
    "training": {"steps": 50, "learning_rate": 0.1, "batch_size": 16},
}


def prepare(folder, *flags):
    random = np.random.default_rng(0)
    inputs = random.standard_normal((60, 5)).astype(np.float32)
    np.savez(folder / "own.npz", inputs=inputs, targets=(inputs[:, :3] > 0).astype(np.int64))
    return prepare_data(folder / "data.h5", f"npz:{folder / 'own.npz'}", *flags)


def test_several_labels_a_sample_go_from_arrays_to_a_spectrum(tmp_path):
    assert prepare(tmp_path, "--task", "classification").returncode == 0
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    data = ("--data", tmp_path / "data.h5")
    model = make(tmp_path / "model.h5", "train-model", *data, "--spec", tmp_path / "spec.json")
    with h5py.File(model) as file:
        loss = file["training/loss"][:]
    assert loss[-1] < 0.5 * loss[0]  # binary cross-entropy, for that is what such labels mean
    flags = ("--operator", "ggn", "--dtype-compute", "float64")
    operator = make(tmp_path / "operator.h5", "build-operator", *data, "--model", model, *flags)
    with h5py.File(operator) as file:
        assert file.attrs["loss"] == "bce" and file.attrs["is_psd"]
    lanczos = make(tmp_path / "lanczos.h5", "lanczos", "--operator", operator, "--k", 3, "--max-iters", 57)
    ritz = make(tmp_path / "ritz.h5", "ritz-residuals", "--operator", operator, "--lanczos", lanczos)
    with h5py.File(ritz) as file:
        assert set(file["verdicts"].asstr()[:]) == {"converged"}


def test_without_the_task_the_error_says_how_such_labels_are_given(tmp_path):
    refused = prepare(tmp_path)
    assert refused.returncode == 2
    assert "several labels a sample with --task multilabel" in refused.stderr
