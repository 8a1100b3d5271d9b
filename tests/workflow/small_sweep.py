"""The least that a sweep file says, with changes, and what of it is refused."""

import copy

import pytest
import yaml

from ritzflow.sweep import sweep_config

MINIMAL = """
name: mine
models:
  m:
    data: {source: digits}
    architecture: {kind: mlp, hidden: [4]}
    training: {steps: 10, learning_rate: 1e-2}
operators: {hessian: , small: {kind: ggn}}
reorth_modes: [off, full]
lanczos: {tol: 1e-8}
"""


def resolve(**changes):
    raw = yaml.safe_load(MINIMAL)
    raw.update(changes)
    return sweep_config.resolve(raw, "configs/x.yaml")


def refusal(**changes):
    with pytest.raises(sweep_config.ConfigError) as caught:
        resolve(**changes)
    return str(caught.value)


def model(part, **changes):
    entry = copy.deepcopy(yaml.safe_load(MINIMAL)["models"]["m"])
    entry[part] |= changes
    return {"m": entry}


MODULE = {"kind": "module", "module": "mine:resnet", "weights": "resnet.pt"}
