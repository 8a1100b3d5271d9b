"""Variants of the Lanczos settings: which cells they make, what these are told, and what is refused."""

import copy
import json

import pytest
import scripts_under_test  # noqa: F401

from ritzflow.sweep import artifacts, cells, places, stage_flags, sweep_config

RAW = {
    "name": "s",
    "models": {
        name: {
            "data": {"source": "digits"},
            "architecture": {"kind": "mlp"},
            "training": {"steps": 1, "learning_rate": 0.1},
        }
        for name in ("a", "b")
    },
    "operators": {"hessian": {}, "ggn": {}},
    "reorth_modes": ["full", "selective"],
    "lanczos": {"k": 4, "max_iters": 60},
}


def resolve(**changes):
    return sweep_config.resolve(copy.deepcopy({**RAW, **changes}), "s.yaml")


def refusal(**changes):
    with pytest.raises(sweep_config.ConfigError) as caught:
        resolve(**changes)
    return str(caught.value)


def made(config, mode, model="a", operator="ggn"):
    """The variants of a mode, in order."""
    want = {"reorth_mode": mode, "model": model, "operator": operator}
    return [cell["variant"] for cell in cells.expected(config) if want.items() <= cell.items()]


def cell(config, mode, variant, **more):
    want = {"model": "a", "operator": "ggn", "reorth_mode": mode, "variant": variant, **more}
    (found,) = [cell for cell in cells.expected(config) if want.items() <= cell.items()]
    return found


def test_a_sweep_without_variants_has_the_folders_of_the_first_version():
    config = resolve()
    assert not {"variants", "grid"} & config.keys()
    assert places.CELL.format(**cells.expected(config)[0]) == "a/seed0/step1/hessian/full/probe0"
    assert "variant" not in cells.columns(config)


def test_a_variant_is_a_folder_behind_its_mode_and_replaces_settings():
    config = resolve(variants={"m40": {"max_iters": 40}, "plain": {}})
    there = cell(config, "full", "/m40")
    assert places.LANCZOS.format(**there) == "cells/a/seed0/step1/ggn/full/m40/probe0/lanczos.h5"
    assert places.DENSITY.format(**there) == "cells/a/seed0/step1/ggn/full/m40/density.h5"
    flags = stage_flags.lanczos(config, there)
    assert (flags["max_iters"], flags["k"], flags["reorth_mode"]) == (40, 4, "full")
    assert stage_flags.lanczos(config, cell(config, "full", "/plain"))["max_iters"] == 60
    assert not {"models", "operators", "reorth_modes"} & flags.keys()


def test_variants_are_for_the_cells_that_they_name():
    only = {"reorth_modes": ["selective"], "operators": ["ggn"], "models": ["b"]}
    config = resolve(variants={"w2": {"reorth_window": 2, **only}, "m40": {"max_iters": 40}})
    assert made(config, "selective", "b") == ["/w2", "/m40"]
    for mode, model, operator in (
        ("full", "b", "ggn"),
        ("selective", "a", "ggn"),
        ("selective", "b", "hessian"),
    ):
        assert made(config, mode, model, operator) == ["/m40"]


def test_where_no_variant_is_for_a_cell_it_has_the_settings_of_lanczos():
    config = resolve(variants={"w2": {"reorth_window": 2, "reorth_modes": ["selective"]}})
    assert made(config, "full") == ["/base"] and made(config, "selective") == ["/w2"]
    assert stage_flags.lanczos(config, cell(config, "full", "/base"))["reorth_window"] is None


def test_a_grid_is_the_product_and_a_mode_has_the_settings_that_it_uses():
    config = resolve(grid={"reorth_window": [2, 8], "max_iters": [20, 40]})
    names = [f"/reorth_window={w},max_iters={m}" for w in (2, 8) for m in (20, 40)]
    assert made(config, "selective") == names
    assert made(config, "full") == ["/max_iters=20", "/max_iters=40"]
    windows = [
        stage_flags.lanczos(config, cell(config, "selective", name))["reorth_window"] for name in names
    ]
    assert windows == [2, 2, None, None]  # 8 is the stage's own default
    assert stage_flags.lanczos(config, cell(config, "full", "/max_iters=20"))["max_iters"] == 20


def test_a_setting_that_a_mode_does_not_use_makes_no_further_cells():
    assert made(resolve(grid={"reorth_window": [2, 4]}), "full") == ["/base"]
    both = resolve(grid={"reorth_window": [2, 4]}, variants={"m40": {"max_iters": 40}})
    assert made(both, "full") == ["/m40", "/base"]
    listed = resolve(variants={"w2": {"reorth_window": 2}, "w4": {"reorth_window": 4}, "plain": {}})
    assert made(listed, "full") == ["/plain"] and made(listed, "selective") == ["/w2", "/w4", "/plain"]


def test_names_have_numbers_as_people_write_them():
    config = resolve(grid={"tol": ["1e-6", 0.5], "certificate": [True, None], "which": ["both"]})
    assert made(config, "full")[:2] == [
        "/tol=1e-6,certificate=true,which=both",
        "/tol=1e-6,certificate=default,which=both",
    ]


def test_names_of_variants_may_hold_dots():
    config = resolve(variants={"tol0.1": {"tol": 0.1}})
    assert places.LANCZOS.format(**cell(config, "full", "/tol0.1")).endswith("/full/tol0.1/probe0/lanczos.h5")


def test_the_frozen_configuration_is_the_same_sweep():
    both = {name: {"k": 5, "reorth_window": w} for name, w in (("z", 2), ("y", 4))}
    config = resolve(variants=both, grid={"tol": [1e-6, 1e-9], "reorth_period": [5], "max_iters": [30]})
    frozen = sweep_config.resolve(json.loads(sweep_config.canonical(config)), "sweep.json")
    assert frozen == config and artifacts.of_sweep(frozen) == artifacts.of_sweep(config)


def test_runs_that_may_restart_refer_to_the_density_with_their_settings():
    config = resolve(reorth_modes=["auto", "full"], grid={"krylov_dim": [20, 30], "max_iters": [20, 40]})
    (whole,) = artifacts.metrics(config, cell(config, "auto", "/krylov_dim=20,max_iters=40")).inputs[
        "density"
    ]
    assert whole == "cells/a/seed0/step1/ggn/full/max_iters=40/density.h5"
    lone = resolve(reorth_modes=["auto", "full"], variants={"x": {"k": 5, "reorth_modes": ["auto"]}})
    assert artifacts.metrics(lone, cell(lone, "auto", "/x")).inputs["density"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"variants": {"w": {"max_iter": 3}}},
            "unknown key 'max_iter' in 'variants.w'; did you mean 'max_iters'?",
        ),
        ({"variants": {"w": {"k": [3]}}}, "'variants.w.k'"),
        ({"variants": {"w": {"reorth_modes": ["ful"]}}}, "did you mean 'full'?"),
        (
            {"variants": {"w": {"reorth_modes": ["off"]}}},
            "'off' in 'variants.w.reorth_modes' is not one of reorth_modes: full, selective",
        ),
        ({"variants": {"w": {"operators": ["hesian"]}}}, "did you mean 'hessian'?"),
        ({"variants": {"w": {"models": ["c"]}}}, "'c' in 'variants.w.models' is not one of models: a, b"),
        ({"variants": {"w/2": {"k": 3}}}, "'w/2' in 'variants'"),
        ({"variants": {"w=2": {"k": 3}}}, "'w=2' in 'variants'"),
        ({"variants": {"..": {"k": 3}}}, "'..' in 'variants'"),
        ({"variants": {"base": {"k": 3}}}, "'variants.base' is the name of 'lanczos' as it is"),
        (
            {"variants": {"w": {"k": 30, "krylov_dim": 20}}},
            "'variants.w.krylov_dim': 20 is too small for k: 30",
        ),
        (
            {"variants": {"w": {"reorth_window": 2, "reorth_modes": ["full"]}}},
            "no cell uses 'variants.w': reorth_window is for selective",
        ),
        (
            {
                "reorth_modes": ["full"],
                "variants": {n: {"k": 5, "reorth_window": w} for n, w in (("x", 2), ("y", 4))},
            },
            "no cell uses 'variants.y': another one has the same settings in its modes",
        ),
        ({"variants": {}}, "'variants'"),
        ({"grid": {"windw": [3]}}, "unknown key 'windw' in 'grid'"),
        ({"grid": {"max_iter": [3]}}, "unknown key 'max_iter' in 'grid'; did you mean 'max_iters'?"),
        ({"grid": {"max_iters": 3}}, "'grid.max_iters'"),
        ({"grid": {"max_iters": [3, 3]}}, "'grid.max_iters'"),
        ({"grid": {"max_iters": ["many"]}}, "'grid.max_iters.0'"),
        (
            {"grid": {"krylov_dim": [20]}},
            "'grid.krylov_dim' is for thick_restart and auto: none of reorth_modes uses it",
        ),
        ({"grid": {}}, "'grid'"),
    ],
)
def test_what_is_wrong_with_a_variant_is_one_line(changes, message):
    text = refusal(**changes)
    assert message in text and len(text.splitlines()) == 1 and text.startswith("s.yaml: ")
