"""The method's settings by name: what a preset stands for, what overrides it, and what is said of it."""

import copy

import pytest
from test_variants import RAW, cell, refusal, resolve

from ritzflow.sweep import presets, stage_flags, sweep_config

MODULE = {"kind": "module", "module": "mine:net", "weights": "w.pt"}


def types(**changes):
    return [operator["dtype_compute"] for operator in resolve(**changes)["operators"].values()]


@pytest.mark.parametrize(
    ("name", "settings", "precision"),
    [
        ("minimal", {"k": 5, "max_iters": 15, "tol": 1e-6}, ["float32", "bfloat16"]),
        ("balanced", {"k": 10, "max_iters": 30, "tol": 1e-6}, ["float32", "float32"]),
        ("accurate", {"k": 20, "max_iters": 60, "tol": 1e-12}, ["float64", "float64"]),
    ],
)
def test_a_preset_is_settings_and_the_precision_of_hessian_and_ggn(name, settings, precision):
    config = resolve(lanczos={"preset": name})
    assert config["lanczos"].items() >= {**settings, "preset": name}.items()
    assert types(lanczos={"preset": name}) == precision
    flags = stage_flags.lanczos(config, cell(config, "full", ""))
    assert "preset" not in flags and flags.items() >= settings.items()


def test_every_key_of_the_sweep_file_overrides_it():
    lanczos = {"preset": "accurate", "k": 7, "tol": "1e-9"}
    config = resolve(lanczos=lanczos, operators={"hessian": {"dtype_compute": "float32"}, "ggn": {}})
    assert (config["lanczos"]["k"], config["lanczos"]["tol"], config["lanczos"]["max_iters"]) == (7, 1e-9, 60)
    assert [operator["dtype_compute"] for operator in config["operators"].values()] == ["float32", "float64"]


def test_without_a_preset_nothing_is_taken_or_said():
    config = resolve()
    assert "preset" not in config["lanczos"] and list(presets.lines(config)) == []


@pytest.mark.parametrize(
    ("name", "module", "expected"),
    [("minimal", {}, "float32"), ("accurate", {}, "float64"), ("accurate", {"verify": "float32"}, "float32")],
)
def test_modules_keep_the_precision_that_they_have_products_in(name, module, expected):
    models = {"m": {"data": {"source": "digits"}, "architecture": {**MODULE, **module}}}
    assert types(lanczos={"preset": name}, models=models) == [expected, expected]


def test_operators_without_products_in_bfloat16_keep_float32():
    operators = {"kfac": {}, "mc_fisher": {}, "forced": {"kind": "hessian", "force": True}}
    assert types(lanczos={"preset": "minimal"}, operators=operators) == ["float32", "bfloat16", "bfloat16"]


def test_a_variant_has_a_preset_in_the_products_of_its_operator():
    config = resolve(variants={"quick": {"preset": "minimal", "max_iters": 20}, "plain": {}})
    flags = stage_flags.lanczos(config, cell(config, "full", "/quick"))
    assert (flags["k"], flags["max_iters"]) == (5, 20) and "preset" not in flags
    assert stage_flags.lanczos(config, cell(config, "full", "/plain"))["k"] == 4
    assert [operator["dtype_compute"] for operator in config["operators"].values()] == ["float32"] * 2


def test_a_grid_compares_presets():
    config = resolve(grid={"preset": ["minimal", "accurate"], "which": ["both"]})
    flags = [
        stage_flags.lanczos(config, cell(config, "full", f"/preset={n},which=both"))
        for n in ("minimal", "accurate")
    ]
    assert [(f["k"], f["max_iters"], f["tol"]) for f in flags] == [(5, 15, 1e-6), (20, 60, 1e-12)]


def test_what_holds_is_said():
    config = resolve(lanczos={"preset": "minimal", "k": 6}, variants={"best": {"preset": "accurate"}})
    assert list(presets.lines(config)) == [
        "preset minimal: k 6, max_iters 15, tol 1e-06; products of hessian float32, ggn bfloat16",
        "preset accurate of the variant best: k 20, max_iters 60, tol 1e-12; products as its operators say",
    ]


def test_the_frozen_configuration_is_the_same():
    config = resolve(lanczos={"preset": "minimal", "k": 6}, variants={"best": {"preset": "accurate"}})
    assert sweep_config.resolve(copy.deepcopy(config), "sweep.json") == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"lanczos": {"preset": "balance"}},
            "'balance' for 'lanczos.preset' is not one of minimal, balanced, accurate",
        ),
        ({"lanczos": {"preset": ["minimal"]}}, "for 'lanczos.preset'"),
        ({"variants": {"w": {"preset": "best"}}}, "for 'variants.w.preset' is not one of minimal"),
        ({"grid": {"preset": "minimal"}}, "'grid.preset'"),
        ({"grid": {"preset": ["best"]}}, "for 'grid.preset.0' is not one of minimal"),
        (
            {"lanczos": {"preset": "accurate", "krylov_dim": 10}},
            "'lanczos.krylov_dim': 10 is too small for k: 20",
        ),
        ({"lanczos": 3}, "'lanczos'"),
        ({"variants": [3]}, "'variants'"),
    ],
)
def test_what_is_wrong_with_a_preset_is_one_line(changes, message):
    text = refusal(**changes)
    assert message in text and len(text.splitlines()) == 1


def test_other_mistakes_are_still_found():
    assert "'models'" in refusal(lanczos={"preset": "minimal"}, models=3)
    assert "'operators.ggn'" in refusal(lanczos={"preset": "minimal"}, operators={"ggn": 3})
    assert "'models.a'" in refusal(lanczos={"preset": "minimal"}, models={**RAW["models"], "a": 3})
