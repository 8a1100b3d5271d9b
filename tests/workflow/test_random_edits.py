"""Random edits of a finished sweep, one to three in a row, then the sweep: the result is that of a fresh run.

No stage ran that the edits do not need. RITZFLOW_EDITS sequences (`make torture`: 500).
"""

import contextlib
import copy
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import ablation_table
import edited_sweep
import pandas as pd
import reference_run

from ritzflow.sweep import artifacts, recorded, sweep_config

SEQUENCES = int(os.environ.get("RITZFLOW_EDITS", "40"))
TARGETS = ("ablation_table", "provenance")  # figures and report take as long as all the rest
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
    (*MODEL, "training", "weight_decay"): [None, 0.1],
    (*MODEL, "training", "loss"): [None, "mse"],
    (*MODEL, "steps"): [["final"], [0, "final"]],
    ("seeds",): [[0], [0, 1]],
    ("probes",): [[0], [1, 0]],
    ("reorth_modes",): [["full", "off"], ["full"], ["full", "thick_restart"]],
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
    (*KFAC, "fisher_type"): [None, "mc", "empirical"],
    (*KFAC, "mc_samples"): [None, 2],
    (*KFAC, "uncovered"): [None, "zero"],
    (*KFAC, "regularization_mode"): [None, "fixed"],
    (*KFAC, "regularization"): [None, 0.5],
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
# Keys of kinds of models, data and operators that the sweep here does not have.
OF_OTHERS = {
    *("source", "context", "tokenizer", "inputs", "targets", "weights", "mask", "integer_inputs", "layout"),
    *(
        "ggn_mode",
        "hessian_mode",
        "fisher_unit",
        "fisher_clip",
        "force",
        "device",
        "token_terms",
        "max_factor",
    ),
    *(
        "text",
        "text_pair",
        "max_length",
        "label",
        "image_size",
        "split_qkv",
        "data",
        "architecture",
        "training",
        "name",
        "models",
        "operators",
        "lanczos",
    ),
}


def test_every_key_of_a_sweep_with_a_trained_network_is_edited():
    schema = json.loads(sweep_config.SCHEMA.read_text())
    kinds = [
        schema,
        *(schema["$defs"][name] for name in ("model", "data", "mlp", "training_here", "operator", "lanczos")),
    ]
    keys = {key for kind in kinds for key in kind["properties"]}
    assert keys - {place[-1] for place in VALUES} == OF_OTHERS


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


def needed(before, after, data_changed, there):
    """Artifacts that edits from configuration `before` to `after` need, with those that are not there."""
    old, new = artifacts.of_sweep(before), artifacts.of_sweep(after)
    need, kept = set(), set()
    for path, artifact in new.items():
        was = old.get(path)
        behind = [p for paths in artifact.inputs.values() for p in paths if p in need and p not in kept]
        own = (
            path not in there
            or was is None
            or was.settings != artifact.settings
            or was.inputs != artifact.inputs
        )
        own = own or was.stage != artifact.stage or (artifact.stage == "prepare_data" and data_changed)
        if own or behind:
            need.add(path)
        same = was and {**was.settings, "steps": 0} == {**artifact.settings, "steps": 0} and path in there
        if path in need and same and not behind and artifact.stage == "train-model":
            kept.add(path)
    return need


def tables(results):
    """Both tables without what was timed, and their last lines."""
    found = {}
    for name in ("cells", "ablation"):
        text = (results / "tables" / f"{name}.csv").read_text()
        frame = pd.read_csv(io.StringIO(text), comment="#")
        kept = [column for column in frame.columns if not column.startswith("wall_seconds")]
        found[name] = frame[kept].to_csv()
        found[name + " notes"] = [
            line for line in text.splitlines() if line.startswith("#") and "digests of every cell" not in line
        ]
    return found


def expected_tables(tree, config, folder, monkeypatch):
    reference_run.as_results(tree, config, folder)
    monkeypatch.setattr(sys, "argv", ["ablation_table.py", str(folder), "--complete"])
    ablation_table.main()
    return tables(folder)


def test_random_edits_end_in_what_a_fresh_run_gives(tmp_path, monkeypatch):
    sweep = edited_sweep.Sweep(tmp_path, seed=0, targets=TARGETS)
    done = sweep.run()
    assert done.returncode == 0, done.stderr[-3000:]
    works = {variant: tmp_path / f"work{variant}" for variant in "AB"}
    references = {}
    for variant, work in works.items():
        work.mkdir()
        edited_sweep.write_data(work / "mine.npz", variant)
        references[variant] = reference_run.Reference(tmp_path / f"store{variant}", work)
    for number in range(SEQUENCES):
        before, data = sweep.config, sweep.data
        edits = [sweep.random.choice(EDITS) for _ in range(sweep.random.randint(1, 3))]
        for edit in edits:
            edit(sweep)
        story = f"sequence {number}: {', '.join(edit.__name__ for edit in edits)}"
        there = intact(sweep)
        state = sweep.state()
        done = sweep.run()
        assert done.returncode == 0, f"{story}: {done.stderr[-3000:]}"
        remade = {path for path, inode in sweep.state().items() if state.get(path) != inode}
        surplus = remade - needed(before, sweep.config, data != sweep.data, there)
        assert not surplus, f"{story}: {sorted(surplus)}\n{done.stderr}"
        tree = references[sweep.data].tree(sweep.config, sweep.data)
        for path, made in tree.items():
            assert recorded.read(sweep.results / path).content == recorded.read(made).content, (
                f"{story}: {path}"
            )
        folder = tmp_path / "expected"
        shutil.rmtree(folder, ignore_errors=True)
        assert tables(sweep.results) == expected_tables(tree, sweep.config, folder, monkeypatch), story


def intact(sweep):
    """Artifacts of the configuration that are there and can be read."""
    found = set()
    for path in sweep.state():
        with contextlib.suppress(recorded.Unreadable):
            recorded.read(sweep.results / path)
            found.add(path)
    return found
