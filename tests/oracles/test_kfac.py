"""Kronecker factors and their operators through files, against plain PyTorch."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from kfac_runs import collect, stored_factor
from network_problems import FLOAT64, PROBLEMS
from problems import dense, relative_error, run


def plain_factors(problem):
    """A and G of each layer of an MLP with bias and cross-entropy, by a backward pass a class."""
    weights = problem.parameters[0::2]
    biases = problem.parameters[1::2]
    h = torch.from_numpy(problem.inputs).double()
    inputs, outputs = [], []
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        inputs.append(torch.cat([h, torch.ones(len(h), 1, dtype=h.dtype)], 1))
        outputs.append((h @ w.T + b).requires_grad_())
        h = torch.tanh(outputs[-1]) if i + 1 < len(weights) else outputs[-1]
    p = torch.softmax(h, 1).detach()
    hessians = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    values, vectors = torch.linalg.eigh(hessians)  # another root than the engine's: G must not depend on it
    roots = vectors * values.clamp(min=0).sqrt()[:, None, :]
    gs = [torch.zeros(y.shape[1], y.shape[1], dtype=h.dtype) for y in outputs]
    for c in range(p.shape[1]):
        for total, g in zip(
            gs, torch.autograd.grad(h, outputs, roots[:, :, c], retain_graph=True), strict=True
        ):
            total += g.T @ g / len(h)
    return [(a.T @ a / len(a)).detach().numpy() for a in inputs], [g.numpy() for g in gs]


def embed(block, out, inside):
    """Block in the order of [weight, bias] rows -> order of the flat vector: weight, then bias."""
    grid = np.arange(out * inside).reshape(out, inside)
    order = np.concatenate([grid[:, :-1].ravel(), grid[:, -1]])
    return block[np.ix_(order, order)]


def test_factors_and_operator_equal_those_of_plain_pytorch(mlp):
    problem, folder = mlp
    expected, offset = np.zeros((83, 83)), 0
    with h5py.File(folder / "kfac.h5") as file:
        for i, (a, g) in enumerate(zip(*plain_factors(problem), strict=True)):
            layer = file[f"layers/layers.{i}"]
            assert relative_error(stored_factor(layer, "a"), a) < 1e-12
            assert relative_error(stored_factor(layer, "g"), g) < 1e-12
            assert list(layer.attrs["parameters"]) == [f"layers.{i}.weight", f"layers.{i}.bias"]
            size = a.shape[0] * g.shape[0]
            expected[offset : offset + size, offset : offset + size] = embed(np.kron(g, a), len(g), len(a))
            offset += size
        assert file.attrs["covered_elements"] == file.attrs["total_elements"] == 83
        assert list(file.attrs["missing"]) == []
    assert relative_error(dense(folder, "kfac", "--kfac", folder / "kfac.h5"), expected) < 1e-12


def check_documented(said):
    """Every field of comparison.json stands in docs/metrics.md, those by layer among them."""
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text().partition("## comparison.json")[2]
    fields = set(said) | set().union(*said["layers"].values())
    assert {name for name in fields if f"`{name}`" not in text} == set()


def coordinates(problem, layer):
    """Of a layer's parameters in the flat vector."""
    offset, all_of = 0, []
    for name, shape in problem.shapes:
        size = int(np.prod(shape))
        if name in layer.attrs["parameters"]:
            all_of.extend(range(offset, offset + size))
        offset += size
    return np.array(all_of)


def check_layers(said, kfac_file, problem, matrix, ggn):
    """comparison.json's layers against the dense diagonal blocks."""
    with h5py.File(kfac_file) as file:
        assert set(said) == set(file["layers"])
        for name, layer in file["layers"].items():
            where = coordinates(problem, layer)
            block, exact = matrix[np.ix_(where, where)], ggn[np.ix_(where, where)]
            own = said[name]
            error = np.linalg.norm(block - exact) / np.linalg.norm(exact)
            assert own["kfac_error"] == pytest.approx(error, rel=1e-6, abs=1e-12)
            (values, x), (exact_values, y) = np.linalg.eigh(block), np.linalg.eigh(exact)
            k, scale = min(4, len(where)), exact_values[-1]
            np.testing.assert_allclose(own["eigenvalues"], values[::-1][:k], atol=1e-10 * scale)
            np.testing.assert_allclose(own["ggn_eigenvalues"], exact_values[::-1][:k], atol=1e-10 * scale)
            if (
                k == len(where)
                or min(values[-k] - values[-k - 1], exact_values[-k] - exact_values[-k - 1]) < 1e-6 * scale
            ):
                continue  # the span of the leading ones is everything, or not unique
            cosines = np.linalg.svd(x[:, -k:].T @ y[:, -k:])[1]
            np.testing.assert_allclose(np.cos(own["principal_angles"]), cosines, atol=1e-7)
            assert own["overlap"] == pytest.approx(np.mean(cosines**2), abs=1e-7)


@pytest.mark.parametrize("name", ["cnn_group_max_cross_entropy", "transformer_tied", "transformer_untied"])
def test_ekfac_is_no_farther_from_the_ggn_than_kfac_and_compare_kfac_says_how_far(name, tmp_path):
    problem = PROBLEMS[name]()
    folder, ggn = problem.write(tmp_path), problem.reference().ggn()
    assert collect(folder, "--batch-size", 3).returncode == 0
    errors = {}
    for kind in ("kfac", "ekfac"):
        matrix = dense(folder, kind, *FLOAT64, "--kfac", folder / "kfac.h5")
        errors[kind] = np.linalg.norm(matrix - ggn) / np.linalg.norm(ggn)
        done = run("compare-kfac", "--operator", folder / "operator.h5", "--k", 4, "--out", folder / "c.json")
        assert done.returncode == 0, done.stderr
        said = json.loads((folder / "c.json").read_text())
        assert said["kfac_error_method"] == "columns" and said["coverage"] == 1
        assert said["kfac_error"] == pytest.approx(errors[kind], rel=1e-4)
        check_documented(said)
        check_layers(said["layers"], folder / "kfac.h5", problem, matrix, ggn)
        values = np.linalg.eigvalsh(matrix)[::-1]
        np.testing.assert_allclose(said["eigenvalues"], values[:4], rtol=1e-10)
        if values[3] - values[4] < 1e-6 * values[0]:
            continue  # the span of the leading four is not unique
        spans = [np.linalg.eigh(m)[1][:, -4:] for m in (matrix, ggn)]
        cosines = np.linalg.svd(spans[0].T @ spans[1])[1]
        assert said["overlap"] == pytest.approx(np.mean(cosines**2), abs=1e-3)
    assert errors["ekfac"] <= errors["kfac"] < 1


def test_the_operator_carries_its_spectrum_and_metrics_checks_lanczos_against_it(mlp):
    _, folder = mlp
    matrix = dense(folder, "kfac", "--kfac", folder / "kfac.h5")
    with h5py.File(folder / "operator.h5") as file:
        np.testing.assert_allclose(file["spectrum"][:], np.linalg.eigvalsh(matrix)[::-1], atol=1e-13)
    operator, lanczos, ritz = folder / "operator.h5", folder / "lanczos.h5", folder / "ritz.h5"
    wanted = ("--k", 5, "--tol", 1e-9, "--checkpoint", folder / "checkpoint")
    for done in (
        run("lanczos", "--operator", operator, *wanted, "--out", lanczos),
        run("ritz-residuals", "--operator", operator, "--lanczos", lanczos, "--out", ritz),
        run("metrics", "--ritz", ritz, "--operator", operator, "--out", folder / "m.json"),
    ):
        assert done.returncode == 0, done.stderr
    record = json.loads((folder / "m.json").read_text())
    assert record["closed_form_error"] < 1e-10
    assert record["closed_form_missed"] == 0


def test_damped_powers_come_back(mlp):
    _, folder = mlp
    flags = ("--kfac", folder / "kfac.h5", "--damping", 0.01)
    damped = dense(folder, "ekfac", *flags)
    inverse = dense(folder, "ekfac", *flags, "--power", -1)
    root = dense(folder, "ekfac", *flags, "--power", -0.5)
    assert relative_error(damped @ inverse, np.eye(83)) < 1e-11
    assert relative_error(root @ root, inverse) < 1e-12
    assert relative_error(damped - 0.01 * np.eye(83), dense(folder, "ekfac", *flags[:2])) < 1e-12


def test_a_factor_above_the_limit_is_kept_as_diagonal_blocks_and_the_file_says_which(mlp):
    _, folder = mlp
    whole = dense(folder, "kfac", "--kfac", folder / "kfac.h5")
    done = collect(folder, "--max-factor", 6, out="blocks.h5")
    assert done.returncode == 0, done.stderr
    assert "layers.1: factors of 5 outputs and 7 inputs are kept as 1 and 2 diagonal blocks" in done.stderr
    assert "83 of 83 elements (100.0 %)" in done.stderr
    blocks = dense(folder, "kfac", "--kfac", folder / "blocks.h5")
    with h5py.File(folder / "blocks.h5") as file:
        parts = [name for name in file["layers"] if name.startswith("layers.1")]
        assert parts == ["layers.1[:, 0:3]", "layers.1[:, 3:7]"]
        assert list(file["layers"][parts[1]].attrs["rows"]) == [0, 5]
        assert list(file["layers"][parts[1]].attrs["columns"]) == [3, 4]
    grid = 30 + np.arange(30).reshape(5, 6)  # layers.1.weight; its bias is the last column
    same, other = grid[:, :3].ravel(), np.concatenate([grid[:, 3:].ravel(), np.arange(60, 65)])
    for part in (same, other):
        assert relative_error(blocks[np.ix_(part, part)], whole[np.ix_(part, part)]) < 1e-12
    assert not blocks[np.ix_(same, other)].any() and whole[np.ix_(same, other)].any()


def test_empirical_factors_are_moments_of_the_gradients_of_the_data(tmp_path):
    """Softmax regression: A = E a a', G = E (p - e_y)(p - e_y)'."""
    problem = PROBLEMS["linear"]()
    folder = problem.write(tmp_path)
    assert collect(folder, "--fisher-type", "empirical", "--batch-size", 2).returncode == 0
    reference = problem.reference()
    p = torch.softmax(reference.z, 1).detach().numpy()
    r = p - np.eye(3)[problem.targets]
    with h5py.File(folder / "kfac.h5") as file:
        assert relative_error(stored_factor(file["layers/layers.0"], "g"), r.T @ r / len(r)) < 1e-13
