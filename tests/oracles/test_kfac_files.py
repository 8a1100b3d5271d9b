"""Files of factors: what they record, users' own, and those that are incomplete, damaged or foreign."""

import h5py
import numpy as np
import pytest
from kfac_runs import collect, refusal, stored_factor, without_layer
from network_problems import FLOAT64, PROBLEMS
from problems import build, dense, relative_error, run


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


@pytest.mark.parametrize(
    "flag, word", [("--fisher-type", "type3"), ("--kfac-approx", "expnd"), ("--token-terms", "sign")]
)
def test_unknown_words_are_refused_with_the_right_ones(mlp, flag, word):
    _, folder = mlp
    done = collect(folder, flag, word, out="none.h5")
    assert done.returncode == 2 and flag in done.stderr and "expected" in done.stderr
