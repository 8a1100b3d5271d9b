"""Bad input ends in one `error:` line that names what is wrong, the right exit status, and no output file."""

import h5py
import numpy as np
import pytest
from problems import Problem, build, dense, relative_error, run

MLP = {"kind": "mlp", "hidden": [3], "activation": "tanh"}
TRANSFORMER = {"kind": "transformer", "layers": 1, "heads": 1, "d_model": 2, "mlp_ratio": 1}


def classifier():
    return Problem(MLP, "classification", (4,), 3)


def language_model():
    return Problem(TRANSFORMER, "language_modeling", (5,), 6)


def nan_in_inputs(problem):
    problem.inputs[2, 1] = np.nan


def label_out_of_range(problem):
    problem.targets[4] = 3


def no_samples(problem):
    problem.inputs, problem.targets = problem.inputs[:0], problem.targets[:0]


def fewer_targets(problem):
    problem.targets = problem.targets[:-1]


def inputs_of_wrong_width(problem):
    problem.inputs = problem.inputs[:, :-1]


def nan_in_weights(problem):
    problem.parameters[0][1, 2] = np.inf


def wrong_parameter_shape(problem):
    problem.parameters[0] = problem.parameters[0][:, :-1]


def token_out_of_vocabulary(problem):
    problem.inputs[1, 3] = 6


def all_masked(problem):
    problem.mask = np.zeros((7, 5))


@pytest.mark.parametrize(
    "make, spoil, words",
    [
        (classifier, nan_in_inputs, ["data.h5", "'inputs'", "nan", "[2, 1]"]),
        (classifier, label_out_of_range, ["data.h5", "'targets'", "3", "[4]", "num_classes"]),
        (classifier, no_samples, ["data.h5", "'inputs'", "empty"]),
        (classifier, fewer_targets, ["data.h5", "'targets'", "[6]", "N = 7"]),
        (
            classifier,
            inputs_of_wrong_width,
            ["model.h5", "'steps/00000000/layers.0.weight'", "[3, 4]", "[3, 3]"],
        ),
        (classifier, nan_in_weights, ["model.h5", "layers.0.weight", "inf", "[1, 2]"]),
        (classifier, wrong_parameter_shape, ["model.h5", "layers.0.weight", "[3, 3]", "[3, 4]"]),
        (language_model, token_out_of_vocabulary, ["data.h5", "'inputs'", "6", "[1, 3]"]),
        (language_model, all_masked, ["data.h5", "masked"]),
    ],
)
def test_wrong_files_are_named(make, spoil, words, tmp_path):
    problem = make()
    spoil(problem)
    check_refusal(build(problem.write(tmp_path), "hessian"), words, tmp_path)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--step", "5"], ["model.h5", "no step 5", "00000000"]),
        (["--dtype-compute", "float16"], ["--dtype-compute", "float32", "bfloat16"]),
        (["--batch-size", "-1"], ["--batch-size"]),
        (["--params-filter", "layer.*"], ["--params-filter", "layer.*", "layers.0.weight"]),
        (["--operator", "kfac"], ["kfac"]),
    ],
)
def test_wrong_flags_are_named(flags, words, tmp_path):
    operator = [] if "--operator" in flags else ["--operator", "hessian"]
    folder = classifier().write(tmp_path)
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / "operator.h5")
    check_refusal(run("build-operator", *files, *operator, *flags), words, tmp_path)


def check_refusal(done, words, folder, status=2):
    assert done.returncode == status, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    for word in words:
        assert word in errors[0]
    assert not list(folder.glob("operator.h5*"))


def test_a_replaced_model_is_noticed(tmp_path):
    problem = classifier()
    assert build(problem.write(tmp_path), "hessian").returncode == 0
    problem.parameters[0] += 1
    problem.write_model(tmp_path / "model.h5")
    done = run("dense-operator", tmp_path / "operator.h5", tmp_path / "dense.h5")
    assert done.returncode == 2
    assert "model.h5" in done.stderr and "changed" in done.stderr


def test_a_folder_of_results_can_be_moved(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    before = dense(classifier().write(folder), "hessian")
    there = folder.rename(tmp_path / "there")
    assert run("dense-operator", there / "operator.h5", there / "dense.h5").returncode == 0
    with h5py.File(there / "dense.h5") as f:
        assert np.array_equal(f["matrix"][:], before)


def write_matrix(folder, matrix):
    with h5py.File(folder / "matrix.h5", "w") as f:
        f["a"] = matrix
    flags = ("--operator", "matrix", "--matrix", f"{folder / 'matrix.h5'}:/a")
    return run("build-operator", *flags, "--out", folder / "operator.h5")


@pytest.mark.parametrize("shape", [(40, 40), (40,)])
def test_a_matrix_is_applied_as_it_stands(shape, tmp_path):
    a = np.random.default_rng(1).standard_normal(shape)
    a = a + a.T if len(shape) == 2 else a
    assert write_matrix(tmp_path, a).returncode == 0
    (tmp_path / "matrix.h5").unlink()  # it lies in operator.h5
    assert run("dense-operator", tmp_path / "operator.h5", tmp_path / "dense.h5").returncode == 0
    with h5py.File(tmp_path / "dense.h5") as f:
        assert relative_error(f["matrix"][:], a if a.ndim == 2 else np.diag(a)) < 1e-15


@pytest.mark.parametrize(
    "value, words", [(1e-3, ["not symmetric", "0.001", "[5, 2]"]), (np.nan, ["nan", "[5, 2]"])]
)
def test_a_wrong_matrix_is_refused(value, words, tmp_path):
    a = np.eye(8)
    a[5, 2] = value
    check_refusal(write_matrix(tmp_path, a), words, tmp_path)


def test_a_zero_matrix_is_an_operator(tmp_path):
    assert write_matrix(tmp_path, np.zeros((5, 5))).returncode == 0
    with h5py.File(tmp_path / "operator.h5") as f:
        assert f["probes/norm"][()] == 0 and f["probes/additivity"][()] == 0
        assert f.attrs["n_params"] == 5


def test_the_file_says_how_it_was_made(tmp_path):
    folder = language_model().write(tmp_path)
    assert build(folder, "mc_fisher", "--mc-samples", 4, "--seed", 3).returncode == 0
    with h5py.File(folder / "operator.h5") as f:
        expected = {"operator": "mc_fisher", "mc_samples": 4, "seed": 3, "step": 0, "fisher_unit": "token"}
        expected |= {
            "loss": "cross_entropy",
            "dtype_compute": "float32",
            "batch_size_used": 7,
            "is_psd": True,
        }
        assert {name: f.attrs[name] for name in expected} == expected
        assert f["probes/repeatability"][()] == 0


def test_the_same_settings_give_the_same_contents(tmp_path):
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        assert build(classifier().write(folder), "hessian").returncode == 0
        with h5py.File(folder / "operator.h5") as f:
            digests.append(f.attrs["content_sha256"])
    assert digests[0] == digests[1]
