"""An interrupted run ends in the bits of an uninterrupted one, and says clearly when it cannot."""

import random
import shutil
import signal
import subprocess
import time
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from stage_runs import MODES, command, error_line, flip, make, run, sha256, write_matrix

STOPPED, FAILURE = 75, 1
N, PRODUCTS = 3000, 150


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A dense operator large enough that a run takes a second, and final digests of uninterrupted runs."""
    folder = tmp_path_factory.mktemp("big")
    a = np.random.default_rng(0).standard_normal((N, N))
    place = write_matrix(folder / "matrix.h5", a + a.T)
    call = ("--operator", "matrix", "--matrix", place)
    operator = make(folder / "operator.h5", "build-operator", *call)
    yield SimpleNamespace(folder=folder, operator=operator, finals={})
    shutil.rmtree(folder)  # 72 MB that no later test needs


def settings(big, mode, *more):
    fixed = ("--k", 10, "--max-iters", PRODUCTS, "--tol", 1e-14, "--threads", 2)
    return ("lanczos", "--operator", big.operator, *fixed, "--reorth-mode", mode, *more)


def uninterrupted(big, mode, *more):
    """content_sha256 of the run without a checkpoint, and the seconds that it took."""
    if (mode, *more) not in big.finals:
        begin = time.monotonic()
        out = make(big.folder / "final.h5", *settings(big, mode, *more))
        big.finals[(mode, *more)] = sha256(out), time.monotonic() - begin
    return big.finals[(mode, *more)]


class Run:
    """The command of a run with a checkpoint, to be started, stopped and started again."""

    def __init__(self, big, folder, mode, *more):
        self.root, self.out = folder / "checkpoint", folder / "lanczos.h5"
        checkpoint = ("--checkpoint", self.root, "--checkpoint-interval", 0)
        self.call = (*settings(big, mode, *more), *checkpoint, "--out", self.out)

    def start(self):
        return subprocess.Popen(command(*self.call), stderr=subprocess.PIPE, text=True)

    def finish(self, *more):
        done = run(*self.call, *more)
        assert done.returncode == 0, done.stderr
        return done

    def segments(self):
        return sorted(self.root.glob("*/checkpoint-*.h5"))

    def start_and_wait_for_a_segment(self):
        before, process = self.segments(), self.start()
        while process.poll() is None and self.segments() == before:
            time.sleep(0.002)
        return process


def kill(process):
    """Whether the process was still at work when it was killed."""
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_at_random(job, seconds, generator):
    """kill -9 at any moment of the run, or right behind a segment, until one run was hit at work."""
    for _ in range(10):
        if generator.random() < 0.5:
            process = job.start()
            time.sleep(generator.uniform(0, 0.8 * seconds))
        else:
            process = job.start_and_wait_for_a_segment()
            time.sleep(generator.uniform(0, 0.1 * seconds))
        if kill(process):
            return
    raise AssertionError("no run was hit at work in 10 attempts")


@pytest.mark.parametrize("mode, keep", list(product(MODES, ([], ["--keep-basis"]))))
def test_killed_run_ends_in_the_bits_of_an_uninterrupted_one(mode, keep, big, tmp_path):
    digest, seconds = uninterrupted(big, mode, *keep)
    job, generator = Run(big, tmp_path, mode, *keep), random.Random(f"{mode}{keep}")
    for _ in range(2):  # 12 kills over all modes
        kill_at_random(job, seconds, generator)
    expected = bool(job.segments())
    done = job.finish()
    assert sha256(job.out) == digest
    assert ("resuming after product" in done.stderr) == expected
    assert not job.root.exists()


@pytest.mark.parametrize("number, mode", list(zip((signal.SIGTERM, signal.SIGINT, signal.SIGUSR1), MODES)))
def test_signal_writes_a_segment_and_exits_75_and_the_same_command_goes_on(number, mode, big, tmp_path):
    job = Run(big, tmp_path, mode)
    process = job.start_and_wait_for_a_segment()
    process.send_signal(number)
    _, text = process.communicate()
    assert process.returncode == STOPPED, text
    line = error_line(SimpleNamespace(stderr=text))
    products = int(line.split("after ")[1].split(" products")[0])
    assert job.segments()[-1].name == f"checkpoint-{products:08}.h5"
    assert not job.out.exists()
    assert f"resuming after product {products} " in job.finish().stderr
    assert sha256(job.out) == uninterrupted(big, mode)[0]


def test_signal_without_a_checkpoint_exits_1_and_says_what_to_do(big, tmp_path):
    out = tmp_path / "lanczos.h5"
    call = command(*settings(big, "auto"), "--out", out)
    process = subprocess.Popen(call, stderr=subprocess.PIPE, text=True)
    assert "reorth_mode full" in process.stderr.readline()  # the line before the first product
    process.send_signal(signal.SIGTERM)
    _, text = process.communicate()
    assert process.returncode == FAILURE
    assert "--checkpoint DIR" in error_line(SimpleNamespace(stderr=text))
    assert not out.exists()


@pytest.fixture(scope="module")
def checkpointed(big, tmp_path_factory):
    """A finished run per mode whose segments were kept: at least one that was due and one of a signal."""
    jobs = {}
    for mode in ("full", "off"):
        job = jobs[mode] = Run(big, tmp_path_factory.mktemp(mode), mode)
        process = job.start_and_wait_for_a_segment()
        process.send_signal(signal.SIGTERM)
        process.communicate()
        job.finish("--keep-checkpoint")
        assert len(job.segments()) >= 2
    return jobs


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_middle(path):
    flip(path, path.stat().st_size // 2)


@pytest.mark.parametrize("mode", ("full", "off"))
def test_damaged_segment_is_warned_of_and_the_bits_stay_the_same(mode, big, checkpointed, tmp_path):
    kept = checkpointed[mode]
    for i, segment in enumerate(kept.segments()):
        for damage in (flip_middle, truncate):
            job = Run(big, tmp_path, mode)
            shutil.copytree(kept.root, job.root)
            damaged = job.segments()[i]
            damage(damaged)
            done = job.finish()
            assert f"checkpoint segment passed over: {damaged}" in done.stderr
            assert sha256(job.out) == uninterrupted(big, mode)[0], segment
            assert not job.root.exists()


def test_segments_whose_first_one_is_missing_are_not_used(big, checkpointed, tmp_path):
    job = Run(big, tmp_path, "full")
    shutil.copytree(checkpointed["full"].root, job.root)
    job.segments()[0].unlink()
    done = job.finish()
    assert "resuming after" not in done.stderr
    assert sha256(job.out) == uninterrupted(big, "full")[0]


def test_segments_behind_a_damaged_one_are_used_once_its_rows_were_written_anew(big, checkpointed, tmp_path):
    job = Run(big, tmp_path, "full")
    shutil.copytree(checkpointed["full"].root, job.root)
    damaged = job.segments()[0]  # one row; the next segments need it
    truncate(damaged)
    assert kill(job.start_and_wait_for_a_segment()) or not job.segments()
    done = job.finish()
    assert sha256(job.out) == uninterrupted(big, "full")[0]
    assert not job.root.exists(), done.stderr


def test_other_settings_start_anew_and_leave_the_old_folder_alone(big, checkpointed, tmp_path):
    old = checkpointed["off"]
    before = {path: path.read_bytes() for path in old.segments()}
    for flag, value in (("--k", 9), ("--tol", 1e-13), ("--reorth-mode", "full")):
        call = list(old.call)
        call[call.index(flag) + 1] = value
        done = run(*call, "--keep-basis")
        assert done.returncode == 0, done.stderr
        assert "resuming after" not in done.stderr
        assert {path: path.read_bytes() for path in old.root.glob("*/checkpoint-*.h5")} == before
        assert list(old.root.iterdir()) == [old.segments()[0].parent]


def test_second_process_on_a_checkpoint_is_refused_with_the_pid_of_the_first(big, tmp_path):
    job = Run(big, tmp_path, "off")
    process = job.start_and_wait_for_a_segment()
    process.send_signal(signal.SIGSTOP)
    done = run(*job.call)
    assert done.returncode == FAILURE
    assert f"process {process.pid} is at work" in error_line(done)
    assert str(job.root) in error_line(done)
    assert kill(process)


def test_what_a_killed_process_left_half_written_is_removed_at_the_end(big, checkpointed, tmp_path):
    job = Run(big, tmp_path, "off")
    shutil.copytree(checkpointed["off"].root, job.root)
    part = job.segments()[0].with_name("checkpoint-00000007.h5.part.4194304")
    part.write_bytes(b"half a segment")
    job.finish()
    assert not job.root.exists()


def test_checkpoint_folder_that_cannot_be_made_is_an_io_error(dense, tmp_path):
    (tmp_path / "file").write_text("")
    root, out = tmp_path / "file" / "checkpoint", tmp_path / "lanczos.h5"
    done = run("lanczos", "--operator", dense.operator, "--checkpoint", root, "--out", out)
    assert done.returncode == FAILURE
    assert str(root) in error_line(done)
    assert not out.exists()
