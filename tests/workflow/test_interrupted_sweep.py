"""kill -9 of a stage, of Snakemake, of all of it: the same command goes on, to the same bits."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import one_cell
import pytest
from scripts_under_test import SNAKEMAKE
from test_sweep import snakemake


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return one_cell.write(tmp_path_factory.mktemp("config") / "one.yaml", 300)


@pytest.fixture(scope="module")
def digest(config, tmp_path_factory):
    """content_sha256 of the cell of an uninterrupted sweep."""
    folder = tmp_path_factory.mktemp("whole")
    status, said = snakemake(folder, "--configfile", config, "--until", "lanczos")
    assert status == 0, said[-3000:]
    return one_cell.content(folder)


def start(folder, config):
    """Snakemake as the leader of a group of its own."""
    command = [*SNAKEMAKE, "--directory", folder]
    command += ["--configfile", config, "--until", "lanczos"]
    log = (folder / "log.txt").open("w")
    return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, start_new_session=True)


def stage_in(group):
    """The pid of the lanczos process at work in this process group, once there is one."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
                runs = Path(os.fsdecode(words[0])).name == "lanczos" and b"--operator" in words
                if runs and os.getpgid(int(place.name)) == group:
                    return int(place.name)
            except (OSError, ProcessLookupError):
                continue
        time.sleep(0.005)
    raise AssertionError("the stage never ran")


def send(number, *, to):
    with contextlib.suppress(ProcessLookupError):  # it was done: nothing is lost then, either
        os.kill(to, number)


def unlock_and_finish(folder, config):
    status, said = snakemake(folder, "--configfile", config, "--unlock")
    assert status == 0, said
    status, said = snakemake(folder, "--configfile", config, "--until", "lanczos")
    assert status == 0, said[-3000:]


# Snakemake gets SIGTERM while its scheduler holds its lock, at the first job that is done.
SIGNALLED_INSIDE_THE_LOCK = """
import os, signal
from snakemake.scheduling.job_scheduler import JobScheduler

free = JobScheduler._free_resources

def signalled(self, job):
    free(self, job)
    os.kill(os.getpid(), signal.SIGTERM)

JobScheduler._free_resources = signalled
"""


def test_sigterm_while_the_scheduler_holds_its_lock_ends_the_sweep(config, tmp_path, monkeypatch):
    """Snakemake alone waits for ever there."""
    (tmp_path / "sitecustomize.py").write_text(SIGNALLED_INSIDE_THE_LOCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start(tmp_path, config)
    try:
        assert process.wait(timeout=120) == 1
    finally:
        process.kill()
    said = (tmp_path / "log.txt").read_text()
    assert "Will exit after finishing currently running jobs" in said
    assert not (tmp_path / one_cell.LANCZOS).exists()


def test_killed_stage_is_run_again(config, digest, tmp_path):
    process = start(tmp_path, config)
    send(signal.SIGKILL, to=stage_in(process.pid))
    assert process.wait() == 0, (tmp_path / "log.txt").read_text()[-3000:]
    assert one_cell.content(tmp_path) == digest


def test_stopped_stage_goes_on_from_its_checkpoint(config, digest, tmp_path):
    process = start(tmp_path, config)
    send(signal.SIGTERM, to=stage_in(process.pid))
    assert process.wait() == 0, (tmp_path / "log.txt").read_text()[-3000:]
    assert one_cell.content(tmp_path) == digest


def test_killed_snakemake_is_unlocked_and_goes_on(config, digest, tmp_path):
    process = start(tmp_path, config)
    stage = stage_in(process.pid)
    process.kill()
    process.wait()
    send(signal.SIGKILL, to=stage)  # the orphan would finish
    unlock_and_finish(tmp_path, config)
    assert one_cell.content(tmp_path) == digest


def test_killed_group_is_unlocked_and_goes_on(config, digest, tmp_path):
    process = start(tmp_path, config)
    stage_in(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    unlock_and_finish(tmp_path, config)
    assert one_cell.content(tmp_path) == digest
