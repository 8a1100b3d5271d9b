"""What `auto` decides by the memory of the day is decided once for a run with a checkpoint."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from stage_runs import command, error_line, make, run, sha256, write_matrix

N, STOPPED, BAD_INPUT, REFUSED = 2000, 75, 2, 3
LITTLE, MORE, PLENTY = ("--basis-memory", "400KiB"), ("--basis-memory", "480KiB"), ("--basis-memory", "40MiB")


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    """A matrix whose products take milliseconds: a run can be met at work."""
    folder = tmp_path_factory.mktemp("decision")
    a = np.random.default_rng(0).standard_normal((N, N))
    place = write_matrix(folder / "matrix.h5", a + a.T)
    return make(folder / "operator.h5", "build-operator", "--operator", "matrix", "--matrix", place)


class Run:
    """`auto` with a checkpoint; each start may find other memory."""

    def __init__(self, operator, folder, *more):
        self.root, self.out, self.folder = folder / "checkpoint", folder / "lanczos.h5", folder
        fixed = ("--k", 3, "--max-iters", 150, "--tol", 1e-14, "--no-certificate", "--threads", 1)
        self.call = ("lanczos", "--operator", operator, *fixed, *more)
        self.kept = ("--checkpoint", self.root, "--checkpoint-interval", 0, "--out", self.out)

    def uninterrupted(self, *memory):
        return sha256(make(self.folder / "whole.h5", *self.call, *memory))

    def start_and_stop(self, *memory):
        process = subprocess.Popen(
            command(*self.call, *self.kept, *memory), stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and not list(self.root.glob("*/checkpoint-*.h5")):
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
        assert process.returncode == STOPPED, said

    def finish(self, *memory):
        done = run(*self.call, *self.kept, *memory)
        assert done.returncode == 0, done.stderr
        assert not self.root.exists()
        return done.stderr

    def decision(self):
        (path,) = self.root.glob("*/decision.json")
        return path


@pytest.mark.parametrize("later", (MORE, PLENTY, ()))
def test_run_stopped_and_started_again_with_other_memory_ends_in_the_same_bits(later, operator, tmp_path):
    job = Run(operator, tmp_path)
    digest = job.uninterrupted(*LITTLE)
    assert digest != job.uninterrupted(*later)
    job.start_and_stop(*LITTLE)
    said = job.finish(*later)
    assert "reorth_mode thick_restart (as decided at the first start of this run: auto: " in said
    assert "resuming after product" in said and "another run" not in said
    assert sha256(job.out) == digest


def test_run_that_finds_less_memory_stays_full_and_goes_on_from_disk(operator, tmp_path):
    job = Run(operator, tmp_path)
    digest = job.uninterrupted(*PLENTY)
    job.start_and_stop(*PLENTY)
    said = job.finish(*LITTLE)
    assert "basis disk (auto: " in said and "resuming after product" in said
    assert sha256(job.out) == digest


@pytest.mark.parametrize("damage", (b"", b"{", b'{"decision": {"krylov_dim": 9}, "sha256": "0"}'))
def test_damaged_decision_is_warned_of_and_the_run_decides_anew(damage, operator, tmp_path):
    job = Run(operator, tmp_path)
    job.start_and_stop(*LITTLE)
    job.decision().write_bytes(damage)
    said = job.finish(*MORE)
    assert "decision.json is damaged; what it held is decided again" in said
    assert "resuming after" not in said  # segments of the other decision are of another run
    assert sha256(job.out) == job.uninterrupted(*MORE)


def test_decision_names_what_lanczos_h5_says(operator, tmp_path):
    job = Run(operator, tmp_path)
    job.start_and_stop(*LITTLE)
    decided = json.loads(job.decision().read_text())["decision"]
    job.finish(*PLENTY)
    with h5py.File(job.out) as f:
        assert f.attrs["reorth_mode_requested"] == "auto"
        assert decided == {name: f.attrs[name] for name in ("reorth_mode", "krylov_dim", "reorth_reason")}


def test_named_mode_decides_nothing(operator, tmp_path):
    job = Run(operator, tmp_path, "--reorth-mode", "full")
    job.start_and_stop(*PLENTY)
    assert not list(job.root.glob("*/decision.json"))
    assert "as decided at the first start" not in job.finish(*LITTLE)


@pytest.mark.parametrize("mode", ("auto", "full"))
def test_run_that_is_refused_leaves_no_checkpoint(mode, operator, tmp_path):
    job = Run(operator, tmp_path, "--reorth-mode", mode, "--basis", "ram")
    done = run(*job.call, *job.kept, "--basis-memory", "60KiB")
    assert done.returncode == REFUSED and error_line(done)
    assert not job.root.exists()


def test_extension_for_which_auto_takes_another_mode_says_how_to_name_it(operator, tmp_path):
    job = Run(operator, tmp_path)
    short = make(tmp_path / "short.h5", *job.call, "--keep-basis", *LITTLE)
    onward = ("--max-iters", 200, "--keep-basis", "--continue-from", short, *PLENTY)
    done = run(*job.call[:5], "--tol", 1e-14, "--no-certificate", *onward, *job.kept)
    assert done.returncode == BAD_INPUT and not job.root.exists()
    name = error_line(done).split("name it: ")[1].split()
    assert name[:3] == ["--reorth-mode", "thick_restart", "--krylov-dim"]
    make(job.out, *job.call[:5], "--tol", 1e-14, "--no-certificate", *onward, *name)


def row_files_of(process):
    """Names of the files of Lanczos vectors that a process has open."""
    names = set()
    for link in Path(f"/proc/{process.pid}/fd").glob("*"):
        try:
            names.add(os.readlink(link).removesuffix(" (deleted)"))
        except OSError:
            continue  # closed meanwhile
    return {Path(name) for name in names if "rows" in Path(name).name}


def test_vectors_of_a_certificate_lie_on_the_disk_of_the_checkpoint(operator, tmp_path):
    """Where room for them was looked for before the first product."""
    root, out = tmp_path / "checkpoint", tmp_path / "results" / "lanczos.h5"
    out.parent.mkdir()
    fixed = ("--operator", operator, "--k", 2, "--tol", 1e-3, "--reorth-mode", "full", "--threads", 1)
    call = command("lanczos", *fixed, "--basis", "disk", "--checkpoint", root, "--out", out)
    seen = set()
    for _ in range(5):  # on a busy machine a run may end between two looks
        process = subprocess.Popen(call, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            seen |= row_files_of(process)
        assert process.returncode == 0
        if len(seen) > 1:
            break
    with h5py.File(out) as f:
        assert f.attrs["certificate_calls"] > 0
    assert len(seen) > 1 and all(path.is_relative_to(root) for path in seen), seen
    assert not root.exists() and list(out.parent.iterdir()) == [out]
