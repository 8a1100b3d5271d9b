"""What the stages write: plain h5py reads it, it has the contract's names and shapes, and it is true."""

import json
import re

import h5py
import numpy as np
import pytest
from stage_runs import MODES, ROOT, make, run

EPS = np.finfo(float).eps
COMMON = {
    "eigenvalues", "operator", "is_psd", "iterations", "converged", "n_params", "seed", "reorth_mode",
    "regularization_applied", "warnings", "ritz_residuals", "operator_calls", "k_requested", "k_computed",
    "batch_size_used", "max_eigenvalue", "min_eigenvalue", "spectral_gap", "spectral_range",
}  # fmt: skip
SEMIDEFINITE = {"ritz_condition_number", "ritz_effective_rank"}
INDEFINITE = {
    "has_negative_eigenvalues", "n_negative", "range_ratio", "sharpness_score", "negative_fraction",
    "negative_mass", "most_negative_eigenvalue",
}  # fmt: skip
SETTINGS = (
    "k",
    "max_iters",
    "tol",
    "which",
    "seed",
    "reorth_mode",
    "reorth_window",
    "reorth_period",
    "krylov_dim",
)


def shapes(file):
    found = {}
    file.visititems(lambda name, thing: found.update({name: getattr(thing, "shape", None)}))
    return found


@pytest.mark.parametrize("name", ["model", "operator", "lanczos", "ritz"])
def test_every_artifact_opens_in_plain_h5py_and_names_its_format_and_content(name, good):
    with h5py.File(getattr(good, name)) as f:
        assert f.attrs["format"] == f"ritzflow-{name}"
        assert f.attrs["format_version"] == "1.0"
        assert re.fullmatch("[0-9a-f]{64}", f.attrs["content_sha256"])
        provenance = dict(f["provenance"].attrs)
        assert len(f["provenance"]) == 0
    facts = {
        "command",
        "program_version",
        "commit",
        "host",
        "threads",
        "started",
        "finished",
        "peak_memory_bytes",
    }
    assert facts <= provenance.keys()
    assert provenance["peak_memory_bytes"] > 2**20


def test_model_has_the_parameters_in_pytorchs_names_and_shapes(good):
    with h5py.File(good.model) as f:
        assert json.loads(f.attrs["spec"]) == json.loads(good.spec.read_text())
        order = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
        assert list(f.attrs["parameter_order"]) == order and f.attrs["seed"] == 0
        assert [f[f"steps/00000060/{p}"].shape for p in order] == [(8, 64), (8,), (10, 8), (10,)]
        assert {f[f"steps/00000060/{p}"].dtype for p in order} == {np.dtype("f4")}
        training = f["training"]
        assert training["step"][-1] == 60 and training["loss"][-1] < training["loss"][0]


def test_operator_has_its_facts_and_probes(good):
    with h5py.File(good.operator) as f:
        assert f.attrs["operator"] == "hessian" and f.attrs["n_params"] == 610 and not f.attrs["is_psd"]
        assert f["probes/norm"][()] > 0
        assert all(
            0 <= f[f"probes/{probe}"][()] < 1e-3 for probe in ("repeatability", "additivity", "symmetry")
        )
    with h5py.File(good.ggn) as f:
        assert f.attrs["is_psd"]


def test_lanczos_and_ritz_have_the_contracts_names_and_shapes(good):
    with h5py.File(good.lanczos) as f:
        m, n = int(f.attrs["iterations"]), 610
        expected = {"alpha": (m,), "beta": (m,), "H": (m, m), "start_vector": (n,), "basis": (m, n)}
        assert expected.items() <= shapes(f).items() and f["residual_vector"].shape == (n,)
        names = {*SETTINGS, "reorth_mode_requested", "reorth_reason", "operator_calls", "certificate_calls"}
        assert names <= f.attrs.keys()
        assert {f[name].dtype for name in expected} == {np.dtype("f8")}
        assert f.attrs["operator_calls"] == m + f.attrs["certificate_calls"]
    with h5py.File(good.ritz) as f:
        r = len(f["eigenvalues"])
        columns = ("residuals", "residual_estimates", "basis_norms", "verdicts", "gammas")
        expected = {"vectors": (r, n), "intervals": (r, 2), **dict.fromkeys(columns, (r,))}
        assert expected.items() <= shapes(f).items() and r >= 4
        assert {"lambda_min", "lambda_max", "certified_largest", "operator_calls"} <= f.attrs.keys()
        assert set(f["verdicts"].asstr()[:]) <= {"converged", "unconverged", "ghost", "spurious"}
        assert (np.diff(f["eigenvalues"]) <= 0).all()


@pytest.fixture(scope="module", params=MODES)
def cell(request, dense, tmp_path_factory):
    """lanczos.h5 with its basis and ritz.h5 of the dense matrix, past the convergence of the top."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = ("--k", 6, "--max-iters", 70, "--tol", 1e-13, "--reorth-mode", request.param, "--keep-basis")
    lanczos = make(folder / "lanczos.h5", "lanczos", "--operator", dense.operator, *settings)
    ritz = make(folder / "ritz.h5", "ritz-residuals", "--operator", dense.operator, "--lanczos", lanczos)
    return lanczos, ritz


def test_factorization_identity_holds_to_rounding_in_every_mode(cell, dense):
    with h5py.File(cell[0]) as f:
        q, h, beta, residual = f["basis"][:], f["H"][:], f["beta"][:], f["residual_vector"][:]
        assert np.array_equal(np.diag(h), f["alpha"]) and np.array_equal(np.diag(h, -1), beta[:-1])
        assert np.array_equal(q[0], f["start_vector"])
    defect = dense.a @ q.T - q.T @ h
    defect[:, -1] -= beta[-1] * residual
    norm = np.abs(np.linalg.eigvalsh(dense.a)).max()
    assert np.linalg.norm(defect, axis=0).max() <= 4e-15 * norm


def test_eigenvalues_and_residuals_are_those_of_the_dense_matrix(cell, dense):
    exact = np.linalg.eigvalsh(dense.a)
    with h5py.File(cell[1]) as f:
        verdicts, values = f["verdicts"].asstr()[:], f["eigenvalues"][:]
        x, residuals, intervals = f["vectors"][:], f["residuals"][:], f["intervals"][:]
    wanted = np.isin(verdicts, ["converged", "unconverged"])
    assert wanted.sum() == 6
    np.testing.assert_allclose(values[wanted], exact[::-1][:6], rtol=1e-10)
    assert np.abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-14
    true = np.linalg.norm(x @ dense.a - values[:, None] * x, axis=1)
    np.testing.assert_allclose(residuals, true, rtol=1e-2, atol=20 * EPS * exact[-1])
    assert all(((low <= exact) & (exact <= high)).any() for low, high in intervals)


@pytest.fixture(scope="module")
def records(good, cell, tmp_path_factory):
    """metrics.json by operator: hessian, ggn, matrix."""
    folder = tmp_path_factory.mktemp("metrics")
    arguments = ("--operator", good.ggn, "--k", 3, "--max-iters", 20, "--tol", 1e-4)
    lanczos = make(folder / "lanczos.h5", "lanczos", *arguments)
    ggn = make(folder / "ritz.h5", "ritz-residuals", "--operator", good.ggn, "--lanczos", lanczos)
    files = {"hessian": good.ritz, "ggn": ggn, "matrix": cell[1]}
    return {
        name: json.loads(make(folder / f"{name}.json", "metrics", "--ritz", path).read_text())
        for name, path in files.items()
    }


def test_metrics_have_every_field_of_the_contract(records):
    for name, record in records.items():
        fields = COMMON | (SEMIDEFINITE if name == "ggn" else INDEFINITE)
        assert fields <= record.keys(), name
        assert record["operator"] == name and record["is_psd"] == (name == "ggn")
        assert all(not isinstance(value, dict) for value in record.values())


def test_metrics_without_density_say_null_of_the_whole_spectrum(records):
    for name in ("hessian", "matrix"):
        assert records[name]["negative_fraction"] is None and records[name]["negative_mass"] is None
    assert records["hessian"]["has_negative_eigenvalues"] is not False
    assert records["matrix"]["batch_size_used"] is None and records["hessian"]["batch_size_used"] == 160


def test_metrics_are_those_of_the_returned_values(records, dense):
    record, top = records["matrix"], np.linalg.eigvalsh(dense.a)[::-1][:6]
    np.testing.assert_allclose(record["eigenvalues"], top, rtol=1e-10)
    np.testing.assert_allclose(record["max_eigenvalue"], top[0], rtol=1e-12)
    np.testing.assert_allclose(record["min_eigenvalue"], top[-1], rtol=1e-10)
    np.testing.assert_allclose(record["spectral_gap"], top[0] - top[1], rtol=1e-10)
    np.testing.assert_allclose(record["range_ratio"], top[0] / top[-1], rtol=1e-10)
    assert record["n_params"] == 120 and record["k_requested"] == 6 and record["k_computed"] == 6


def test_every_metric_is_explained_in_the_documentation(records):
    text = (ROOT / "docs" / "metrics.md").read_text().partition("## metrics.json")[2]
    explained = set(re.findall(r"^\| `([^`]+)` \|", text, re.M))
    written = set().union(*(record.keys() for record in records.values()))
    assert written <= explained, written - explained
    assert explained <= written, explained - written


def test_spectrum_prints_the_eigenvalues_of_the_staged_path(good):
    flags = ("--k", 4, "--max-iters", 24, "--tol", 1e-5, "--reorth-mode", "full")
    done = run("spectrum", "--data", good.data, "--model", good.model, "--operator", "hessian", *flags)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[0].isdigit()]
    with h5py.File(good.ritz) as f:
        assert [float(row[1]) for row in rows] == [float(f"{value:.9g}") for value in f["eigenvalues"]]
        assert [row[-1] for row in rows] == list(f["verdicts"].asstr())
        assert [float(row[2]) for row in rows] == [float(f"{value:.2e}") for value in f["residuals"]]


def test_validate_accepts_every_artifact(good):
    files = (good.data, good.model, good.operator, good.lanczos, good.ritz)
    done = run("validate", *files)
    assert done.returncode == 0, done.stdout
    assert [line.split(": ok")[0] for line in done.stdout.splitlines()] == [str(path) for path in files]
