"""Products of a user's modules, run from C++ without Python, equal the dense matrices of plain autograd."""

import numpy as np
import pytest
from exports import export, make_case
from problems import dense, kept_and_rebuilt, relative_error

from tests.models import own_models

OPERATORS = ["hessian", "ggn", "empirical_fisher"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_of_a_module_equal_their_dense_matrices(exported, operator):
    expected = getattr(exported.reference, operator)()
    whole = dense(exported.folder, operator, "--dtype-compute", "float64")  # 4 + 3, the last one filled up
    assert relative_error(whole, expected) < 1e-10
    cut = dense(exported.folder, operator, "--dtype-compute", "float64", "--batch-size", "3")  # 3 + 3 + 1
    assert relative_error(cut, whole) < 1e-12
    single = dense(exported.folder, operator)
    assert relative_error(single, expected) < 1e-5


@pytest.mark.parametrize("operator", [*OPERATORS, "mc_fisher"])
def test_no_bit_of_a_module_depends_on_the_number_of_threads(exported, operator):
    one = dense(exported.folder, operator, "--batch-size", "2", threads=1)
    assert np.array_equal(one, dense(exported.folder, operator, "--batch-size", "2", threads=2))


def test_no_bit_of_a_hessian_depends_on_whether_linearizations_are_kept(exported):
    kept, rebuilt = kept_and_rebuilt(exported.folder, "hessian", "--batch-size", "2")
    assert np.array_equal(kept, rebuilt)


def test_a_package_of_single_samples_equals_the_dense_matrix(tmp_path):
    made = make_case(tmp_path, "mlp")
    flags = (
        "--weights",
        made.file("weights.pt"),
        "--micro-batch",
        1,
        "--compile",
        "none",
        "--products",
        "ggn",
    )
    done = export(tmp_path, "mlp", *flags, "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    found = dense(tmp_path, "ggn", "--dtype-compute", "float64")
    assert relative_error(found, made.reference.ggn()) < 1e-10


def test_trainable_parameters_alone_give_their_block_of_the_dense_matrix(tmp_path):
    made = make_case(tmp_path, "mlp")
    flags = ("--weights", made.file("weights.pt"), "--micro-batch", 4, "--compile", "none", "--trainable")
    done = export(tmp_path, "frozen", *flags, "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    assert "2 of 4 parameters are frozen (requires_grad=False) and taken as constants" in done.stderr
    trained = sum(p.numel() for p in own_models.mlp().first.parameters())
    for operator in OPERATORS:
        right = getattr(made.reference, operator)()[:trained, :trained]
        assert relative_error(dense(tmp_path, operator, "--dtype-compute", "float64"), right) < 1e-10
