"""Weights of a user's samples reach the curvature: that of a linear regression is sum w x x' / sum w."""

import json

import h5py
import numpy as np
from stage_runs import make, prepare_data

SPEC = {
    "architecture": {"kind": "mlp", "hidden": [], "bias": False},
    "training": {"steps": 0, "learning_rate": 0.1},
}


def test_weights_of_a_table_are_those_of_the_operator(tmp_path):
    random = np.random.default_rng(0)
    table = np.column_stack([random.standard_normal((40, 3)), random.standard_normal(40), random.random(40)])
    table = table.astype(np.float32).astype(np.float64)
    np.savetxt(tmp_path / "mine.csv", table, delimiter=",", header="a,b,c,y,w", comments="", fmt="%.17g")
    flags = ("--targets", "y", "--weights", "w", "--split", "none", "--no-standardize")
    prepared = prepare_data(tmp_path / "data.h5", f"csv:{tmp_path / 'mine.csv'}", *flags)
    assert prepared.returncode == 0, prepared.stderr
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    data = ("--data", tmp_path / "data.h5")
    model = make(tmp_path / "model.h5", "train-model", *data, "--spec", tmp_path / "spec.json")
    ggn = ("--operator", "ggn", "--dtype-compute", "float64")
    operator = make(tmp_path / "operator.h5", "build-operator", *data, "--model", model, *ggn)
    lanczos = make(tmp_path / "lanczos.h5", "lanczos", "--operator", operator, "--k", 3, "--max-iters", 3)
    ritz = make(tmp_path / "ritz.h5", "ritz-residuals", "--operator", operator, "--lanczos", lanczos)
    x, w = table[:, :3], table[:, 4]
    right = np.linalg.eigvalsh((w[:, None] * x).T @ x / w.sum())[::-1]
    with h5py.File(ritz) as file:
        np.testing.assert_allclose(file["eigenvalues"][:], right, rtol=1e-12)
