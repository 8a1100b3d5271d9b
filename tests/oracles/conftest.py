import pytest
from kfac_runs import collect
from network_problems import PROBLEMS


@pytest.fixture
def mlp(tmp_path):
    """Data, model and factors of a small MLP."""
    problem = PROBLEMS["mlp_cross_entropy"]()
    folder = problem.write(tmp_path)
    done = collect(folder)
    assert done.returncode == 0, done.stderr
    assert "covered 6 of 6 parameters (100.0 %), 83 of 83 elements (100.0 %)" in done.stderr
    return problem, folder
