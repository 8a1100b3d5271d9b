"""The density of the whole spectrum from lanczos.h5 of several probes, and in closed form."""

import h5py
import numpy as np
import pytest
from stage_runs import error_line, make, run, write_matrix

N = 300
OUTLIERS = np.array([9.0, 9.0, 6.0, 4.0])


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    """A diagonal matrix with a double outlier and an indefinite bulk, and its operator.h5."""
    folder = tmp_path_factory.mktemp("density")
    spectrum = np.concatenate([OUTLIERS, np.linspace(-1, 1, N - len(OUTLIERS))])
    place = write_matrix(folder / "a.h5", spectrum)
    call = ("--operator", "matrix", "--matrix", place)
    return spectrum, make(folder / "op.h5", "build-operator", *call)


def probes(operator, folder, *flags, seeds=(0, 1)):
    call = ("--operator", operator[1], "--k", 3, "--max-iters", 40, "--tol", 1e-8, *flags)
    return [make(folder / f"{seed}.h5", "lanczos", *call, "--seed", seed) for seed in seeds]


def test_band_holds_the_spectrum_and_certified_outliers_are_counted(operator, tmp_path):
    spectrum = operator[0]
    runs = probes(operator, tmp_path, "--reorth-mode", "full")
    out = make(tmp_path / "density.h5", "density", *runs)
    assert run("validate", out).returncode == 0
    with h5py.File(out) as f:
        truth = np.array([(spectrum <= x).mean() for x in f["grid"]])
        assert (f["cdf_lower"][:] <= truth + 1e-12).all() and (truth - 1e-12 <= f["cdf_upper"][:]).all()
        assert (f["density_lower"][:] <= f["density_upper"][:]).all()
        found = f["outliers"][:]
        assert len(found) >= 2 and np.allclose(found, OUTLIERS[: len(found)])
        behind = f["grid"][:] > OUTLIERS[len(found) - 1]
        assert np.allclose(f["cdf"][:][behind], truth[behind], atol=1e-12)
        mass = -spectrum[spectrum < 0].sum() / np.abs(spectrum).sum()
        assert f.attrs["negative_mass_lower"] <= mass <= f.attrs["negative_mass_upper"]
        assert (
            f.attrs["negative_fraction_lower"] <= (spectrum < 0).mean() <= f.attrs["negative_fraction_upper"]
        )


def operator_of(matrix, folder):
    place = write_matrix(folder / "matrix.h5", matrix)
    return make(folder / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)


def test_rounding_is_no_negative_eigenvalue(tmp_path):
    """X'X of integers is exact and has none, but its zeros are negative by rounding in T."""
    x = np.random.default_rng(5).integers(-3, 4, size=(15, N)).astype(float)
    operator = operator_of(x.T @ x, tmp_path)
    call = ("--operator", operator, "--k", 20, "--max-iters", 60, "--reorth-mode", "full")
    runs = [make(tmp_path / f"{seed}.h5", "lanczos", *call, "--seed", seed) for seed in range(3)]
    with h5py.File(make(tmp_path / "density.h5", "density", *runs)) as f:
        for name in ("negative_fraction", "negative_mass"):
            assert f.attrs[name] == f.attrs[f"{name}_lower"] == 0
        assert f.attrs["negative_fraction_upper"] >= 1 - 15 / N  # they might be
        assert f.attrs["negative_mass_upper"] < 1e-10


@pytest.mark.parametrize("value", [1e6, 0.7, 0])
def test_spectrum_of_one_value_makes_a_valid_file(value, tmp_path):
    operator = operator_of(np.full(5, float(value)), tmp_path)
    call = ("--operator", operator, "--k", 5, "--reorth-mode", "full", "--seed", 1370)
    lanczos = make(tmp_path / "lanczos.h5", "lanczos", *call)
    out = make(tmp_path / "density.h5", "density", lanczos)
    assert run("validate", out).returncode == 0
    with h5py.File(out) as f:
        assert f.attrs["support"][0] <= value <= f.attrs["support"][1]
    if value:
        refused = run("density", lanczos, "--bandwidth", 1e-13 * value / 1e3, "--out", out)
        assert "coincide by rounding" in error_line(refused)


def test_closed_form_is_exact(good, tmp_path):
    call = ("--data", good.data, "--model", good.model)
    factors = make(tmp_path / "kfac.h5", "collect-kfac", *call)
    operator = make(tmp_path / "op.h5", "build-operator", *call, "--operator", "kfac", "--kfac", factors)
    out = make(tmp_path / "density.h5", "density", "--operator", operator)
    assert run("validate", out).returncode == 0
    with h5py.File(out) as f, h5py.File(operator) as op:
        truth = np.array([(op["spectrum"][:] <= x).mean() for x in f["grid"]])
        for name in ("cdf", "cdf_lower", "cdf_upper"):
            assert np.array_equal(f[name][:], truth)
        assert f.attrs["method"] == "closed_form" and f.attrs["negative_fraction_upper"] == 0


def test_semi_definite_operator_has_no_negative_part(good, tmp_path):
    call = ("--operator", good.ggn, "--k", 4, "--max-iters", 24, "--reorth-mode", "full")
    lanczos = make(tmp_path / "lanczos.h5", "lanczos", *call)
    out = make(tmp_path / "density.h5", "density", "--operator", good.ggn, lanczos)
    with h5py.File(out) as f:
        assert f.attrs["negative_fraction_upper"] == f.attrs["negative_mass_upper"] == 0


def test_runs_that_make_no_density_are_refused(good, operator, tmp_path):
    mode = ("--reorth-mode", "thick_restart", "--krylov-dim", 8)
    restarted = probes(operator, tmp_path, *mode, seeds=[0])
    out = ("--out", tmp_path / "density.h5")
    assert "was restarted" in error_line(run("density", *restarted, *out))
    one = probes(operator, tmp_path, "--reorth-mode", "full", seeds=[0])
    assert "probes must be independent" in error_line(run("density", *one, *one, *out))
    assert "another operator" in error_line(run("density", "--operator", good.ggn, *one, *out))
    assert "LANCZOS is required" in error_line(run("density", *out))
    assert "not known in closed form" in error_line(run("density", "--operator", good.ggn, *out))
    assert not (tmp_path / "density.h5").exists()
