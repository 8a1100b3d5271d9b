"""A finished sweep that was dated, copied, renamed, damaged or locked: it takes an edit, or says why not."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import chain
import h5py
import numpy as np
import pytest
import yaml
from edited_sweep import rate_of_model, set_rate
from scripts_under_test import SCRIPTS

from ritzflow.sweep.sweep_config import digest


def test_results_dated_to_come_take_an_edit(sweep):
    sweep.targets = ("ablation_table", "provenance")
    sweep.done()
    for path in sweep.results.rglob("*"):
        os.utime(path, (time.time() + 86400, time.time() + 86400))
    made = [sweep.results / name for name in ("sweep.json", "tables/ablation.csv", "provenance.json")]
    old = [path.read_text() for path in made]
    set_rate(sweep, 0.3)
    sweep.done()
    assert json.loads(made[0].read_text()) == sweep.config
    assert digest(sweep.config) in made[1].read_text()
    assert all(path.read_text() != was for path, was in zip(made, old, strict=True))


@pytest.mark.parametrize("keep_record", [True, False])
def test_a_copied_folder_takes_an_edit(sweep, keep_record):
    place = sweep.folder.with_name("elsewhere")
    shutil.copytree(sweep.folder, place)
    sweep.folder = place
    if not keep_record:
        shutil.rmtree(place / ".snakemake")
    state = sweep.state()
    sweep.done()
    assert sweep.state() == state
    set_rate(sweep, 0.3)
    assert "model.h5: training.learning_rate was 0.1" in sweep.done()
    assert rate_of_model(sweep) == 0.3
    assert (
        json.loads((sweep.results / "sweep.json").read_text())["models"]["m"]["training"]["learning_rate"]
        == 0.3
    )


def test_a_renamed_sweep_keeps_its_cells(sweep):
    state = sweep.state()
    sweep.raw["name"] = "edits2"
    sweep.write()
    shutil.move(sweep.results, sweep.results.with_name("edits2"))
    sweep.done()
    kept = {path: (sweep.folder / "results/edits2" / path).stat().st_ino for path in state}
    assert kept == state
    assert json.loads((sweep.folder / "results/edits2/sweep.json").read_text())["name"] == "edits2"


@pytest.mark.parametrize("text", ["[]", "{", "null", '{"version": 1, "files": 3}'])
def test_caches_that_say_nothing_are_passed_over(sweep, text):
    for path in ("ritzflow/memory.json", "ritzflow-versions.json"):
        (sweep.folder / ".snakemake" / path).write_text(text)
    state = sweep.state()
    sweep.done()
    assert sweep.state() == state


def test_an_audit_removes_no_folder_that_it_did_not_make(sweep):
    precious = sweep.results.with_name("edits.audit") / "precious"
    precious.parent.mkdir()
    precious.write_text("x")
    sweep.targets = ("audit",)
    assert sweep.run().returncode != 0 and precious.read_text() == "x"


def test_a_second_run_on_the_same_results_names_the_first(sweep):
    """From another folder, through a link: Snakemake's own lock does not see it."""
    other = sweep.folder.with_name("other")
    other.mkdir()
    for name in ("results", "mine.npz"):
        (other / name).symlink_to(sweep.folder / name)
    set_rate(sweep, 0.6)
    shutil.copy(sweep.folder / "edits.yaml", other)
    with open(sweep.results / ".lock", "w") as lock:
        json.dump({"pid": 4711, "host": "here", "since": "noon", "folder": "/a"}, lock)
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(sweep.command(), cwd=other, capture_output=True, text=True)
    assert done.returncode == 3
    assert "another run is at work there: process 4711 on here in /a, since noon" in done.stderr
    assert rate_of_model(sweep) == 0.1 and "Traceback" not in done.stderr
    sweep.done()
    assert rate_of_model(sweep) == 0.6


def test_a_damaged_file_is_a_missing_cell_with_its_reason(sweep):
    path = next(sweep.results.rglob("ritz.h5"))
    path.write_bytes(path.read_bytes()[:600])
    script = [sys.executable, SCRIPTS / "ablation_table.py", sweep.results]
    done = subprocess.run(script, cwd=sweep.folder, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    (cell,) = sweep.cells().to_dict("records")
    assert cell["state"] == "missing" and "ritz.h5: cannot be read" in cell["reason"]


@pytest.mark.parametrize("what", ["metrics", "values", "ritz", "operator", "sweep"])
def test_files_that_contradict_one_another_are_no_number(sweep, what):
    """Made by hand: a table reads nothing that does not fit together."""
    cell = next(sweep.results.rglob("metrics.json"))
    if what == "metrics":
        cell.write_text(cell.read_text().replace('"max_eigenvalue": ', '"max_eigenvalue": 9'))
    elif what == "values":
        record = json.loads(cell.read_text())
        record["eigenvalues"][0] *= 2
        cell.write_text(chain.sealed(record))
    elif what == "ritz":
        raw = bytearray(cell.with_name("ritz.h5").read_bytes())
        raw[-9] ^= 1
        cell.with_name("ritz.h5").write_bytes(raw)
    elif what == "operator":
        with h5py.File(cell.parents[2] / "operator.h5", "r+") as file:
            file.attrs["content_sha256"] = "0" * 64
    else:
        path = sweep.results / "sweep.json"
        path.write_text(path.read_text().replace('"tol":1e-06', '"tol":1e-09'))
    script = [sys.executable, SCRIPTS / "ablation_table.py", sweep.results, "--complete"]
    done = subprocess.run(list(map(str, script)), cwd=sweep.folder, capture_output=True, text=True)
    assert done.returncode == 1 and "1 cells are missing" in done.stderr
    (row,) = sweep.cells().to_dict("records")
    assert row["state"] == "missing" and np.isnan(row["lambda_max"]) and row["reason"]


def test_a_read_only_results_folder_is_refused_in_one_line(sweep):
    """root writes everywhere but where nobody can: a file in the place of the folder's lock."""
    set_rate(sweep, 0.8)
    (sweep.results / ".lock").unlink()
    (sweep.results / ".lock").mkdir()
    done = sweep.run()
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: " in done.stderr and str(Path("results/edits/.lock")) in done.stderr
    assert yaml.safe_load((sweep.folder / "edits.yaml").read_text()) and rate_of_model(sweep) == 0.1
