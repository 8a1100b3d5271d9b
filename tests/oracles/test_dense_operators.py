"""Every operator equals its dense matrix from PyTorch, for every model kind and loss, whatever the cut."""

import numpy as np
import pytest
from network_problems import FLOAT64, PROBLEMS, mlp, transformer
from problems import dense, kept_and_rebuilt, relative_error

OPERATORS = ["hessian", "ggn", "empirical_fisher"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_operators_equal_their_dense_matrices_for_any_cut(name, tmp_path):
    problem = PROBLEMS[name]()
    folder, reference = problem.write(tmp_path), problem.reference()
    for operator in OPERATORS:
        expected = getattr(reference, operator)()
        whole = dense(folder, operator, *FLOAT64)
        assert relative_error(whole, expected) < 1e-10, operator
        cut = dense(folder, operator, *FLOAT64, "--batch-size", 4)  # 4 + 3
        assert relative_error(cut, whole) < 1e-12, operator
        single = dense(folder, operator, "--batch-size", 3)  # 3 + 3 + 1, float32
        assert relative_error(single, expected) < 1e-5, operator


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_last_batch_of_six_after_sixty_four_weighs_six(operator, tmp_path):
    problem = mlp("cross_entropy", samples=70)
    folder = problem.write(tmp_path)
    cut = dense(folder, operator, *FLOAT64, "--batch-size", 64)
    assert relative_error(cut, getattr(problem.reference(), operator)()) < 1e-10


@pytest.mark.parametrize("operator", OPERATORS)
def test_sample_weights_are_averaged_exactly(operator, tmp_path):
    problem = mlp("mse", weights=np.array([0.5, 2.0, 0.0, 1.0, 3.25, 1.0, 0.125]))
    actual = dense(problem.write(tmp_path), operator, *FLOAT64, "--batch-size", 2)
    assert relative_error(actual, getattr(problem.reference(), operator)()) < 1e-10


def some_tokens():
    return np.random.default_rng(5).integers(0, 2, (7, 5))


def one_sequence():
    mask = np.ones((7, 5), dtype=int)
    mask[3] = 0
    return mask


@pytest.mark.parametrize("make_mask", [some_tokens, one_sequence])
@pytest.mark.parametrize("operator", OPERATORS)
def test_masked_tokens_do_not_count(operator, make_mask, tmp_path):
    problem = transformer(mask=make_mask())
    actual = dense(problem.write(tmp_path), operator, *FLOAT64, "--batch-size", 1)
    assert relative_error(actual, getattr(problem.reference(), operator)()) < 1e-10


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_label_minus_100_is_a_masked_token(operator, tmp_path):
    problem = transformer()
    problem.targets[one_sequence() == 0] = -100
    problem.targets[0, :2] = -100
    actual = dense(problem.write(tmp_path), operator, *FLOAT64, "--batch-size", 3)
    assert relative_error(actual, getattr(problem.reference(), operator)()) < 1e-10


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_doubled_data_set_changes_nothing(operator, tmp_path):
    once = mlp("cross_entropy").reference()
    twice = dense(mlp("cross_entropy").repeated(2).write(tmp_path), operator, *FLOAT64, "--batch-size", 5)
    assert relative_error(twice, getattr(once, operator)()) < 1e-10


@pytest.mark.parametrize("operator", [*OPERATORS, "mc_fisher"])
def test_no_bit_depends_on_the_number_of_threads(operator, tmp_path):
    folder = PROBLEMS["transformer_tied"]().write(tmp_path)
    one = dense(folder, operator, "--batch-size", 1, threads=1)
    assert np.array_equal(one, dense(folder, operator, "--batch-size", 1, threads=2))


def test_the_operator_follows_the_weights(tmp_path):
    problem = mlp("cross_entropy")
    before = dense(problem.write(tmp_path), "hessian", *FLOAT64)
    problem.parameters[0] += 0.1
    after = dense(problem.write(tmp_path), "hessian", *FLOAT64)
    assert relative_error(after, before) > 1e-3
    assert relative_error(after, problem.reference().hessian()) < 1e-10


def test_the_empirical_ggn_is_the_outer_product_of_the_gradient(tmp_path):
    problem = mlp("cross_entropy")
    g = problem.reference().gradient()
    actual = dense(problem.write(tmp_path), "ggn", "--ggn-mode", "empirical", *FLOAT64)
    assert relative_error(actual, np.outer(g, g)) < 1e-10


DRAWN = ["mlp_cross_entropy", "mlp_mse", "mlp_bce", "transformer_tied"]


@pytest.mark.parametrize("name", DRAWN)
def test_monte_carlo_fisher_equals_its_definition_with_the_same_draws(name, tmp_path):
    problem = PROBLEMS[name]()
    found = dense(problem.write(tmp_path), "mc_fisher", "--mc-samples", 3, "--seed", 5, *FLOAT64)
    assert relative_error(found, problem.reference().mc_fisher(3, 5)) < 1e-10


@pytest.mark.parametrize("name", DRAWN)
def test_monte_carlo_fisher_tends_to_the_ggn_and_ignores_the_cut(name, tmp_path):
    problem = PROBLEMS[name]()
    folder, expected = problem.write(tmp_path), problem.reference().ggn()
    draws = ("--mc-samples", 400, *FLOAT64)
    whole = dense(folder, "mc_fisher", *draws)
    assert relative_error(dense(folder, "mc_fisher", *draws, "--batch-size", 2), whole) < 1e-12
    # 400 draws a row: standard errors of some per cent of the largest entry
    assert relative_error(whole, expected) < 0.3
    other_seed = dense(folder, "mc_fisher", *draws, "--seed", 1)
    assert relative_error(other_seed, whole) > 1e-4


@pytest.mark.parametrize(
    "globs, selected",
    [
        (["layers.1.*"], ["layers.1.weight", "layers.1.bias"]),
        (["*.weight", "!layers.0.*"], ["layers.1.weight", "layers.2.weight"]),
        (["!*.bias"], ["layers.0.weight", "layers.1.weight", "layers.2.weight"]),
    ],
)
def test_a_params_filter_gives_the_principal_sub_block(globs, selected, tmp_path):
    problem = mlp("cross_entropy")
    names = np.concatenate([[name] * int(np.prod(shape)) for name, shape in problem.shapes])
    inside = np.isin(names, selected)
    actual = dense(problem.write(tmp_path), "hessian", *FLOAT64, "--params-filter", *globs)
    assert relative_error(actual, problem.reference().hessian()[np.ix_(inside, inside)]) < 1e-10


HESSIAN_MODES = ("forward_over_reverse", "reverse_over_forward")


@pytest.mark.parametrize("name", ["mlp_gelu_without_bias", "cnn_group_max_cross_entropy", "transformer_tied"])
def test_every_hessian_mode_equals_the_dense_matrix(name, tmp_path):
    problem = PROBLEMS[name]()
    folder, expected = problem.write(tmp_path), problem.reference().hessian()
    for mode in HESSIAN_MODES:
        actual = dense(folder, "hessian", *FLOAT64, "--hessian-mode", mode, "--batch-size", 4)
        assert relative_error(actual, expected) < 1e-10, mode


@pytest.mark.parametrize("clip", [None, 0.4])
@pytest.mark.parametrize("name", ["mlp_cross_entropy", "cnn_plain_max_mse", "transformer_tied"])
def test_the_fisher_matrix_of_samples_is_that_of_their_mean_gradients(name, clip, tmp_path):
    problem = PROBLEMS[name]()
    flags = ("--fisher-unit", "sample", *(("--fisher-clip", clip) if clip else ()))
    actual = dense(problem.write(tmp_path), "empirical_fisher", *FLOAT64, *flags, "--batch-size", 3)
    expected = problem.reference().sample_fisher(problem.samples, clip or np.inf)
    assert relative_error(actual, expected) < 1e-10


@pytest.mark.parametrize("operator", OPERATORS)
def test_rebuilt_linearizations_give_the_same_matrix(operator, tmp_path):
    folder = PROBLEMS["cnn_group_avg_mse"]().write(tmp_path)
    kept, rebuilt = kept_and_rebuilt(folder, operator, *FLOAT64, "--batch-size", 2)
    assert relative_error(rebuilt, kept) < 1e-12


def test_heavy_class_imbalance_changes_no_digit(tmp_path):
    problem = mlp("cross_entropy", samples=60)
    problem.targets[:] = 0
    problem.targets[17] = 2
    folder, reference = problem.write(tmp_path), problem.reference()
    for operator in OPERATORS:
        actual = dense(folder, operator, *FLOAT64, "--batch-size", 7)
        assert relative_error(actual, getattr(reference, operator)()) < 1e-10, operator


@pytest.mark.parametrize("operator", ["ggn", "empirical_fisher", "mc_fisher"])
@pytest.mark.parametrize("name", ["mlp_bce", "transformer_tied"])
def test_semi_definite_operators_have_no_negative_eigenvalue_beyond_rounding(name, operator, tmp_path):
    folder = PROBLEMS[name]().write(tmp_path)
    for flags, rounding in ((FLOAT64, 1e-14), ((), 1e-6)):
        values = np.linalg.eigvalsh(symmetric_part(dense(folder, operator, *flags)))
        assert values[0] >= -rounding * values[-1]


def symmetric_part(a):
    return (a + a.T) / 2
