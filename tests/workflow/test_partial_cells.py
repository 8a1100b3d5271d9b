"""Lists of partial cells that a sweep measures as well, or does not."""

import pytest
from test_variants import RAW, refusal, resolve

from ritzflow.sweep import artifacts, cells, size, summaries

OFF = {"operator": "hessian", "reorth_mode": False}  # as YAML reads an unquoted off
BASE = {"reorth_modes": ["full", "off"], "seeds": [0, 1], "probes": [0, 1]}


def there(config, *axes):
    """The values of some axes that cells have."""
    return {tuple(cell[axis] for axis in axes) for cell in cells.expected(config)}


def test_excluded_cells_are_no_cells_of_any_model_seed_or_probe():
    config = resolve(**BASE, exclude=[OFF])
    assert len(cells.expected(config)) == 2 * 2 * 2 * 3
    assert there(config, "operator", "reorth_mode") == {("hessian", "full"), ("ggn", "full"), ("ggn", "off")}
    assert not [path for path in artifacts.of_sweep(config) if "hessian/off" in path]


def test_included_cells_come_back_or_have_a_mode_of_their_own():
    config = resolve(
        **BASE, exclude=[OFF], include=[{"model": "a", **OFF}, {"reorth_mode": "auto", "model": "b"}]
    )
    assert there(config, "model", "operator", "reorth_mode") == {
        *((model, "ggn", mode) for model in "ab" for mode in ("full", "off")),
        *(("a", "hessian", mode) for mode in ("full", "off")),
        *(("b", operator, mode) for operator in ("hessian", "ggn") for mode in ("full", "auto")),
        ("b", "ggn", "auto"),
    }
    assert len(cells.expected(config)) == len({tuple(cell.values()) for cell in cells.expected(config)})


def test_a_step_a_seed_and_a_probe_are_axes_too():
    steps = {name: {**model, "steps": [0, "final"]} for name, model in RAW["models"].items()}
    config = resolve(
        **BASE, models=steps, exclude=[{"step": "final", "seed": 1}, {"probe": 1, "reorth_mode": "full"}]
    )
    assert there(config, "step", "seed") == {(0, 0), (0, 1), (1, 0)}
    assert there(config, "reorth_mode", "probe") == {("full", 0), ("off", 0), ("off", 1)}


def test_a_density_is_made_from_the_probes_that_are_there():
    config = resolve(**BASE, exclude=[{"probe": 1, "reorth_mode": "full"}])
    runs = {
        mode: len(artifacts.of_sweep(config)[f"cells/a/seed0/step1/ggn/{mode}/density.h5"].inputs["lanczos"])
        for mode in ("full", "off")
    }
    assert runs == {"full": 1, "off": 2}


def test_a_density_that_is_excluded_is_not_referred_to():
    config = resolve(
        reorth_modes=["auto", "full", "off"], exclude=[{"operator": "ggn", "reorth_mode": "full"}]
    )
    of = {
        c["operator"]: artifacts.metrics(config, c)
        for c in cells.expected(config)
        if c["reorth_mode"] == "auto"
    }
    assert of["ggn"].inputs["density"] == ["cells/b/seed0/step1/ggn/off/density.h5"]
    assert of["hessian"].inputs["density"] == ["cells/b/seed0/step1/hessian/full/density.h5"]


def test_variants_and_blocks_are_axes_too():
    config = resolve(
        variants={"x": {"k": 5}, "y": {"k": 6, "operators": ["ggn"]}},
        operators={"ggn": {"blocks": "per_layer"}, "hessian": {}},
        exclude=[{"variant": "x", "block": "layers.0"}],
        include=[{"variant": "y", "operator": "hessian", "model": "a"}],
    )
    assert ("@layers.0", "/x") not in there(config, "block", "variant")
    assert ("@layers.1", "/x") in there(config, "block", "variant")
    assert {
        model for model, o, v in there(config, "model", "operator", "variant") if (o, v) == ("hessian", "/y")
    } == {"a"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"exclude": [{"operator": "hesian"}]},
            "'hesian' in 'exclude.0.operator' is not one of operators: hessian, ggn",
        ),
        ({"exclude": [{"operator": "hesian"}]}, "did you mean 'hessian'?"),
        (
            {"exclude": [{"operater": "ggn"}]},
            "unknown key 'operater' in 'exclude.0'; did you mean 'operator'?",
        ),
        ({"exclude": [{"reorth_mode": "selektive"}]}, "did you mean 'selective'?"),
        (
            {"exclude": [{"reorth_mode": "off"}]},
            "'off' in 'exclude.0.reorth_mode' is not one of reorth_modes: full, selective",
        ),
        ({"exclude": [{"seed": 7}]}, "'7' in 'exclude.0.seed' is not one of seeds: 0"),
        ({"exclude": [{"step": 7}]}, "'exclude.0': {step: 7} is not a cell of the sweep"),
        ({"exclude": [{"block": "layers.0"}]}, "'exclude.0': {block: layers.0} is not a cell of the sweep"),
        ({"exclude": [{"variant": "w"}]}, "'w' in 'exclude.0.variant' is not one of variants"),
        ({"exclude": [{"operator": ["ggn"]}]}, "'exclude.0.operator'"),
        ({"exclude": {"operator": "ggn"}}, "'exclude'"),
        ({"exclude": [{}]}, "'exclude.0'"),
        (
            {"exclude": [{"operator": "ggn"}]},
            "no cell has 'ggn' of operators: all are excluded; leave it out",
        ),
        (
            {"variants": {"x": {"k": 5}, "y": {}}, "exclude": [{"variant": "x"}]},
            "no cell uses 'variants.x'",
        ),
        (
            {"include": [{"operator": "ggn"}]},
            "'include.0': {operator: ggn} adds no cell: they are there already",
        ),
        ({"include": [{"model": "c"}]}, "'c' in 'include.0.model' is not one of models: a, b"),
    ],
)
def test_what_is_wrong_with_a_partial_cell_is_one_line(changes, message):
    text = refusal(**changes)
    assert message in text and len(text.splitlines()) == 1 and text.startswith("s.yaml: ")


def test_the_size_of_a_sweep_is_said_with_the_settings_of_its_variants():
    config = resolve(variants={"x": {"max_iters": 5}, "y": {}}, exclude=[{"operator": "ggn", "variant": "y"}])
    # 8 cells with x, 4 with y: of each mode, and a density of each
    files = 2 * (1 + 1) + 4 + 12 * 3 + 12 + len(summaries.FILES)
    assert size.line(config) == f"sweep s: 12 cells, at most 280 products without certificates, {files} files"
