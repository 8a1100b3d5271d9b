"""What a wrong sweep file is told: what to write, where, and the nearest known word."""

import copy

import pytest
from edited_sweep import BASE

from ritzflow.sweep import schema_errors, sweep_config

MODEL = ("models", "m")
LISTED = "expected a list"
MAPPING = "expected a mapping of keys and values"


def said(path, value):
    raw = copy.deepcopy(BASE)
    part = raw
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
    with pytest.raises(sweep_config.ConfigError) as caught:
        sweep_config.resolve(raw, "x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["operators"], ["hessian"], f"'operators' is ['hessian'], {MAPPING}: operators: {{hessian: {{}}}}"),
        (["operators"], {}, "'operators' is empty; write operators: {hessian: {}}"),
        (["operators"], None, f"'operators' is empty, {MAPPING}: operators: {{hessian: {{}}}}"),
        (["operators", "ggn"], 3, f"'operators.ggn' is 3, {MAPPING}"),
        (["operators", "hessain"], {}, "did you mean 'hessian'?"),
        (["operators", "ggn", "device"], "gpu", "'gpu' for 'operators.ggn.device' is not one of cpu, cuda"),
        (["operators", "ggn", "precision"], "float64", "did you mean 'dtype_compute'?"),
        ([*MODEL, "data"], "digits", f"'models.m.data' is 'digits', {MAPPING}: data: {{source: digits}}"),
        ([*MODEL, "training", "lr"], 1, "key 'lr' in 'models.m.training'; did you mean 'learning_rate'?"),
        ([*MODEL, "training", "batchsize"], 1, "did you mean 'batch_size'?"),
        ([*MODEL, "architecture", "hidden"], 64, f"hidden' is 64, {LISTED}: hidden: [64, 64]"),
        (["seeds"], 3, f"'seeds' is 3, {LISTED}: seeds: [0, 1]"),
        (["seeds"], [2**63], "is greater than the maximum of 9223372036854775807"),
        (["probes"], [2**63], "is greater than the maximum of 9223372036854775807"),
        (["seeds"], [4, 4], "'seeds' has 4 twice; list it once"),
        (["seeds"], [], "'seeds' is empty; write seeds: [0, 1]"),
        (["lanczos", "k"], "ten", "'lanczos.k' is 'ten', expected a whole number"),
        (["lanczos", "window"], 3, "did you mean 'reorth_window'?"),
        (["lanczos", "tol"], float("nan"), "'lanczos.tol': nan is not a finite number"),
        (["k"], 3, "unknown key 'k' in 'the top level'; it is a key of lanczos"),
    ],
)  # fmt: skip
def test_what_to_write_and_where(path, value, expected):
    text = said(path, value)
    assert text.startswith("x.yaml: ") and expected in text
    assert "is not of type" not in text and "schema" not in text


def test_examples_are_of_keys_that_there_are():
    keys = sweep_config.SCHEMA.read_text()
    words = {*schema_errors.EXAMPLES, *schema_errors.ALSO_CALLED.values()}
    assert [word for word in words if f'"{word}": ' not in keys] == []
