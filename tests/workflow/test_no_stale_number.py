"""Stories of a rough user, each on a real sweep: what the tables hold is of the settings and data of now."""

import copy
import json
import os
import resource
import shutil
import subprocess
import time

import numpy as np
import pytest
from edited_sweep import copied, rate_of_model, set_rate, write_data
from scripts_under_test import SNAKEMAKE


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


def test_an_operator_that_fails_fails_again(finished, tmp_path):
    sweep = copied(finished, tmp_path)
    sweep.raw["operators"] = {"hessian": {"memory": "16"}}
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
    sweep.raw["operators"]["broken"] = {"kind": "ggn", "memory": "16"}
    sweep.write()
    assert sweep.run().returncode == 1
    assert sorted(sweep.cells()["state"]) == ["done", "missing"]
    sweep.raw["operators"]["broken"]["memory"] = "1GiB"
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
