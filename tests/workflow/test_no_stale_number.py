"""Stories of a rough user, each on a real sweep: what the tables hold is of the settings and data of now."""

import copy
import fcntl
import json
import os
import resource
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
from edited_sweep import Sweep, write_data
from scripts_under_test import SCRIPTS, SNAKEMAKE

from ritzflow.sweep.sweep_config import digest

GGN = {"operators": {"ggn": {"dtype_compute": "float64"}}, "reorth_modes": ["full"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished sweep of one GGN cell; tests work on copies of its folder."""
    sweep = Sweep(tmp_path_factory.mktemp("finished"), **GGN)
    sweep.done()
    return sweep


@pytest.fixture
def sweep(finished, tmp_path):
    return copied(finished, tmp_path)


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


def value(sweep):
    """lambda_max of the sweep's only cell, from the table and from its own file."""
    (cell,) = sweep.cells().to_dict("records")
    assert cell["state"] == "done"
    record = json.loads(next(sweep.results.rglob("metrics.json")).read_text())
    assert cell["lambda_max"] == pytest.approx(record["max_eigenvalue"], rel=1e-15)
    return cell["lambda_max"]


def fresh_value(sweep, tmp_path):
    """The same sweep from nothing."""
    other = copy.copy(sweep)
    other.folder = tmp_path / "fresh"
    other.folder.mkdir()
    for name in ("edits.yaml", "mine.npz"):
        shutil.copy2(sweep.folder / name, other.folder / name)
    other.done()
    return value(other)


def test_an_edit_that_failed_fails_again_and_its_table_has_no_number(sweep, tmp_path):
    old = value(sweep)
    set_rate(sweep, 1e200)
    (sweep.results / "report.html").write_text("of before")
    for _ in range(2):
        assert sweep.run().returncode == 1
        assert not (sweep.results / "report.html").exists()
        (cell,) = sweep.cells().to_dict("records")
        assert cell["state"] == "missing" and np.isnan(cell["lambda_max"])
        assert cell["reason"] == "cells/m/seed0/model.h5: missing"
    set_rate(sweep, 0.2)
    sweep.done()
    assert value(sweep) == fresh_value(sweep, tmp_path) != old


def test_after_a_fault_that_passed_the_new_setting_is_trained(sweep):
    set_rate(sweep, 0.5)

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    assert sweep.run(preexec_fn=small_files).returncode != 0
    sweep.done()
    assert rate_of_model(sweep) == 0.5 and value(sweep)
    assert list(sweep.results.rglob("*.part.*")) == []


def test_a_kronecker_power_that_fails_fails_again(finished, tmp_path):
    sweep = copied(finished, tmp_path)
    sweep.raw["operators"] = {"kfac": {}}
    sweep.write()
    sweep.done()
    sweep.raw["operators"] = {"kfac": {"power": -1}}
    sweep.write()
    for _ in range(2):
        assert sweep.run().returncode == 1
        assert set(sweep.cells()["state"]) == {"missing"}


@pytest.mark.parametrize("date", [1e9, time.time() + 86400], ids=["older", "tomorrow"])
def test_data_of_another_date_count_by_their_content(sweep, date, tmp_path):
    old = value(sweep)
    write_data(sweep.folder / "mine.npz", "B")
    os.utime(sweep.folder / "mine.npz", (date, date))
    assert "data/m.h5: mine.npz has other contents" in sweep.done()
    assert value(sweep) != old
    state = sweep.state()
    os.utime(sweep.folder / "mine.npz", (5, 5))
    sweep.done()
    assert sweep.state() == state


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


def test_an_operator_of_another_kind_has_nothing_of_the_old_one(finished, tmp_path):
    sweep = copied(finished, tmp_path)
    sweep.raw["operators"] = {"mine": {"kind": "kfac"}}
    sweep.write()
    sweep.done()
    assert sweep.cells()["kfac_error"].notna().all()
    sweep.raw["operators"] = {"mine": {"kind": "ggn"}}
    sweep.write()
    sweep.done()
    assert sweep.cells()[["kfac_error", "overlap", "coverage"]].isna().all(axis=None)
    assert set(sweep.cells()["operator"]) == {"mine"}


def test_provenance_counts_the_artifacts_of_the_sweep_alone(finished, tmp_path):
    sweep = copied(finished, tmp_path)
    sweep.targets = ("provenance",)
    sweep.raw["seeds"] = [0, 1]
    sweep.write()
    sweep.done()
    sweep.raw["seeds"] = [1]
    sweep.write()
    sweep.done()
    said = json.loads((sweep.results / "provenance.json").read_text())
    assert {
        entry["artifact"].split("/")[2] for entry in said["artifacts"] if "seed" in entry["artifact"]
    } == {"seed1"}
    assert said["summary"]["artifacts"] == len(said["artifacts"]) == 6


def test_the_table_of_a_failed_run_is_not_up_to_date_afterwards(sweep):
    sweep.raw["operators"]["broken"] = {"kind": "ggn", "params_filter": ["none.*"]}
    sweep.write()
    assert sweep.run().returncode == 1
    assert sorted(sweep.cells()["state"]) == ["done", "missing"]
    sweep.raw["operators"]["broken"]["params_filter"] = ["layers.1.*"]
    sweep.write()
    sweep.done()
    assert sorted(sweep.cells()["state"]) == ["done", "done"]


def test_every_job_of_a_run_reads_the_configuration_of_its_start(sweep):
    """As a job that a cluster starts late: the sweep file says something else by then."""
    set_rate(sweep, 0.7)
    subprocess.run(sweep.command("--dry-run"), cwd=sweep.folder, capture_output=True, check=True)
    every = (sweep.folder / ".snakemake/ritzflow").glob("sweep-*.json")
    (frozen,) = [path for path in every if '"learning_rate":0.7' in path.read_text()]
    set_rate(sweep, 0.9)
    job = [*SNAKEMAKE, "--configfile", frozen]
    job += ["--target-jobs", "train_model:model=m,seed=0", "--allowed-rules", "train_model"]
    job += ["--mode", "remote", "--cores", 1, "--nolock", "--force", "--no-hooks"]
    job += ["--default-resources", "checkpoint_root='results/.checkpoints'"]
    subprocess.run(list(map(str, job)), cwd=sweep.folder, capture_output=True, check=True)
    assert rate_of_model(sweep) == 0.7
    sweep.done()
    assert rate_of_model(sweep) == 0.9


def test_a_step_more_measures_that_step_alone(sweep):
    state = sweep.state()
    sweep.raw["models"]["m"]["steps"] = [0, "final"]
    sweep.write()
    said = sweep.done()
    assert "model.h5: steps was 4" in said
    now = sweep.state()
    assert {p: now[p] for p in state if "/step4/" in p} == {p: i for p, i in state.items() if "/step4/" in p}
    assert sorted(sweep.cells()["step"]) == [0, 4] and set(sweep.cells()["state"]) == {"done"}


def test_nothing_to_do_is_said_of_a_finished_sweep_and_a_dry_run_says_what_would_be(sweep):
    assert "made again" not in sweep.done()
    set_rate(sweep, 0.4)
    state = sweep.state()
    done = subprocess.run(sweep.command("--dry-run"), cwd=sweep.folder, capture_output=True, text=True)
    assert done.returncode == 0 and "training.learning_rate was 0.1" in done.stderr
    assert sweep.state() == state and rate_of_model(sweep) == 0.1


def test_defaults_written_out_make_nothing_again(sweep):
    sweep.raw["operators"]["ggn"] |= {"memory": "4GiB", "compute_threads": 1, "device": "cpu"}
    sweep.raw["lanczos"] |= {"dtype_basis": "float64", "which": "largest"}
    sweep.raw["models"]["m"]["training"] |= {"optimizer": "sgd", "momentum": 0.9}
    sweep.write()
    state = sweep.state()
    sweep.done()
    assert sweep.state() == state


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


def test_a_single_cell_asked_for_makes_nothing_else(sweep):
    sweep.raw["seeds"] = [0, 1, 2]
    sweep.raw["lanczos"]["tol"] = 1e-5
    sweep.write()
    sweep.targets = ("results/edits/cells/m/seed1/step4/ggn/full/probe0/metrics.json",)
    state = sweep.state()
    sweep.done()
    now = sweep.state()
    assert {path for path in now if now[path] != state.get(path) and path.startswith("cells")} == {
        path for path in now if "/seed1/" in path
    }


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
