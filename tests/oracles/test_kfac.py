"""collect-kfac, build-operator and compare-kfac through their files, against plain PyTorch."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from problems import build, dense, relative_error, run
from test_dense_operators import PROBLEMS

FLOAT64 = ("--dtype-compute", "float64")


def collect(folder, *flags, out="kfac.h5"):
    return run(
        "collect-kfac", "--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / out,
        *FLOAT64, *flags,
    )  # fmt: skip


@pytest.fixture
def mlp(tmp_path):
    """Data, model and factors of a small MLP."""
    problem = PROBLEMS["mlp_cross_entropy"]()
    folder = problem.write(tmp_path)
    done = collect(folder)
    assert done.returncode == 0, done.stderr
    assert "covered 6 of 6 parameters (100.0 %), 83 of 83 elements (100.0 %)" in done.stderr
    return problem, folder


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


def stored_factor(layer, factor):
    values, vectors = layer[f"{factor}_eigenvalues"][:], layer[f"{factor}_eigenvectors"][:]
    return vectors @ np.diag(values) @ vectors.T


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


def test_a_file_with_dense_factors_is_decomposed_on_reading(mlp):
    _, folder = mlp
    expected = dense(folder, "kfac", "--kfac", folder / "kfac.h5")
    with h5py.File(folder / "kfac.h5") as ours, h5py.File(folder / "dense_factors.h5", "w") as user:
        user.attrs.update({k: v for k, v in ours.attrs.items() if k != "content_sha256"})
        for name, layer in ours["layers"].items():
            group = user.create_group(f"layers/{name}")
            group.attrs["parameters"] = list(layer.attrs["parameters"])
            group["a"], group["g"] = stored_factor(layer, "a"), stored_factor(layer, "g")
    path = folder / "dense_factors.h5"
    assert relative_error(dense(folder, "kfac", "--kfac", path), expected) < 1e-12
    done = build(folder, "ekfac", "--kfac", path)
    assert done.returncode == 2 and "'ekfac_eigenvalues'" in done.stderr


def without_layer(path, name, out):
    """A user's factor file that lacks one layer."""
    with h5py.File(path) as ours, h5py.File(out, "w") as user:
        user.attrs.update({k: v for k, v in ours.attrs.items() if k != "content_sha256"})
        ours.copy("layers", user)
        del user[f"layers/{name}"]


def test_an_uncovered_layer_is_refused_and_named(mlp):
    _, folder = mlp
    part = folder / "part.h5"
    without_layer(folder / "kfac.h5", "layers.1", part)
    done = build(folder, "kfac", "--kfac", part, out="refused.h5")
    assert done.returncode == 3 and "--uncovered" in done.stderr
    assert "covered 4 of 6 parameters (66.7 %), 48 of 83 elements (57.8 %)" in done.stderr, done.stderr
    assert "missing: layers.1.weight, layers.1.bias" in done.stderr
    assert not (folder / "refused.h5").exists()
    rest = slice(30, 65)
    exact = dense(folder, "kfac", *FLOAT64, "--kfac", part, "--uncovered", "exact_ggn")
    ggn = dense(folder, "ggn", *FLOAT64)
    assert relative_error(exact[rest, rest], ggn[rest, rest]) < 1e-12
    with h5py.File(folder / "operator.h5") as file:
        assert "spectrum" not in file  # of an exact block no closed form is known
    identity = dense(folder, "kfac", "--kfac", part, "--uncovered", "identity")
    assert np.array_equal(identity[rest, rest], np.eye(35))
    zero = dense(folder, "kfac", "--kfac", part, "--uncovered", "zero")
    assert not zero[rest].any()
    with h5py.File(folder / "operator.h5") as file:
        assert file.attrs["coverage"] == pytest.approx(48 / 83)
        assert file.attrs["uncovered"] == "zero"


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


def test_layers_that_cover_a_part_of_a_parameter_are_refused(mlp):
    _, folder = mlp
    assert collect(folder, "--max-factor", 6, out="blocks.h5").returncode == 0
    without_layer(folder / "blocks.h5", "layers.1[:, 0:3]", folder / "part.h5")
    assert "layers cover only a part of layers.1.weight" in refusal(folder, folder / "part.h5")


def test_the_file_says_how_norms_tied_tables_and_tokens_were_treated(tmp_path):
    folder = PROBLEMS["transformer_tied"]().write(tmp_path)
    done = collect(folder)
    assert done.returncode == 0 and "token terms separate" in done.stderr, done.stderr
    with h5py.File(folder / "kfac.h5") as file:
        layers = file["layers"]
        tied = [name for name, layer in layers.items() if "tied" in layer.attrs]
        assert tied == ["token_embedding"] and layers[tied[0]].attrs["tied"] == "output layer alone"
        assert layers["ln_f"].attrs["kind"] == "norm" and layers["ln_f"]["g_eigenvectors"].ndim == 2
        assert layers["position_embedding"].attrs["kind"] == "embedding"
        assert "a_eigenvectors" not in layers["position_embedding"]
        assert file.attrs["token_terms"] == "separate" and "seed" not in file.attrs
        assert file.attrs["covered_elements"] == file.attrs["total_elements"]
    assert collect(folder, "--token-terms", "signs", "--seed", 4).returncode == 0
    with h5py.File(folder / "kfac.h5") as file:
        assert (file.attrs["token_terms"], file.attrs["seed"], file.attrs["mc_samples"]) == ("signs", 4, 1)


def refusal(folder, path, kind="kfac"):
    done = build(folder, kind, "--kfac", path, out="none.h5")
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("error: "), done.stderr
    assert not (folder / "none.h5").exists()
    return done.stderr


def test_a_damaged_or_foreign_factor_file_is_refused(mlp, tmp_path_factory):
    problem, folder = mlp
    path = folder / "kfac.h5"
    whole = path.read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])
    assert "cut.h5" in refusal(folder, folder / "cut.h5")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    (folder / "flipped.h5").write_bytes(flipped)
    assert "flipped.h5" in refusal(folder, folder / "flipped.h5")
    assert "data.h5" in refusal(folder, folder / "data.h5")
    assert "--kfac" in run("build-operator", "--data", folder / "data.h5", "--model", folder / "model.h5",
                           "--operator", "kfac", "--out", folder / "o.h5").stderr  # fmt: skip
    problem.parameters[0] += 0.1
    problem.write_model(folder / "model.h5")
    assert "another model" in refusal(folder, path)


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("a_eigenvalues", lambda x: x - 10, "positive semi-definite"),
        ("a_eigenvectors", lambda x: 2 * x, "not orthonormal"),
        ("g_eigenvalues", lambda x: x * np.nan, "finite"),
    ],
)
def test_wrong_numbers_in_a_users_factor_file_are_named(mlp, name, change, message):
    _, folder = mlp
    with h5py.File(folder / "kfac.h5") as ours, h5py.File(folder / "user.h5", "w") as user:
        user.attrs.update({k: v for k, v in ours.attrs.items() if k != "content_sha256"})
        ours.copy("layers", user)
        values = user[f"layers/layers.1/{name}"]
        values[...] = change(values[...])
    said = refusal(folder, folder / "user.h5")
    assert f"layers/layers.1/{name}" in said and message in said


def test_an_operator_whose_factors_changed_is_refused(mlp):
    _, folder = mlp
    assert build(folder, "kfac", "--kfac", folder / "kfac.h5").returncode == 0
    assert collect(folder, "--fisher-type", "empirical").returncode == 0
    done = run("dense-operator", folder / "operator.h5", folder / "dense.h5")
    assert done.returncode == 2 and "kfac.h5: its contents changed" in done.stderr


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


@pytest.mark.parametrize(
    "flag, word", [("--fisher-type", "type3"), ("--kfac-approx", "expnd"), ("--token-terms", "sign")]
)
def test_unknown_words_are_refused_with_the_right_ones(mlp, flag, word):
    _, folder = mlp
    done = collect(folder, flag, word, out="none.h5")
    assert done.returncode == 2 and flag in done.stderr and "expected" in done.stderr
