"""Encoders with named inputs all the way through the stages: matrices and spectra equal the dense ones.

Run by `make test-models` with the packages of `make models-env`.
"""

import sys

import h5py
import numpy as np
import pytest

from small_models import SAMPLES, bert, saved, transformers  # isort: skip
import export_products
from problems import dense, relative_error, run
from test_products import reference

MODELS = {
    "pairs": bert,
    "spans": lambda: bert(transformers.BertForQuestionAnswering, labels=2),
}
EXACT = ("--dtype-compute", "float64")


def write_data(samples, path):
    with h5py.File(path, "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": samples.task})
        f.attrs["num_classes"] = samples.outputs
        f["targets"] = samples.targets
        for name, values in samples.inputs.items():
            f[f"inputs/{name}"] = values


def export(folder, monkeypatch):
    flags = ["--hf", folder / "model", "--data", folder / "data.h5", "--packages", folder / "packages"]
    flags += ["--compile", "none", "--micro-batch", 3, *EXACT, "--out", folder / "model.h5"]
    monkeypatch.setattr(sys, "argv", ["export_products.py", *map(str, flags)])
    export_products.main()


@pytest.mark.parametrize("kind", MODELS)
def test_matrices_and_spectra_of_an_encoder_equal_the_dense_ones(kind, tmp_path, monkeypatch):
    samples = SAMPLES[kind]
    module = saved(MODELS[kind](), tmp_path / "model")
    write_data(samples, tmp_path / "data.h5")
    export(tmp_path, monkeypatch)
    right = reference(module, samples)
    for operator in ("ggn", "empirical_fisher", "hessian"):
        assert relative_error(dense(tmp_path, operator, *EXACT), getattr(right, operator)()) < 1e-9
    values = spectrum(tmp_path)
    expected = np.linalg.eigvalsh(right.hessian())[::-1]
    assert abs(values[:3] - expected[:3]).max() < 1e-9 * abs(expected[0])


def spectrum(folder):
    """The eigenvalues of the operator that was built last."""
    operator = ("--operator", folder / "operator.h5")
    done = run("lanczos", *operator, "--k", 3, "--tol", 1e-9, "--out", folder / "lanczos.h5")
    assert done.returncode == 0, done.stderr
    done = run("ritz-residuals", *operator, "--lanczos", folder / "lanczos.h5", "--out", folder / "ritz.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "ritz.h5") as f:
        return f["eigenvalues"][...]
