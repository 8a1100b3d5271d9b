"""A small digits MLP and a dense matrix, taken through every stage once a session."""

import json
from types import SimpleNamespace

import pytest
from stage_runs import error_line, make, prepare_data, run, symmetric, write_matrix

SPEC = {
    "architecture": {"kind": "mlp", "hidden": [8], "activation": "tanh"},
    "training": {"steps": 60, "learning_rate": 0.1, "batch_size": 32},
}
LANCZOS = ("--k", 4, "--max-iters", 24, "--tol", 1e-5, "--reorth-mode", "full", "--keep-basis")


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """Files of a digits MLP with 610 parameters, by name: data, spec, model, operator, lanczos, ritz."""
    folder = tmp_path_factory.mktemp("digits")
    files = SimpleNamespace(folder=folder, data=folder / "data.h5", spec=folder / "spec.json")
    assert prepare_data(files.data, "digits", "--samples", 200).returncode == 0
    files.spec.write_text(json.dumps(SPEC))
    files.model = make(folder / "model.h5", "train-model", "--data", files.data, "--spec", files.spec)
    model = ("--data", files.data, "--model", files.model)
    files.operator = make(folder / "operator.h5", "build-operator", *model, "--operator", "hessian")
    files.ggn = make(folder / "ggn.h5", "build-operator", *model, "--operator", "ggn")
    files.lanczos = make(folder / "lanczos.h5", "lanczos", "--operator", files.operator, *LANCZOS)
    pair = ("--operator", files.operator, "--lanczos", files.lanczos)
    files.ritz = make(folder / "ritz.h5", "ritz-residuals", *pair)
    return files


@pytest.fixture(scope="session")
def dense(tmp_path_factory):
    """A dense symmetric matrix A [120,120] and its operator.h5."""
    folder = tmp_path_factory.mktemp("dense")
    a = symmetric(120)
    place = write_matrix(folder / "matrix.h5", a)
    operator = make(folder / "operator.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    return SimpleNamespace(a=a, place=place, operator=operator)


@pytest.fixture
def refused(tmp_path):
    """Runs a stage with --out in an empty folder and checks how it refuses; gives the error line."""
    folder = tmp_path / "out"
    folder.mkdir()

    def check(status, *words, call, out=folder / "out.h5"):
        done = run(*call, "--out", out)
        line = error_line(done)
        assert done.returncode == status, done.stderr
        for word in words:
            assert str(word) in line
        assert list(folder.iterdir()) == []
        return line

    return check
