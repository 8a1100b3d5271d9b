"""A sweep on a real Slurm cluster of one node, whose job is stopped in three ways: the bits of a local run.

Minutes: `make test-cluster` runs it.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import one_cell
import pytest
from scripts_under_test import ROOT, SNAKEMAKE

sys.path.insert(0, str(ROOT / "tests" / "tools"))
import one_node_slurm

PLUGIN = "snakemake_executor_plugin_slurm"


def reason_to_skip():
    if not os.environ.get("RITZFLOW_SLURM"):
        return "minutes long: make test-cluster"
    if importlib.util.find_spec(PLUGIN) is None:
        return "Snakemake's Slurm plugin is missing: pip install -r requirements-slurm.txt"
    lacks = one_node_slurm.lacking()
    return f"no Slurm can be started here: {lacks}" if lacks else None


why = reason_to_skip()
pytestmark = pytest.mark.skipif(why is not None, reason=why or "")


@pytest.fixture(scope="module")
def cluster():
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        one_node_slurm.Cluster(Path(folder)) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """One cell, whose Lanczos run takes more than a minute."""

    def larger(raw):
        raw["models"]["digits_mlp"]["data"] = {"source": "digits"}
        raw["models"]["digits_mlp"]["architecture"]["hidden"] = [128, 128]

    return one_cell.write(tmp_path_factory.mktemp("config") / "one.yaml", 900, larger)


@pytest.fixture(scope="module")
def digest(sweep, tmp_path_factory):
    """Of the cell of a local sweep that nothing interrupts."""
    folder = tmp_path_factory.mktemp("local")
    command = [*SNAKEMAKE, "--directory", folder, "--configfile", sweep, "--until", "lanczos"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return one_cell.content(folder)


def start(folder, sweep, *words):
    profile = ROOT / "profiles" / "slurm"
    command = [*SNAKEMAKE, "--directory", folder, "--workflow-profile", profile, "--configfile", sweep]
    log = (folder / "log.txt").open("w")
    command += ["--until", "lanczos", *words]
    return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=folder)


def finished(process, folder):
    assert process.wait(timeout=1800) == 0, (folder / "log.txt").read_text()[-3000:]
    return (folder / "log.txt").read_text()


def notes(folder):
    """What the Lanczos run of the cell has noted of its starts and exit statuses."""
    noted = (
        ".snakemake/ritzflow/exits/results/tiny/logs/digits_mlp/seed0/step20/hessian/full/probe0/lanczos.log"
    )
    return (folder / noted).read_text().split() if (folder / noted).exists() else []


def job_at_work(folder, process):
    """The Slurm job of the Lanczos run, some seconds after its start."""
    while not notes(folder):
        assert process.poll() is None, (folder / "log.txt").read_text()[-3000:]
        time.sleep(0.3)
    time.sleep(8)
    said = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i"], capture_output=True, text=True)
    return said.stdout.split()[-1]


def test_a_job_at_its_time_limit_writes_a_checkpoint_and_is_continued(cluster, sweep, digest, tmp_path):
    """Slurm sends the signal up to a minute early: 45 to 105 seconds after the start."""
    limit = ["--set-resources", "lanczos:runtime=3", "lanczos:slurm_extra='--signal=TERM@75'"]
    said = finished(start(tmp_path, sweep, *limit), tmp_path)
    assert "75" in notes(tmp_path) and notes(tmp_path)[-1] == "0"
    assert one_cell.content(tmp_path) == digest
    assert "No SLURM account" not in said and "sacct" not in said


def test_a_cancelled_job_is_run_again_from_its_checkpoint(cluster, sweep, digest, tmp_path):
    process = start(tmp_path, sweep)
    subprocess.run(["scancel", job_at_work(tmp_path, process)], check=True)
    finished(process, tmp_path)
    assert notes(tmp_path).count("start") == 2 and notes(tmp_path)[-1] == "0"
    assert one_cell.content(tmp_path) == digest


def test_the_jobs_of_a_lost_node_are_run_again(cluster, sweep, digest, tmp_path):
    process = start(tmp_path, sweep)
    job_at_work(tmp_path, process)
    cluster.stop_node()
    time.sleep(5)
    cluster.start_node()
    finished(process, tmp_path)
    assert notes(tmp_path).count("start") == 2 and notes(tmp_path)[-1] == "0"
    assert one_cell.content(tmp_path) == digest
