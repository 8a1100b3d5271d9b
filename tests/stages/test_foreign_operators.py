"""Results of one operator beside the file of another."""

import json

import pytest
from stage_runs import error_line, make, run, sha256


@pytest.fixture(scope="module")
def kfac(good, tmp_path_factory):
    """operator.h5 of kind kfac, whose spectrum is known in closed form."""
    folder = tmp_path_factory.mktemp("kfac")
    call = ("--data", good.data, "--model", good.model)
    factors = make(folder / "kfac.h5", "collect-kfac", *call)
    return make(folder / "op.h5", "build-operator", *call, "--operator", "kfac", "--kfac", factors)


def test_metrics_of_pairs_of_another_operator_are_refused(good, kfac, tmp_path):
    for other in (kfac, good.ggn):
        done = run("metrics", "--ritz", good.ritz, "--operator", other, "--out", tmp_path / "metrics.json")
        line = error_line(done)
        assert done.returncode == 2
        for word in (good.ritz, other, sha256(good.operator), sha256(other)):
            assert str(word) in line
    assert list(tmp_path.iterdir()) == []


def test_metrics_take_the_operator_that_the_pairs_are_of(good, tmp_path):
    call = ("metrics", "--ritz", good.ritz, "--operator", good.operator)
    assert json.loads(make(tmp_path / "metrics.json", *call).read_text())["closed_form_error"] is None


def test_a_density_in_closed_form_refuses_runs_of_another_operator(good, kfac, tmp_path):
    done = run("density", "--operator", kfac, good.lanczos, "--out", tmp_path / "density.h5")
    assert done.returncode == 2
    assert f"{kfac}: the runs are of another operator" in error_line(done)
    own = make(tmp_path / "own.h5", "lanczos", "--operator", kfac, "--k", 3, "--max-iters", 9)
    make(tmp_path / "density.h5", "density", "--operator", kfac, own)
