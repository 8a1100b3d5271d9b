"""A sweep over the steps of a module that a command of the user's trains: what runs, what is made again."""

import sys

import pandas as pd
import pytest
from edited_sweep import Sweep

NET = """
from torch import nn


def net(width, note):
    assert note == {"a": "{b}"}
    return nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3)).double()
"""
TRAIN = """
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

seed, out, scale = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(seed)
shapes = {"0.weight": (3, 4), "0.bias": (3,), "3.weight": (3, 3), "3.bias": (3,)}
shapes |= {f"1.{name}": (3,) for name in ("weight", "bias", "running_mean", "running_var")}
for step in (0, 10):
    weights = {name: scale * random.uniform(0.1, 1, shape) for name, shape in shapes.items()}
    save_file(weights, out / f"step{step}.safetensors")
with open("trained.txt", "a") as file:
    file.write(f"{seed} {scale}\\n")
"""


def command(scale, more=""):
    return (
        f"{sys.executable} train.py {{seed}} 'runs {{a}}/s{{seed}}' {scale} '{{\"x\": {{}}}}' {{more}}{more}"
    )


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    architecture = {"kind": "module", "module": "mine:net", "kwargs": {"width": 3, "note": {"a": "{b}"}}}
    architecture |= {
        "weights": "runs {a}/s{seed}/step{step}.safetensors",
        "compile": "none",
        "micro_batch": 10,
    }
    model = {"data": {"source": "npz:mine.npz"}, "architecture": architecture, "steps": "all"}
    model["training"] = {"command": command(1)}
    operators = {"ggn": {"dtype_compute": "float64"}}
    changes = {"models": {"m": model}, "operators": operators, "reorth_modes": ["full"], "seeds": [0, 1]}
    sweep = Sweep(tmp_path_factory.mktemp("trained"), **changes)
    (sweep.folder / "mine.py").write_text(NET)
    (sweep.folder / "train.py").write_text(TRAIN)
    assert "another run is at work there" not in sweep.done()
    sweep.first = values(sweep)
    return sweep


def trained(sweep):
    return (sweep.folder / "trained.txt").read_text().split("\n")[:-1]


def values(sweep):
    cells = sweep.cells()
    assert set(cells["state"]) == {"done"}
    return {(cell["seed"], cell["step"]): cell["lambda_max"] for cell in cells.to_dict("records")}


def artifacts_now(sweep):
    return {path: path.stat().st_ino for path in sweep.results.rglob("*.h5")}


def test_every_seed_is_trained_once_and_its_steps_are_found(sweep):
    assert sorted(trained(sweep)) == ["0 1.0", "1 1.0"]
    assert sweep.first.keys() == {(0, 0), (0, 10), (1, 0), (1, 10)} and len(set(sweep.first.values())) == 4


def test_nothing_is_made_again_without_a_change_and_numbers_are_no_change(sweep):
    before = artifacts_now(sweep)
    sweep.done()
    sweep.raw["models"]["m"]["steps"] = [10, 0]
    sweep.write()
    sweep.done()
    assert artifacts_now(sweep) == before and len(trained(sweep)) == 2
    sweep.raw["models"]["m"]["steps"] = "all"
    sweep.write()


def test_an_audit_makes_cells_again_from_the_weights_that_are_there(sweep):
    sweep.targets = ("audit",)
    sweep.done("--set-resources", "audit:cells=1")
    sweep.targets = ("ablation_table",)
    table = pd.read_csv(sweep.results / "audit" / "reproducibility.csv", comment="#")
    assert len(table) and table["verdict"].str.startswith("same").all()
    assert len(trained(sweep)) == 2


def test_a_command_that_fails_is_named_and_leaves_no_number(sweep):
    sweep.raw["models"]["m"]["training"]["command"] = command(3, "; echo {broken}; exit 3")
    sweep.write()
    done = sweep.run()
    assert done.returncode == 1 and "training.json: command was" in done.stderr
    log = (sweep.results / "logs/m/seed0/train-weights.log").read_text()
    assert "error: exit status 3 of the command" in log and log.endswith("{broken}\n")
    cells = sweep.cells()
    assert set(cells["state"]) == {"missing"} and set(cells["step"]) == {"all"}
    assert cells["reason"].str.match(r"cells/m/seed\d/training.json: missing").all()
    assert len(trained(sweep)) == 4  # once a seed, no second try


def test_another_command_trains_again_and_the_table_is_of_its_weights(sweep):
    sweep.raw["models"]["m"]["training"]["command"] = command(2)
    sweep.write()
    sweep.done()
    assert sorted(trained(sweep)[-2:]) == ["0 2.0", "1 2.0"]
    now = values(sweep)
    assert now.keys() == sweep.first.keys() and all(now[cell] != sweep.first[cell] for cell in now)
