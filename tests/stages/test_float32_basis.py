"""A basis in float32: stored pairs are the measured ones, and its rounding is named where it limits them."""

import h5py
import numpy as np
import pytest
from stage_runs import MODES, contents, make, run, sha256, write_matrix

SINGLE = ("--dtype-basis", "float32")


def pairs(operator, folder, *flags, place="auto", keep=()):
    """lanczos.h5 and ritz.h5 of a run with a float32 basis."""
    call = ("--operator", operator, *SINGLE, *flags, *keep)
    lanczos = make(folder / "lanczos.h5", "lanczos", *call)
    call = ("--operator", operator, "--lanczos", lanczos, "--basis", place)
    return lanczos, make(folder / "ritz.h5", "ritz-residuals", *call)


def assert_stored_vectors_have_the_residuals_beside_them(a, ritz):
    x, theta = ritz["vectors"].astype(float), ritz["eigenvalues"]
    assert np.allclose(np.linalg.norm(x, axis=1), 1, rtol=0, atol=1e-14)
    residuals = np.linalg.norm(x @ a - theta[:, None] * x, axis=1)
    assert np.allclose(residuals, ritz["residuals"], rtol=1e-5, atol=1e-13)


@pytest.mark.parametrize("mode", MODES)
def test_residuals_are_those_of_the_stored_vectors_wherever_vectors_lay(mode, dense, tmp_path):
    flags = ("--k", 6, "--tol", 2e-8, "--max-iters", 60, "--krylov-dim", 20, "--reorth-mode", mode)
    places = ("ram", "disk", "none") if mode in ("off", "selective") else ("ram", "disk")
    vectors = set()
    for keep in ((), ("--keep-basis",)):
        for place in places[: 2 if keep else None]:
            _, file = pairs(dense.operator, tmp_path, *flags, place=place, keep=keep)
            ritz = contents(file)
            assert_stored_vectors_have_the_residuals_beside_them(dense.a, ritz)
            assert ritz["residuals"].max() > 1e-9  # rounding is what they show
            vectors.add(ritz["vectors"].tobytes())
    assert len(vectors) == 1
    ram, disk = (sha256(pairs(dense.operator, tmp_path, *flags, place=p)[1]) for p in ("ram", "disk"))
    assert ram == disk


def test_residuals_of_pairs_that_the_certificate_found_are_those_of_the_stored_vectors(tmp_path):
    spectrum = np.concatenate([[9, 9, 9, 6, 4], np.random.default_rng(2).uniform(-1, 1, 145)])
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((150, 150)))
    a = (q * spectrum) @ q.T
    a = (a + a.T) / 2
    place = write_matrix(tmp_path / "a.h5", a)
    operator = make(tmp_path / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    flags = ("--k", 3, "--tol", 1e-6, "--max-iters", 60, "--reorth-mode", "partial")
    lanczos, ritz = pairs(operator, tmp_path, *flags)
    assert len(contents(lanczos)["locked/eigenvalues"]) > 0
    assert_stored_vectors_have_the_residuals_beside_them(a, contents(ritz))


def test_limit_that_the_basis_sets_is_named_where_pairs_do_not_converge(dense, tmp_path):
    flags = ("--operator", dense.operator, "--k", 6, "--max-iters", 80, "--reorth-mode", "full")
    for tol, dtype, named in ((1e-9, "float32", True), (1e-9, "float64", False), (1e-6, "float32", False)):
        lanczos, ritz = tmp_path / "lanczos.h5", tmp_path / "ritz.h5"
        done = run("lanczos", *flags, "--tol", tol, "--dtype-basis", dtype, "--out", lanczos)
        below = "6 more are below what a float32 basis rounds away, 5.96e-08 ||A||"
        assert done.returncode == 0 and (below in done.stderr) == named, done.stderr
        make(ritz, "ritz-residuals", "--operator", dense.operator, "--lanczos", lanczos)
        with h5py.File(ritz) as f:
            said = [text for text in f.attrs["warnings"] if "float32 basis" in text]
            assert ("unconverged" in f["verdicts"].asstr()[:]) == named
        assert bool(said) == named
    with h5py.File(tmp_path / "ritz.h5") as f:
        assert len(f.attrs["warnings"]) == 0


def test_spectrum_names_the_limit_that_the_basis_sets(good):
    call = ("--data", good.data, "--model", good.model, "--operator", "hessian", "--dtype-compute", "float64")
    said = run("spectrum", *call, "--k", 3, "--tol", 1e-10, *SINGLE).stderr
    assert "below what a float32 basis rounds away, 5.96e-08 ||A||, for 3 of 3 unconverged pairs" in said


def test_rounding_of_the_basis_is_no_negative_eigenvalue_in_a_density(tmp_path):
    x = np.random.default_rng(5).integers(-3, 4, size=(15, 300)).astype(float)
    place = write_matrix(tmp_path / "a.h5", x.T @ x)  # exact: no eigenvalue is negative
    operator = make(tmp_path / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    call = ("--operator", operator, "--k", 20, "--max-iters", 60, "--reorth-mode", "full", *SINGLE)
    runs = [make(tmp_path / f"{seed}.h5", "lanczos", *call, "--seed", seed) for seed in range(3)]
    with h5py.File(make(tmp_path / "density.h5", "density", *runs)) as f:
        for name in ("negative_fraction", "negative_mass"):
            assert f.attrs[name] == f.attrs[f"{name}_lower"] == 0
        assert f.attrs["negative_fraction_upper"] >= 1 - 15 / 300  # they might be
        assert f.attrs["negative_mass_upper"] < 1e-3
