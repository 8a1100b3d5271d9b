"""What the reorthogonalisation modes leave in their files."""

import re

import h5py
import numpy as np
import pytest
from stage_runs import make, run, symmetric, write_matrix

N = 200
SMALL = {"--k": 4, "--max-iters": 300, "--tol": 1e-10, "--krylov-dim": 12}


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """A matrix and its operator.h5."""
    folder = tmp_path_factory.mktemp("modes")
    a = symmetric(N)
    place = write_matrix(folder / "a.h5", a)
    return a, make(folder / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)


def runs(problem, folder, mode, settings=None, *more):
    """lanczos.h5 and ritz.h5, both valid."""
    flags = [word for pair in {**SMALL, **(settings or {})}.items() for word in pair]
    call = ("--operator", problem[1], "--reorth-mode", mode, *flags, *more)
    lanczos = make(folder / "lanczos.h5", "lanczos", *call)
    ritz = make(folder / "ritz.h5", "ritz-residuals", "--operator", problem[1], "--lanczos", lanczos)
    done = run("validate", lanczos, ritz)
    assert done.returncode == 0, done.stdout
    return lanczos, ritz


@pytest.mark.parametrize("mode", ("full", "partial", "parlett_scott", "thick_restart"))
def test_relation_holds_in_the_stored_file(mode, problem, tmp_path):
    lanczos, _ = runs(problem, tmp_path, mode, None, "--keep-basis")
    with h5py.File(lanczos) as f:
        q, h, last = f["basis"][:], f["H"][:], f["residual_vector"][:]
        defect = problem[0] @ q.T - q.T @ h
        defect[:, -1] -= f["beta"][-1] * last
        assert np.linalg.norm(defect, axis=0).max() <= 1e-14 * np.linalg.norm(problem[0], 2)
        assert f.attrs["operator_calls"] == f.attrs["iterations"] + f.attrs["certificate_calls"]
        if mode == "thick_restart":
            assert len(q) <= f.attrs["krylov_dim"] == 12 < f.attrs["iterations"]
            s = len(f["spike"])
            assert np.array_equal(h[s, :s], f["spike"][:]) and (f["spike"][:] >= 0).all()
        else:
            assert len(q) == f.attrs["iterations"]


@pytest.mark.parametrize("mode", ("full", "partial", "parlett_scott", "thick_restart"))
def test_values_are_certified_and_intervals_hold_them(mode, problem, tmp_path):
    _, ritz = runs(problem, tmp_path, mode)
    truth = np.linalg.eigvalsh(problem[0])[::-1]
    with h5py.File(ritz) as f:
        assert list(f["verdicts"].asstr()) == ["converged"] * 4
        assert f.attrs["certified_largest"] and truth[4] <= f.attrs["upper_bound"] < truth[3]
        lower, upper = f["intervals"][:].T
        assert (lower <= truth[:4]).all() and (truth[:4] <= upper).all()
        assert (f["relative_residuals"][:] <= f.attrs["tol"]).all()
        assert (f["gaps"][:] > 0).all() and list(f["clusters"]) == [0, 1, 2, 3]
        assert len(f.attrs["warnings"]) == 0
        assert (f["gammas"][:] > 0).all()


def test_both_ends_are_certified(problem, tmp_path):
    settings = {"--which": "both", "--tol": 1e-6, "--max-iters": 2000, "--krylov-dim": 40}
    _, ritz = runs(problem, tmp_path, "thick_restart", settings)
    truth = np.linalg.eigvalsh(problem[0])[::-1]
    with h5py.File(ritz) as f:
        assert f.attrs["certified_largest"]
        assert f.attrs["lower_bound"] <= truth[-3]


def test_a_stated_budget_ends_the_certificate(problem, tmp_path):
    lanczos, _ = runs(problem, tmp_path, "full", {"--certificate-budget": 2})
    with h5py.File(lanczos) as f:
        assert f.attrs["certificate_budget"] == 2 >= f.attrs["certificate_calls"]
        assert not f.attrs["certified_largest"]


def test_too_few_products_are_warned_of_with_their_number(problem, tmp_path):
    _, ritz = runs(problem, tmp_path, "full", {"--max-iters": 6})
    with h5py.File(ritz) as f:
        warnings = list(f.attrs["warnings"])
    assert any(re.match(r"only \d of 4 wanted pairs converged", text) for text in warnings)
    assert "too few iterations: 6 for k = 4, fewer than 2 k" in warnings


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--reorth-mode", "off", "--max-iters", 60), "mode off does not keep its vectors orthogonal"),
        (("--reorth-mode", "full", "--max-iters", 60, "--no-certificate"), "--no-certificate"),
        (("--reorth-mode", "full", "--max-iters", 5), "0 of 4 wanted pairs meet the tolerance, all must"),
    ],
    ids=str,
)
def test_the_log_says_why_there_is_no_certificate(flags, reason, dense, tmp_path):
    done = run("lanczos", "--operator", dense.operator, "--k", 4, *flags, "--out", tmp_path / "l.h5")
    assert done.returncode == 0 and f"no certificate: {reason}" in done.stderr


def test_the_log_says_why_a_certificate_ended_without_a_bound(dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, "--k", 12, "--max-iters", 100, "--reorth-mode", "full")
    done = run(*call, "--certificate-budget", 3, "--out", tmp_path / "l.h5")
    assert "; not certified, because its budget is spent (more: --certificate-budget)" in done.stderr


@pytest.mark.parametrize(("dtype", "factor"), [("float64", 0), ("float32", 10)])
def test_tol_defaults_to_what_products_can_reach(dtype, factor, good, tmp_path):
    build = ("build-operator", "--data", good.data, "--model", good.model, "--operator", "ggn")
    operator = make(tmp_path / "operator.h5", *build, "--dtype-compute", dtype)
    done = run("lanczos", "--operator", operator, "--k", 3, "--out", tmp_path / "lanczos.h5")
    assert done.returncode == 0 and ("ten times the noise of a product" in done.stderr) == (factor > 0)
    with h5py.File(operator) as f, h5py.File(tmp_path / "lanczos.h5") as lanczos:
        noise = f["probes/additivity"][()] + f["probes/repeatability"][()]
        assert lanczos.attrs["tol"] == pytest.approx(max(1e-8, factor * noise))
    pair = ("--operator", operator, "--lanczos", tmp_path / "lanczos.h5")
    ritz = make(tmp_path / "ritz.h5", "ritz-residuals", *pair)
    with h5py.File(ritz) as f:
        assert list(f["verdicts"].asstr()) == ["converged"] * 3


def test_the_log_counts_the_products_of_the_certificate_apart(dense, tmp_path):
    done = run("lanczos", "--operator", dense.operator, "--k", 2, "--out", tmp_path / "lanczos.h5")
    with h5py.File(tmp_path / "lanczos.h5") as f:
        products, certificate = f.attrs["iterations"], f.attrs["certificate_calls"]
    assert (
        certificate > 0
        and f"{products} products and {certificate} for the certificate, 2 of 2" in done.stderr
    )


def test_an_output_that_exists_is_named_before_it_is_replaced(dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, "--k", 2, "--out", tmp_path / "lanczos.h5")
    assert "will be replaced" not in run(*call).stderr
    assert f"{tmp_path / 'lanczos.h5'} exists and will be replaced" in run(*call).stderr
