"""Random edits of a finished sweep: of its settings, its data, its files and their dates."""

import contextlib
import copy
import os
import shutil
import signal
import subprocess
import time

import pandas as pd

MODEL, HESSIAN, KFAC = ("models", "m"), ("operators", "hessian"), ("operators", "kfac")
# Values of each key, the one of BASE first; None takes the key away.
VALUES = {
    (*MODEL, "data", "samples"): [None, 20],
    (*MODEL, "data", "split"): [None, 0.5],
    (*MODEL, "data", "seed"): [None, 1],
    (*MODEL, "data", "num_classes"): [None, 4],
    (*MODEL, "data", "standardize"): [None, False],
    (*MODEL, "data", "task"): [None, "classification"],
    (*MODEL, "data", "labels"): [None, "renumber"],
    (*MODEL, "architecture", "hidden"): [[3], [2]],
    (*MODEL, "architecture", "activation"): ["tanh", "silu"],
    (*MODEL, "architecture", "bias"): [None, False],
    (*MODEL, "training", "steps"): [4, 5],
    (*MODEL, "training", "learning_rate"): [0.1, 0.2],
    (*MODEL, "training", "batch_size"): [8, 7],
    (*MODEL, "training", "optimizer"): [None, "adam"],
    (*MODEL, "training", "momentum"): [None, 0.5],
    (*MODEL, "training", "schedule"): [None, "cosine"],
    (*MODEL, "training", "warmup_steps"): [None, 2],
    (*MODEL, "training", "weight_decay"): [None, 0.1],
    (*MODEL, "training", "loss"): [None, "mse"],
    (*MODEL, "steps"): [["final"], [0, "final"]],
    ("seeds",): [[0], [0, 1]],
    ("probes",): [[0], [1, 0]],
    ("reorth_modes",): [["full", "off"], ["full"], ["full", "thick_restart"]],
    ("variants",): [None, {"quick": {"max_iters": 5}}, {"base": {}, "one": {"k": 1, "preset": "accurate"}}],
    ("grid",): [None, {"tol": [1e-6, 1e-3]}, {"reorth_window": [2], "tol": [1e-4]}],
    ("exclude",): [
        None,
        [{"operator": "hessian", "reorth_mode": "off"}],
        [{"probe": 1, "reorth_mode": "full"}],
    ],
    ("include",): [None, [{"operator": "hessian", "reorth_mode": "selective"}]],
    ("baseline",): [None, "kfac", "off"],
    (*HESSIAN, "kind"): [None, "ggn", "mc_fisher", "empirical_fisher"],
    (*HESSIAN, "dtype_compute"): ["float64", "float32"],
    (*HESSIAN, "params_filter"): [None, ["layers.0.*"]],
    (*HESSIAN, "blocks"): [None, "per_layer"],
    (*HESSIAN, "memory"): [None, "1GiB"],
    (*HESSIAN, "batch_size"): [None, 5],
    (*HESSIAN, "compute_threads"): [None, 2],
    (*KFAC, "kind"): [None, "ekfac", "ggn"],
    (*KFAC, "damping"): [None, 0.5],
    (*KFAC, "power"): [None, 0.5],
    (*KFAC, "kfac_approx"): [None, "reduce"],
    (*KFAC, "samples"): [None, 10],
    (*KFAC, "samples_seed"): [None, 1],
    (*KFAC, "fisher_type"): [None, "mc", "empirical"],
    (*KFAC, "mc_samples"): [None, 2],
    (*KFAC, "uncovered"): [None, "zero"],
    (*KFAC, "regularization_mode"): [None, "fixed"],
    (*KFAC, "regularization"): [None, 0.5],
    ("lanczos", "preset"): [None, "accurate"],
    ("lanczos", "k"): [2, 3],
    ("lanczos", "max_iters"): [6, 7],
    ("lanczos", "tol"): [1e-6, 1e-5],
    ("lanczos", "which"): [None, "both", "smallest"],
    ("lanczos", "reorth_window"): [None, 3],
    ("lanczos", "reorth_period"): [None, 2],
    ("lanczos", "krylov_dim"): [None, 5],
    ("lanczos", "keep_basis"): [None, True],
    ("lanczos", "basis"): [None, "disk"],
    ("lanczos", "dtype_basis"): [None, "float32"],
    ("lanczos", "certificate"): [None, False],
}


def edit_key(sweep):
    *folders, key = place = sweep.random.choice(list(VALUES))
    holder = sweep.raw
    for folder in folders:
        if folder not in holder:
            return
        holder = holder[folder]
    was = holder.get(key)
    value = sweep.random.choice([v for v in VALUES[place] if v != was])
    before = copy.deepcopy(sweep.raw)
    if value is None:
        holder.pop(key, None)
    else:
        holder[key] = value
    try:
        sweep.config  # noqa: B018 (some keys do not go together)
    except Exception:
        sweep.raw = before
    sweep.write()


def swap_data(sweep):
    sweep.data = "B" if sweep.data == "A" else "A"
    sweep.write_data()


def set_dates(sweep):
    for path in [*sweep.results.rglob("*"), sweep.folder / "mine.npz"]:
        date = time.time() + sweep.random.uniform(-1e6, 1e5)
        os.utime(path, (date, date))


def move(sweep):
    place = sweep.folder.with_name(f"there{sweep.random.random()}")
    shutil.move(sweep.folder, place)
    sweep.folder = place


def copy_folder(sweep):
    place = sweep.folder.with_name(f"copy{sweep.random.random()}")
    shutil.copytree(sweep.folder, place)
    shutil.rmtree(sweep.folder)
    sweep.folder = place


def forget_record(sweep):
    shutil.rmtree(sweep.folder / ".snakemake", ignore_errors=True)


def delete(sweep):
    there = sorted(sweep.state())
    for path in sweep.random.sample(there, min(len(there), sweep.random.randint(1, 3))):
        (sweep.results / path).unlink()


def damage(sweep):
    path = sweep.results / sweep.random.choice(sorted(sweep.state()))
    path.write_bytes(path.read_bytes()[: sweep.random.randint(0, 90)])


def fail_once(sweep):
    """A learning rate that no training survives: both runs fail, and no table has a number of before."""
    training = sweep.raw["models"]["m"]["training"]
    good, training["learning_rate"] = training["learning_rate"], 1e200
    sweep.write()
    for _ in range(2):
        assert sweep.run().returncode == 1
        cells = pd.read_csv(sweep.results / "tables" / "cells.csv", comment="#")
        assert set(cells["state"]) == {"missing"} and cells["lambda_max"].isna().all()
    training["learning_rate"] = good
    sweep.write()


def kill(sweep):
    edit_key(sweep)
    process = subprocess.Popen(
        sweep.command(),
        cwd=sweep.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(sweep.random.uniform(2, 12))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert sweep.run("--unlock").returncode == 0


EDITS = [edit_key] * 12 + [
    swap_data,
    set_dates,
    move,
    copy_folder,
    forget_record,
    delete,
    delete,
    damage,
    fail_once,
    kill,
]
