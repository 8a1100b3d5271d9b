"""Sweep files that are shipped, or printed in documents, run as they stand (RITZFLOW_EXAMPLES=1: minutes)."""

import os
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from scripts_under_test import ROOT, SNAKEMAKE

from ritzflow.sweep import sweep_config

DOCUMENTS = ("README.md", "configs/README.md")
BLOCKS = [
    (document, text)
    for document in DOCUMENTS
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text(), re.S)
]
NET = """
from torch import nn


def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
"""
TRAIN = """
import argparse
from pathlib import Path

import torch
from mine import net

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--out", type=Path)
options = parser.parse_args()
options.out.mkdir(parents=True)
torch.manual_seed(options.seed)
for step in (0, 100, 300):
    torch.save(net().state_dict(), options.out / f"step{step}.pt")
"""
slow = pytest.mark.skipif(
    "RITZFLOW_EXAMPLES" not in os.environ, reason="minutes; RITZFLOW_EXAMPLES=1 runs them"
)


def complete(text):
    """A sweep file; a part of one gets what it lacks from the first of configs/README.md."""
    whole = next(text for document, text in BLOCKS if document == "configs/README.md")
    return yaml.safe_load(whole) | yaml.safe_load(text)


@pytest.mark.parametrize(("document", "text"), BLOCKS)
def test_printed_sweeps_are_valid(document, text):
    assert sweep_config.resolve(complete(text), document)["models"]


@slow
@pytest.mark.parametrize(("document", "text"), BLOCKS)
def test_printed_sweeps_run(document, text, tmp_path):
    images = np.random.default_rng(0).normal(size=(60, 1, 8, 8))
    for name in ("my_data.npz", "mine.npz"):
        np.savez(tmp_path / name, inputs=images, targets=np.arange(60) % 3)
    (tmp_path / "mine.py").write_text(NET)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(complete(text)))
    assert_runs(tmp_path, "sweep.yaml")


@slow
@pytest.mark.parametrize("name", ["digits-resnet", "own-model", "tiny"])
def test_shipped_sweeps_run(name, tmp_path):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    cells = assert_runs(tmp_path, ROOT / "configs" / f"{name}.yaml")
    if name == "digits-resnet":
        assert sorted(set(cells["step"])) == [0, 100, 300] and sorted(set(cells["seed"])) == [0, 1, 2]
        assert cells[cells["operator"] == "ggn"]["converged"].all()


def assert_runs(folder, sweep_file):
    command = (*SNAKEMAKE, "--configfile", sweep_file)
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    (table,) = (folder / "results").glob("*/tables/cells.csv")
    cells = pd.read_csv(table)
    assert set(cells["state"]) == {"done"}
    return cells
