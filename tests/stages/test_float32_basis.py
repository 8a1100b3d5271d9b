"""A basis in float32: stored pairs are the measured ones."""

import numpy as np
import pytest
from stage_runs import MODES, contents, make, sha256, write_matrix

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
