"""Every file that a stage has just written is one that `validate` accepts, whatever the operator.

Eight problems of all kinds and six modes; RITZFLOW_FRESH is the number where it is set.
"""

import json
import os

import numpy as np
import pytest
from stage_runs import MODES, make, prepare_data, run, write_matrix

COUNT = int(os.environ.get("RITZFLOW_FRESH", "8"))
KINDS = ("indefinite", "semidefinite", "zero", "rank one", "repeated", "negative", "tiny", "large")
TRAINING = {"steps": 3, "learning_rate": 0.1, "batch_size": 2}
DENSITIES = tuple(mode for mode in MODES if mode != "thick_restart")


def matrix(kind, n, random):
    """A symmetric matrix of a spectrum of this kind."""
    q, _ = np.linalg.qr(random.standard_normal((n, n)))
    values = random.standard_normal(n)
    values = {
        "semidefinite": np.maximum(values, 0),
        "zero": np.zeros(n),
        "rank one": 3.0 * (np.arange(n) == 0),
        "repeated": np.sign(values),
        "negative": -abs(values),
        "tiny": values * 1e-150,
        "large": values * 1e150,
    }.get(kind, values)
    a = (q * values) @ q.T
    return (a + a.T) / 2


def validate(folder):
    done = run("validate", folder)
    assert done.returncode == 0, done.stdout


def measure(operator, n, folder, mode, random):
    """Runs from one or two probes, their Ritz pairs, density and metrics, with settings drawn at random."""
    settings = (
        "--k",
        random.integers(1, min(n, 5) + 1),
        "--max-iters",
        random.choice([1, 3, 40]),
        "--reorth-mode",
        mode,
    )
    settings += ("--dtype-basis", random.choice(["float64", "float32"]))
    settings += ("--which", random.choice(["largest", "smallest", "both", "magnitude"]))
    settings += ("--tol", random.choice([1e-12, 1e-4]), *(["--no-certificate"] if random.integers(2) else []))
    probes = []
    for probe in range(random.integers(1, 3)):
        lanczos = make(folder / f"l{probe}.h5", "lanczos", "--operator", operator, *settings, "--seed", probe)
        probes.append(lanczos)
    ritz = make(folder / "ritz.h5", "ritz-residuals", "--operator", operator, "--lanczos", probes[0])
    density = ()
    if mode in DENSITIES:
        fine = ("--grid-points", random.choice([2, 512, 5000]), "--operator", operator)
        density = ("--density", make(folder / "density.h5", "density", *fine, *probes))
    make(folder / "metrics.json", "metrics", "--ritz", ritz, "--operator", operator, *density)


@pytest.mark.parametrize("case", range(COUNT))
def test_files_of_a_matrix_are_valid(case, tmp_path):
    random = np.random.default_rng(case)
    n = [1, 2, 3, 4, 5, 30][case % 6]
    a = matrix(KINDS[case % len(KINDS)], n, random)
    (tmp_path / "matrix").mkdir()
    place = write_matrix(tmp_path / "matrix" / "a.h5", a)
    (tmp_path / "cell").mkdir()
    operator = make(tmp_path / "cell" / "op.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    measure(operator, n, tmp_path / "cell", MODES[(case + case // len(MODES)) % len(MODES)], random)
    validate(tmp_path / "cell")


def data_and_model(folder):
    """A few samples of a model with more parameters than outputs: semi-definite matrices have low rank."""
    assert prepare_data(folder / "data.h5", "digits", "--samples", 4).returncode == 0
    spec = {"architecture": {"kind": "mlp", "hidden": [2], "activation": "relu"}, "training": TRAINING}
    (folder / "spec.json").write_text(json.dumps(spec))
    data = ("--data", folder / "data.h5")
    return (*data, "--model", make(folder / "model.h5", "train-model", *data, "--spec", folder / "spec.json"))


def test_files_of_semi_definite_operators_of_a_model_are_valid(tmp_path):
    files = data_and_model(tmp_path)
    factors = ("--kfac", make(tmp_path / "kfac.h5", "collect-kfac", *files))
    low = ("--dtype-compute", "bfloat16")  # such products make Ritz values negative
    cases = (("ggn", "full", low), ("empirical_fisher", "off", ()), ("kfac", "partial", factors))
    for case, (kind, mode, flags) in enumerate(cases):
        folder = tmp_path / kind
        folder.mkdir()
        operator = make(folder / "op.h5", "build-operator", *files, "--operator", kind, *flags)
        measure(operator, 60, folder, mode, np.random.default_rng(case))
    validate(tmp_path)
