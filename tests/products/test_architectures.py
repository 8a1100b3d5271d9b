"""Architectures of the field: operators equal dense matrices by double backward, or a true reason is given.

The usual ones in an ordinary run; all where RITZFLOW_ALL_LAYERS is set.
"""

import os

import pytest
from architectures import ARCHITECTURES, REFUSED, USUAL
from named_problems import export
from problems import dense, relative_error
from script_cli import Refusal

ALL = bool(os.environ.get("RITZFLOW_ALL_LAYERS"))
EXACT = ("--dtype-compute", "float64")


@pytest.mark.parametrize("name", ARCHITECTURES if ALL else USUAL)
def test_operators_equal_their_dense_matrices(name, tmp_path, monkeypatch):
    problem = ARCHITECTURES[name]
    export(tmp_path, problem, monkeypatch, "--micro-batch", 3, *EXACT)  # 3 + 2, the last one filled up
    reference = problem.reference()
    operators = ["hessian", "empirical_fisher"]
    if name != "quantile regression":
        operators.append("ggn")
    for operator in operators:
        found = dense(tmp_path, operator, *EXACT)
        assert relative_error(found, getattr(reference, operator)()) < 1e-9, operator


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_refused_for_its_reason(name, tmp_path, monkeypatch):
    problem, reason = REFUSED[name]
    with pytest.raises(Refusal, match=reason):
        export(tmp_path, problem, monkeypatch, *EXACT)
