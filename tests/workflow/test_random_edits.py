"""Random edits of a finished sweep, one to three in a row, then the sweep: the result is that of a fresh run.

No stage ran that the edits do not need. RITZFLOW_EDITS sequences (`make torture`: 500).
"""

import contextlib
import io
import json
import os
import shutil
import sys

import ablation_table
import edited_sweep
import pandas as pd
import reference_run
from random_edits import EDITS, VALUES

from ritzflow.sweep import artifacts, recorded, sweep_config

SEQUENCES = int(os.environ.get("RITZFLOW_EDITS", "40"))
TARGETS = ("ablation_table", "provenance")  # figures and report take as long as all the rest
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
