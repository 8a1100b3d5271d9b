"""Curvature of a draw of the training samples: `--samples N`."""

import h5py
import numpy as np
import pytest
from stage_runs import error_line, make, run, sha256


@pytest.fixture
def build(good, tmp_path):
    def build(name, *flags):
        model = ("--data", good.data, "--model", good.model, "--operator", "ggn")
        return make(tmp_path / f"{name}.h5", "build-operator", *model, *flags)

    return build


def leading(operator, tmp_path):
    out = tmp_path / f"{operator.stem}.lanczos.h5"
    make(out, "lanczos", "--operator", operator, "--k", 2, "--max-iters", 30, "--keep-basis")
    ritz = make(tmp_path / "ritz.h5", "ritz-residuals", "--operator", operator, "--lanczos", out)
    with h5py.File(ritz) as f:
        return f["eigenvalues"][:2]


def test_all_samples_drawn_are_the_whole_risk(good, build, tmp_path):
    with h5py.File(good.data) as f:
        n = len(f["inputs"])
    assert np.array_equal(leading(build("all"), tmp_path), leading(build("drawn", "--samples", n), tmp_path))


def test_a_draw_is_recorded_and_has_its_own_curvature(build, tmp_path):
    few = build("few", "--samples", 20)
    with h5py.File(few) as f:
        assert (f.attrs["samples"], f.attrs["samples_drawn"]) == (20, 20)
        assert "samples_seed" not in f.attrs
    assert sha256(few) == sha256(build("again", "--samples", 20))
    assert sha256(few) != sha256(build("other", "--samples", 20, "--samples-seed", 1))
    assert not np.allclose(leading(few, tmp_path), leading(build("whole"), tmp_path), rtol=1e-3)


def test_more_samples_than_there_are_is_an_error(good, tmp_path):
    model = ("--data", good.data, "--model", good.model, "--operator", "ggn")
    done = run("build-operator", *model, "--samples", 100000, "--out", tmp_path / "o.h5")
    assert done.returncode == 2 and "--samples is 100000, but there are" in error_line(done)


def test_factors_of_another_draw_are_refused(good, tmp_path):
    model = ("--data", good.data, "--model", good.model)
    kfac = make(tmp_path / "kfac.h5", "collect-kfac", *model, "--samples", 20)
    flags = (*model, "--operator", "kfac", "--kfac", kfac)
    make(tmp_path / "same.h5", "build-operator", *flags, "--samples", 20)
    done = run("build-operator", *flags, "--out", tmp_path / "all.h5")
    assert done.returncode == 2 and "was collected for another draw of samples" in error_line(done)
