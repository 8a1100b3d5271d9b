"""Several inputs by name, shared inputs and several terms a sample: products equal their dense matrices."""

import h5py
import numpy as np
import pytest
from exports import run
from named_problems import PROBLEMS, export
from problems import dense, relative_error

EXACT = ("--dtype-compute", "float64")


@pytest.fixture(scope="module", params=PROBLEMS)
def problem(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        export(folder, PROBLEMS[request.param], patch, "--micro-batch", 4, "--dtype-compute", "float64")
    return folder, PROBLEMS[request.param]


@pytest.mark.parametrize("operator", ["hessian", "ggn", "empirical_fisher"])
def test_operators_equal_their_dense_matrices_for_any_cut(problem, operator):
    folder, made = problem
    expected = getattr(made.reference(), operator)()
    assert relative_error(dense(folder, operator, *EXACT), expected) < 1e-10  # the last batch filled up
    assert relative_error(dense(folder, operator, *EXACT, "--batch-size", "2"), expected) < 1e-10


@pytest.mark.parametrize("problem", ["tags", "pixels", "masked_values"], indirect=True)
def test_the_fisher_of_samples_takes_the_mean_of_a_sample_s_terms(problem):
    folder, made = problem
    expected = made.reference().sample_fisher(len(made.data["targets"]), np.inf)
    found = dense(folder, "empirical_fisher", *EXACT, "--fisher-unit", "sample")
    assert relative_error(found, expected) < 1e-10


@pytest.mark.parametrize("problem", ["tags"], indirect=True)
def test_the_mean_of_many_sampled_fishers_nears_the_gauss_newton_matrix(problem):
    folder, made = problem
    expected = made.reference().ggn()
    found = dense(folder, "mc_fisher", *EXACT, "--mc-samples", "400")
    assert np.linalg.norm(found - expected) < 0.25 * np.linalg.norm(expected)


@pytest.mark.parametrize("problem", ["masked_mean", "graph"], indirect=True)
def test_a_spectrum_comes_of_it(problem):
    folder, made = problem
    dense(folder, "hessian", *EXACT)
    flags = ("--operator", folder / "operator.h5", "--k", 2, "--tol", 1e-10, "--out", folder / "lanczos.h5")
    assert run("lanczos", *flags).returncode == 0
    flags = (
        "--operator",
        folder / "operator.h5",
        "--lanczos",
        folder / "lanczos.h5",
        "--out",
        folder / "ritz.h5",
    )
    assert run("ritz-residuals", *flags).returncode == 0
    with h5py.File(folder / "ritz.h5") as f:
        found = f["eigenvalues"][:2]
    expected = np.linalg.eigvalsh(made.reference().hessian())[::-1][:2]
    assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()


def test_the_files_are_valid(problem):
    folder, _ = problem
    done = run("validate", folder / "data.h5", folder / "model.h5")
    assert done.returncode == 0, done.stdout


def change(folder, out, **datasets):
    """A copy of data.h5 with other datasets; None: without."""
    path = folder / out
    path.write_bytes((folder / "data.h5").read_bytes())
    with h5py.File(path, "a") as file:
        for name, values in datasets.items():
            place = name.replace("__", "/")
            del file[place]
            if values is not None:
                file[place] = values
    return path


def refused(folder, data):
    flags = ("--model", folder / "model.h5", "--operator", "ggn", "--out", folder / "none.h5", *EXACT)
    done = run("build-operator", "--data", data, *flags)
    assert done.returncode == 2 and not (folder / "none.h5").exists()
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize("problem", ["masked_mean"], indirect=True)
@pytest.mark.parametrize(
    ("datasets", "reason"),
    [
        ({"inputs__features": np.zeros((7, 3), "f4")}, "x:features real [2]"),
        (
            {"inputs__features": np.zeros((7, 2), int)},
            "the data have x:attention_mask bool [4], x:features integer",
        ),
        (
            {"inputs__features": None},
            "but the data have x:attention_mask bool [4], x:input_ids integer [4] with",
        ),
        ({"inputs__features": np.zeros((6, 2), "f4")}, "dataset 'inputs/features' has 6 samples"),
        ({"inputs__features": np.full((7, 2), np.nan, "f4")}, "dataset 'inputs/features' is nan at [0, 0]"),
        (
            {"inputs__input_ids": np.full((7, 4), 9)},
            "hold an index that the module has no entry for (index out",
        ),
        ({"targets": np.zeros((7, 2), int) + 2}, "3 outputs for 2 terms of the loss a sample"),
    ],
)
def test_data_that_do_not_fit_the_package_are_refused(problem, datasets, reason):
    folder, _ = problem
    assert reason in refused(folder, change(folder, "other.h5", **datasets))


@pytest.mark.parametrize("problem", ["graph"], indirect=True)
def test_another_graph_of_the_same_shape_gives_its_own_matrix(problem):
    folder, made = problem
    x = made.data["shared/x"][::-1].copy()
    other = type(made)(made.module, made.task, made.data | {"shared/x": x}, made.attributes, made.rows)
    kept = (folder / "data.h5").read_bytes()
    try:
        other.write(folder / "data.h5")
        assert relative_error(dense(folder, "ggn", *EXACT), other.reference().ggn()) < 1e-10
    finally:
        (folder / "data.h5").write_bytes(kept)


@pytest.mark.parametrize("problem", ["graph"], indirect=True)
def test_layers_that_see_the_whole_graph_have_no_kronecker_factors(problem):
    folder, _ = problem
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / "kfac.h5")
    done = run("collect-kfac", *files, *EXACT)
    assert done.returncode == 3
    assert "no layer of this model has Kronecker factors" in done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("values", "several inputs by name"),
        ("tags", "inputs that are not real numbers"),
        ("one_label", "inputs that are not real numbers"),
        ("pixels", "several terms of the loss a sample"),
    ],
)
def test_a_built_in_network_says_what_it_does_not_take(tmp_path, name, reason):
    PROBLEMS[name].write(tmp_path / "data.h5")
    (tmp_path / "spec.json").write_text('{"architecture": {"kind": "mlp"}, "training": {"steps": 1}}')
    flags = ("--data", tmp_path / "data.h5", "--spec", tmp_path / "spec.json", "--out", tmp_path / "model.h5")
    done = run("train-model", *flags)
    assert done.returncode == 2
    assert f"the data have {reason}, which a built-in network does not take" in done.stderr
