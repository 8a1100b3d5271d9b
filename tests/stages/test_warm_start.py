"""`lanczos --start`: a run that begins with the Ritz vectors of an earlier result."""

import h5py
import numpy as np
import pytest
from stage_runs import (
    MODES,
    assert_same_contents,
    edited,
    error_line,
    make,
    run,
    sha256,
    symmetric,
    write_matrix,
)

N, K = 200, 3
FLAGS = ("--k", K, "--tol", 1e-6, "--krylov-dim", 12)


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Two neighbouring matrices, their operators, and the ritz.h5 of the first."""
    folder = tmp_path_factory.mktemp("warm")
    before = symmetric(N)
    noise = np.random.default_rng(1).standard_normal((N, N)) * 1e-4
    after = before + noise + noise.T
    ops = []
    for name, a in (("before", before), ("after", after)):
        place = write_matrix(folder / f"{name}.h5", a)
        call = ("--operator", "matrix", "--matrix", place)
        ops.append(make(folder / f"op_{name}.h5", "build-operator", *call))
    lanczos = make(folder / "l.h5", "lanczos", "--operator", ops[0], *FLAGS, "--reorth-mode", "full")
    ritz = make(folder / "r.h5", "ritz-residuals", "--operator", ops[0], "--lanczos", lanczos)
    return after, ops[1], ritz


def lanczos(steps, out, *flags):
    return make(out, "lanczos", "--operator", steps[1], *FLAGS, *flags)


def attributes(path):
    with h5py.File(path) as f:
        return dict(f.attrs)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_starts_there_and_says_so(mode, steps, tmp_path):
    warm = lanczos(steps, tmp_path / "l.h5", "--start", steps[2], "--reorth-mode", mode)
    ritz = make(tmp_path / "r.h5", "ritz-residuals", "--operator", steps[1], "--lanczos", warm)
    done = run("validate", warm, ritz)
    assert done.returncode == 0, done.stdout
    for file in (warm, ritz):
        said = attributes(file)
        assert said["start_sha256"] == sha256(steps[2])
        assert said["start_vectors"] == K and said["start_random"] == 1e-3
    with h5py.File(warm) as f, h5py.File(steps[2]) as old:
        share = old["vectors"][:] @ f["start_vector"][:]
        assert np.allclose(share, 1 / np.sqrt(K), atol=1e-3)
    truth = np.linalg.eigvalsh(steps[0])[::-1]
    with h5py.File(ritz) as f:
        converged = f["verdicts"].asstr()[:] == "converged"
        assert np.allclose(f["eigenvalues"][:][converged], truth[: converged.sum()], atol=1e-6)
        lower, upper = f["intervals"][:].T
        assert all(((low <= truth) & (truth <= up)).any() for low, up in zip(lower, upper, strict=True))


@pytest.mark.parametrize("mode", ("full", "thick_restart"))
def test_fewer_products_at_the_same_certified_accuracy(mode, steps, tmp_path):
    warm = attributes(lanczos(steps, tmp_path / "w.h5", "--start", steps[2], "--reorth-mode", mode))
    cold = attributes(lanczos(steps, tmp_path / "c.h5", "--reorth-mode", mode))
    assert warm["converged"] == cold["converged"] == K
    assert warm["certified_largest"] and cold["certified_largest"]
    assert warm["iterations"] < cold["iterations"]
    assert "start_sha256" not in cold


def test_certificate_draws_another_vector_than_that_of_the_earlier_run(steps, tmp_path):
    """The earlier pairs may hold what a certificate of the same seed found."""
    warm = lanczos(steps, tmp_path / "w.h5", "--start", steps[2], "--reorth-mode", "full")
    cold = lanczos(steps, tmp_path / "c.h5", "--reorth-mode", "full")
    with h5py.File(warm) as a, h5py.File(cold) as b:
        assert a["certificate/alpha"][0] != b["certificate/alpha"][0]


def test_start_is_part_of_the_identity_of_a_checkpoint(steps, tmp_path):
    """An interrupted run from another start is not gone on with."""
    root = ("--checkpoint", tmp_path / "ckpt", "--keep-checkpoint", "--checkpoint-interval", 0)
    lanczos(steps, tmp_path / "c.h5", "--reorth-mode", "full", *root)
    flags = ("--start", steps[2], "--reorth-mode", "full")
    call = ("--operator", steps[1], *FLAGS, *flags, *root, "--out", tmp_path / "w.h5")
    done = run("lanczos", *call)
    assert done.returncode == 0 and "start_sha256" in done.stderr, done.stderr
    assert_same_contents(tmp_path / "w.h5", lanczos(steps, tmp_path / "again.h5", *flags))


def test_a_finished_run_is_extended_from_the_same_start_only(steps, tmp_path):
    kept = ("--reorth-mode", "full", "--keep-basis", "--no-certificate")
    short = lanczos(steps, tmp_path / "short.h5", "--start", steps[2], *kept, "--max-iters", 5)
    whole = lanczos(steps, tmp_path / "whole.h5", "--start", steps[2], *kept)
    onward = ("--continue-from", short)
    assert_same_contents(lanczos(steps, tmp_path / "on.h5", "--start", steps[2], *kept, *onward), whole)
    done = run("lanczos", "--operator", steps[1], *FLAGS, *kept, *onward, "--out", tmp_path / "x.h5")
    assert done.returncode == 2 and "--start" in error_line(done) and "this run none" in error_line(done)


def test_density_refuses_such_a_run(steps, tmp_path):
    warm = lanczos(steps, tmp_path / "l.h5", "--start", steps[2], "--reorth-mode", "full")
    done = run("density", warm, "--out", tmp_path / "d.h5")
    assert done.returncode == 2 and "--start" in error_line(done)
    assert not (tmp_path / "d.h5").exists()


def test_vectors_of_another_dimension_are_refused(steps, tmp_path):
    place = write_matrix(tmp_path / "a.h5", np.arange(1.0, 31.0))
    small = make(tmp_path / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    done = run("lanczos", "--operator", small, "--start", steps[2], "--k", 3, "--out", tmp_path / "l.h5")
    assert done.returncode == 2
    assert str(steps[2]) in error_line(done) and "dimension 200, the operator has 30" in error_line(done)


def test_a_file_without_a_usable_pair_is_refused(steps, tmp_path):
    def all_ghosts(file):
        file["verdicts"][:] = ["ghost"] * len(file["verdicts"])

    ghosts = edited(steps[2], tmp_path / "ghosts.h5", all_ghosts)
    done = run("lanczos", "--operator", steps[1], "--start", ghosts, "--out", tmp_path / "l.h5")
    assert done.returncode == 2 and "holds no pair" in error_line(done)
