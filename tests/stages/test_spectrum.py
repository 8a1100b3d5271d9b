"""spectrum is build-operator, lanczos and ritz-residuals in one call."""

import json

import h5py
import numpy as np
import pytest
from stage_runs import make, run, symmetric, write_matrix


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """Adjacency matrix of a ring of 20 nodes: 2 and -2 are simple, all other eigenvalues double."""
    n = 20
    a = np.roll(np.eye(n), 1, axis=0)
    return write_matrix(tmp_path_factory.mktemp("ring") / "ring.h5", a + a.T)


def printed(*words):
    done = run("spectrum", "--operator", "matrix", "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_double_eigenvalues_are_found_and_certified(ring):
    found, _ = printed("--matrix", ring, "--k", 5)
    truth = np.sort(2 * np.cos(2 * np.pi * np.arange(20) / 20))[::-1]
    values = [v for v, verdict in zip(found["eigenvalues"], found["verdicts"]) if verdict == "converged"]
    assert np.allclose(values[:5], truth[:5], atol=1e-12)
    assert found["certified_largest"] and truth[len(values)] <= found["upper_bound"] + 1e-12
    assert all(low <= v <= high for v, (low, high) in zip(found["eigenvalues"], found["intervals"]))


def test_without_a_certificate_it_warns_that_eigenvalues_may_be_missing(ring):
    found, said = printed("--matrix", ring, "--k", 5, "--no-certificate")
    assert not found["certified_largest"] and found["upper_bound"] is None
    assert any("copies of multiple eigenvalues" in text for text in found["warnings"])
    assert "copies of multiple eigenvalues" in said


@pytest.mark.parametrize("mode", ["full", "thick_restart", "partial", "off"])
def test_it_gives_what_the_three_stages_give(mode, tmp_path):
    place = write_matrix(tmp_path / "a.h5", symmetric(120))
    words = ("--k", 4, "--max-iters", 90, "--tol", 1e-9, "--reorth-mode", mode)
    found, _ = printed("--matrix", place, *words)
    operator = make(tmp_path / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    lanczos = make(tmp_path / "l.h5", "lanczos", "--operator", operator, *words, "--keep-basis")
    ritz = make(tmp_path / "r.h5", "ritz-residuals", "--operator", operator, "--lanczos", lanczos)
    with h5py.File(ritz) as f, h5py.File(lanczos) as run_of:
        assert found["eigenvalues"] == list(f["eigenvalues"])
        assert found["residuals"] == list(f["residuals"])
        assert found["intervals"] == f["intervals"][:].tolist()
        assert found["verdicts"] == list(f["verdicts"].asstr())
        assert found["certified_largest"] == f.attrs["certified_largest"]
        assert found["operator_calls"] == run_of.attrs["operator_calls"] + f.attrs["operator_calls"]


def test_the_table_says_where_all_other_eigenvalues_lie(ring):
    done = run("spectrum", "--operator", "matrix", "--matrix", ring, "--k", 5)
    assert "# certified: eigenvalues not in this list lie in [" in done.stdout
