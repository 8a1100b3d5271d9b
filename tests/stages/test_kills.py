"""Any stage, killed at any moment and started again, ends in the bits of an uninterrupted run.

RITZFLOW_KILLS is the number of kills over all stages and modes; `make torture` sets it to 1000 and more.
"""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from stage_runs import command, error_line, make, prepare_data, run, sha256, write_matrix

KILLS = int(os.environ.get("RITZFLOW_KILLS", 60))
CHECKPOINT = ("--checkpoint-interval", 0, "--threads", 1)
MLP = ("--data", "data", "--model", "model", "--dtype-compute", "float64")
RESTARTS = ("--reorth-mode", "thick_restart", "--krylov-dim", 20)
JOBS = {
    "lanczos-full": ("lanczos", "--operator", "dense", "--reorth-mode", "full"),
    "lanczos-full-kept": ("lanczos", "--operator", "dense", "--reorth-mode", "full", "--keep-basis"),
    "lanczos-selective": ("lanczos", "--operator", "dense", "--reorth-mode", "selective"),
    "lanczos-off": ("lanczos", "--operator", "dense", "--reorth-mode", "off"),
    "lanczos-partial": ("lanczos", "--operator", "dense", "--reorth-mode", "partial"),
    "lanczos-parlett-scott": ("lanczos", "--operator", "dense", "--reorth-mode", "parlett_scott"),
    "lanczos-restarts": ("lanczos", "--operator", "dense", *RESTARTS),
    "lanczos-disk": ("lanczos", "--operator", "dense", "--reorth-mode", "full", "--basis", "disk"),
    "lanczos-disk-restarts": ("lanczos", "--operator", "dense", *RESTARTS, "--basis", "disk"),
    "lanczos-certificate": ("lanczos", "--operator", "dense", "--k", 2, "--tol", 1e-3),
    "ritz-stored": ("ritz-residuals", "--operator", "dense", "--lanczos", "kept"),
    "ritz-replayed": ("ritz-residuals", "--operator", "dense", "--lanczos", "not_kept"),
    "build-operator": ("build-operator", *MLP, "--operator", "hessian"),
    "collect-kfac": ("collect-kfac", *MLP, "--batch-size", 10),
    "train-sgd": ("train-model", "--data", "data", "--spec", "spec"),
    "train-adam": ("train-model", "--data", "data", "--spec", "adam"),
}
# A tenth of a second a product: 640 micro-batches of one sample.
MORE = ("--data", "more", "--model", "model", "--batch-size", 1)
LONG = {"build-slowly": ("build-operator", *MORE, "--operator", "hessian")}
FAILURE = 1


@pytest.fixture(scope="module")
def files(good, tmp_path_factory):
    """Inputs of the jobs by the words that stand for them above."""
    folder = tmp_path_factory.mktemp("kills")
    a = np.random.default_rng(0).standard_normal((400, 400))
    place = write_matrix(folder / "matrix.h5", a + a.T)
    dense = make(folder / "dense.h5", "build-operator", "--operator", "matrix", "--matrix", place)
    lanczos = ("lanczos", "--operator", dense, "--k", 8, "--max-iters", 60, "--tol", 1e-12)
    kept = make(folder / "kept.h5", *lanczos, "--keep-basis")
    not_kept = make(folder / "not_kept.h5", *lanczos, "--reorth-mode", "off")
    adam = folder / "adam.json"
    adam.write_text(good.spec.read_text().replace('"steps": 60', '"steps": 60, "optimizer": "adam"'))
    words = {"data": good.data, "model": good.model, "spec": good.spec, "adam": adam}
    assert prepare_data(folder / "more.h5", "digits", "--samples", 800).returncode == 0
    words["more"] = folder / "more.h5"
    return {**words, "dense": dense, "kept": kept, "not_kept": not_kept}


class Job:
    def __init__(self, name, files, folder):
        stage, *flags = (files.get(word, word) for word in {**JOBS, **LONG}[name])
        if stage == "lanczos" and "--k" not in flags:
            flags += ["--k", 8, "--max-iters", 60, "--tol", 1e-12]
        self.call = (stage, *flags, *CHECKPOINT)
        self.root, self.out = folder / "checkpoint", folder / "out.h5"
        begin = time.monotonic()
        whole = make(folder / "whole.h5", *self.call)
        self.seconds = time.monotonic() - begin
        self.digest = sha256(whole)

    def command(self):
        return command(*self.call, "--checkpoint", self.root, "--out", self.out)

    def start(self):
        return subprocess.Popen(self.command(), stderr=subprocess.PIPE, text=True)

    def keep(self):
        """A finished run whose checkpoint stays."""
        done = run(*self.call, "--checkpoint", self.root, "--out", self.out, "--keep-checkpoint")
        assert done.returncode == 0, done.stderr
        self.out.unlink()

    def finish(self):
        done = run(*self.call, "--checkpoint", self.root, "--out", self.out)
        assert done.returncode == 0, done.stderr
        self.check()
        return done

    def check(self):
        assert sha256(self.out) == self.digest
        assert not self.root.exists()
        self.out.unlink()

    def segments(self):
        return sorted(self.root.glob("*/*-*.h5"))

    def start_and_wait_for_a_segment(self):
        before, process = self.segments(), self.start()
        while process.poll() is None and self.segments() == before:
            time.sleep(0.001)
        return process


@pytest.mark.parametrize("name", JOBS)
def test_killed_at_any_moment_it_ends_in_the_same_bits(name, files, tmp_path):
    job, generator = Job(name, files, tmp_path), random.Random(name)
    left = -(-KILLS // len(JOBS))
    while left > 0:
        if generator.random() < 0.5:  # at any moment, start-up included
            process = job.start()
            time.sleep(generator.uniform(0, 1.1 * job.seconds))
        else:
            process = job.start_and_wait_for_a_segment()
            time.sleep(generator.uniform(0, 0.2 * job.seconds))
        process.kill()
        _, said = process.communicate()
        if process.returncode == -signal.SIGKILL:
            left -= 1
        else:  # it was done
            assert process.returncode == 0, said
            job.check()
    job.out.unlink(missing_ok=True)  # of a process that was killed behind its last rename
    job.finish()


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@pytest.mark.parametrize("number, name", list(zip(SIGNALS, ("train-sgd", "ritz-replayed", "collect-kfac"))))
def test_signal_ends_the_unit_in_flight_and_exits_75(number, name, files, tmp_path):
    job = Job(name, files, tmp_path)
    for _ in range(20):
        process = job.start_and_wait_for_a_segment()
        process.send_signal(number)
        _, said = process.communicate()
        if process.returncode != 0:
            break
        job.check()  # over before the signal
    assert process.returncode == 75, said
    assert "the same command resumes from" in error_line(type("Done", (), {"stderr": said}))
    assert "resuming after" in job.finish().stderr


def delivered(process, number):
    """Waits until a signal is no longer pending; False where the process has ended."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        pending = re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)$", status, re.M)
        if not any(int(mask, 16) & 1 << number - 1 for mask in pending):
            return True
    return False


def test_second_signal_ends_the_run_inside_the_product_in_flight(files, tmp_path):
    job = Job("build-slowly", files, tmp_path)
    for _ in range(20):
        process, segments = job.start_and_wait_for_a_segment(), job.segments()
        process.send_signal(signal.SIGTERM)
        if delivered(process, signal.SIGTERM):
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
        if process.returncode not in (0, 75):
            break
        if process.returncode == 0:  # over before the signals
            job.check()
    assert process.returncode == FAILURE and "stopped by a signal" not in said
    assert job.segments() == segments and not job.out.exists()
    assert "resuming after product" in job.finish().stderr


@pytest.mark.parametrize(
    "name", ("train-adam", "collect-kfac", "lanczos-disk-restarts", "lanczos-certificate")
)
def test_damaged_files_of_a_checkpoint_never_change_a_bit(name, files, tmp_path):
    """Every file of a checkpoint, flipped and cut: segments, rows, manifest, decision, attempts, lock."""
    job = Job(name, files, tmp_path)
    job.keep()
    names = sorted(path.relative_to(job.root) for path in job.root.rglob("*") if path.is_file())
    kept = {name: (job.root / name).read_bytes() for name in names}
    assert {"manifest.json", "attempts.jsonl", "lock"} < {name.name for name in names}
    for file, bytes_ in kept.items():
        middle = len(bytes_) // 2
        flipped = bytes([bytes_[middle] ^ 0xFF])
        for damaged in (bytes_[:middle], bytes_[:middle] + flipped + bytes_[middle + 1 :]):
            for other, text in kept.items():
                (job.root / other).parent.mkdir(parents=True, exist_ok=True)
                (job.root / other).write_bytes(damaged if other == file else text)
            done = job.finish()
            if file.suffix != ".bin":  # a row that no segment names yet may be anything
                assert ("passed over" in done.stderr) == (file.suffix == ".h5"), file


def test_other_settings_are_named_and_start_anew(files, tmp_path):
    job = Job("train-sgd", files, tmp_path)
    job.keep()
    before = {path: path.read_bytes() for path in job.segments()}
    done = run(*job.call, "--seed", 5, "--checkpoint", job.root, "--out", job.out)
    assert done.returncode == 0, done.stderr
    assert "belongs to another run: seed is 5 here and 0 there; this one starts over beside it" in done.stderr
    assert {path: path.read_bytes() for path in job.segments()} == before


def test_paths_with_spaces_unicode_and_links_are_paths(files, tmp_path):
    folder = tmp_path / "Ergebnisse – größer 'als' 1"
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder)
    out = Path(make(link / "out 1.h5", "lanczos", "--operator", files["dense"], "--checkpoint", link / "c d"))
    assert (folder / "out 1.h5").is_file() and not (folder / "c d").exists()
    assert run("validate", out).returncode == 0
