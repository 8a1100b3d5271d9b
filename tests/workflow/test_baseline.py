"""What a cell is compared with: the key `baseline` of a sweep, and the cell that it means for another."""

import numpy as np
import pytest
from test_variants import refusal, resolve

from ritzflow.sweep import baseline, cells, sweep_config
from ritzflow.tables.references import References

VARIANTS = {"variants": {"few": {"k": 2}, "many": {"k": 8}, "low": {"k": 2, "which": "smallest"}}}


def compared(config, **axes):
    """The axes of the cell that a cell of model a is compared with, by name, and its values."""
    every = [{**c, "eigenvalues": values(config, c)} for c in cells.expected(config)]
    wanted = {"model": "a", **axes}
    (record,) = [c for c in every if wanted.items() <= c.items()]
    found = References(config, every).of(record)
    return found and (found["operator"], found["reorth_mode"], found["variant"], len(found["eigenvalues"]))


def values(config, cell):
    k = config.get("variants", {}).get(cell["variant"].removeprefix("/"), config["lanczos"])["k"]
    return np.arange(k, 0.0, -1).tolist()


def test_without_a_baseline_the_full_mode_is_it():
    config = resolve()
    assert "baseline" not in config and baseline.words(config) == "the full mode"
    assert compared(config, operator="ggn", reorth_mode="selective") == ("ggn", "full", "", 4)


@pytest.mark.parametrize("said", ["ggn", {"operator": "ggn"}])
def test_an_operator_is_compared_with_in_each_mode(said):
    config = resolve(baseline=said)
    assert config["baseline"] == {"operator": "ggn"} and baseline.words(config) == "the ggn operator"
    assert compared(config, operator="hessian", reorth_mode="selective") == ("ggn", "selective", "", 4)


def test_another_mode_is_compared_with():
    for said in (False, {"reorth_mode": False}):  # as YAML reads an unquoted off
        config = resolve(reorth_modes=["full", "off"], baseline=said)
        assert compared(config, operator="ggn", reorth_mode="full") == ("ggn", "off", "", 4)


def test_a_variant_is_compared_with_in_as_many_values_as_the_cell_has():
    config = resolve(**VARIANTS, baseline="many")
    at = {"operator": "ggn", "reorth_mode": "selective"}
    assert compared(config, **at, variant="/many") == ("ggn", "selective", "/many", 8)
    assert compared(config, **at, variant="/few") == ("ggn", "selective", "/many", 2)
    assert compared(config, **at, variant="/low") is None
    assert compared(resolve(**VARIANTS, baseline="few"), **at, variant="/many") is None
    both = resolve(**VARIANTS, baseline={"reorth_mode": "full", "variant": "many"})
    assert compared(both, **at, variant="/few") == ("ggn", "full", "/many", 2)


def test_the_frozen_configuration_has_the_axis():
    config = resolve(**VARIANTS, baseline="many")
    assert sweep_config.resolve(config, "sweep.json") == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"baseline": "ful"},
            "'ful' for 'baseline' is not a mode, operator or variant of the sweep; did you mean 'full'?",
        ),
        ({"baseline": "off"}, "'off' for 'baseline' is not a mode"),
        (
            {"baseline": {"operator": "ggm"}},
            "'ggm' in 'baseline.operator' is not one of the sweep's operators",
        ),
        ({"baseline": ["full"]}, "'baseline' is not right: a mode, operator or variant"),
        ({"baseline": {"model": "a"}}, "'baseline' is not right: a mode, operator or variant"),
        (
            {"baseline": "ggn", "variants": {"ggn": {"k": 5}}},
            "'baseline': ggn is the name of several; write {operator: ggn} or {variant: ggn}",
        ),
    ],
)
def test_what_is_wrong_with_a_baseline_is_one_line(changes, message):
    text = refusal(**changes)
    assert message in text and len(text.splitlines()) == 1
