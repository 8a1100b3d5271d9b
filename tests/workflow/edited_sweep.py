"""A small sweep on a user's own data file, in a folder of its own, for tests that edit it."""

import copy
import json
import os
import random
import shutil
import subprocess
import time

import h5py
import numpy as np
import pandas as pd
import yaml
from scripts_under_test import SNAKEMAKE

from ritzflow.sweep import artifacts, sweep_config

BASE = {
    "name": "edits",
    "models": {
        "m": {
            "data": {"source": "npz:mine.npz"},
            "architecture": {"kind": "mlp", "hidden": [3], "activation": "tanh"},
            "training": {"steps": 4, "learning_rate": 0.1, "batch_size": 8},
            "steps": ["final"],
        }
    },
    "seeds": [0],
    "operators": {"hessian": {"dtype_compute": "float64"}, "kfac": {}},
    "reorth_modes": ["full", "off"],
    "lanczos": {"k": 2, "max_iters": 6, "tol": 1e-6},
    "probes": [0],
}
GGN = {"operators": {"ggn": {"dtype_compute": "float64"}}, "reorth_modes": ["full"]}


class Sweep:
    """A sweep in a folder of its own, with what was done to it."""

    def __init__(self, folder, seed=0, targets=("ablation_table",), **changes):
        self.folder, self.random, self.targets = folder / "here", random.Random(seed), targets
        self.folder.mkdir()
        self.raw, self.data = copy.deepcopy({**BASE, **changes}), "A"
        self.write_data()
        self.write()

    @property
    def results(self):
        return self.folder / "results" / "edits"

    @property
    def config(self):
        return sweep_config.resolve(copy.deepcopy(self.raw), "edits.yaml")

    def write(self):
        (self.folder / "edits.yaml").write_text(yaml.safe_dump(self.raw))

    def write_data(self):
        write_data(self.folder / "mine.npz", self.data)
        date = self.random.choice([1e9, time.time(), time.time() + 86400])
        os.utime(self.folder / "mine.npz", (date, date))

    def command(self, *words):
        command = (*SNAKEMAKE, "--retries", 0, *words)
        return [*map(str, command), "--configfile", "edits.yaml", "--quiet", "all", "--", *self.targets]

    def run(self, *words, **how):
        return subprocess.run(self.command(*words), cwd=self.folder, capture_output=True, text=True, **how)

    def done(self, *words):
        """A run that succeeds; what it said."""
        done = self.run(*words)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout + done.stderr

    def cells(self):
        return pd.read_csv(self.results / "tables" / "cells.csv", comment="#")

    def state(self):
        """Inode and size of each artifact that is there: a stage that runs gives it another inode."""
        paths = artifacts.of_sweep(self.config)
        return {p: (self.results / p).stat().st_ino for p in paths if (self.results / p).is_file()}


def write_data(path, variant):
    rng = np.random.default_rng(ord(variant))
    np.savez(path, inputs=rng.normal(size=(30, 4)), targets=np.arange(30) % 3)


def copied(finished, place):
    sweep = Sweep(place, **GGN)
    shutil.rmtree(sweep.folder)
    shutil.copytree(finished.folder, sweep.folder)
    return sweep


def set_rate(sweep, rate):
    sweep.raw["models"]["m"]["training"]["learning_rate"] = rate
    sweep.write()


def rate_of_model(sweep):
    with h5py.File(sweep.results / "cells/m/seed0/model.h5") as file:
        return json.loads(file.attrs["spec"])["training"]["learning_rate"]
