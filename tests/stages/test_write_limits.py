"""What a stage may write and where: full disks, read-only folders, names that point elsewhere."""

import os
import resource

import pytest
from stage_runs import error_line, make, run, sha256

FAILURE, BAD_INPUT = 1, 2


def limited(size):
    """At most `size` bytes a file: writing more fails as on a full disk (the signal of it is off)."""

    def set_limit():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return set_limit


def calls(good):
    model = ("--data", good.data, "--model", good.model)
    return {
        "train-model": ("train-model", "--data", good.data, "--spec", good.spec),
        "build-operator": ("build-operator", *model, "--operator", "ggn"),
        "lanczos": ("lanczos", "--operator", good.operator, "--max-iters", 20, "--keep-basis"),
        "lanczos-on-disk": ("lanczos", "--operator", good.operator, "--max-iters", 20, "--basis", "disk"),
        "ritz-residuals": ("ritz-residuals", "--operator", good.operator, "--lanczos", good.lanczos),
    }


@pytest.mark.parametrize(
    "stage", ("train-model", "build-operator", "lanczos", "lanczos-on-disk", "ritz-residuals")
)
@pytest.mark.parametrize("size", (0, 1000, 6000))
def test_full_disk_is_an_error_and_leaves_the_old_output(stage, size, good, tmp_path):
    out = tmp_path / "out.h5"
    out.write_bytes(b"old")
    call = (*calls(good)[stage], "--checkpoint", tmp_path / "c", "--checkpoint-interval", 0, "--out", out)
    done = run(*call, preexec_fn=limited(size))
    assert done.returncode == FAILURE, done.stderr
    assert str(tmp_path) in error_line(done)
    assert out.read_bytes() == b"old"
    assert not list(tmp_path.glob("out.h5.part.*"))
    whole = make(tmp_path / "whole.h5", *calls(good)[stage])
    assert run(*call).returncode == 0  # with room on the disk, from what there is of the checkpoint
    assert sha256(out) == sha256(whole) and not (tmp_path / "c").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_checkpoint_folder_is_an_error(good, tmp_path):
    (tmp_path / "c").mkdir(mode=0o500)
    done = run(*calls(good)["lanczos"], "--checkpoint", tmp_path / "c", "--out", tmp_path / "out.h5")
    assert done.returncode == FAILURE and str(tmp_path / "c") in error_line(done)


def test_checkpoint_root_that_is_a_file_is_an_error_before_any_work(good, tmp_path):
    (tmp_path / "c").write_text("mine")
    done = run(*calls(good)["train-model"], "--checkpoint", tmp_path / "c", "--out", tmp_path / "out.h5")
    assert done.returncode == FAILURE and str(tmp_path / "c") in error_line(done)
    assert (tmp_path / "c").read_text() == "mine" and not (tmp_path / "out.h5").exists()


def lanczos(dense, mode="full", **settings):
    flags = {"k": 4, "seed": 1, "max_iters": 12, "tol": 1e-9, **settings}
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)]
    return ("lanczos", "--operator", dense.operator, "--reorth-mode", mode, *words)


@pytest.mark.parametrize("mode", ("full", "off", "selective", "partial", "thick_restart"))
def test_extended_run_has_the_bits_of_one_with_the_larger_setting(mode, dense, tmp_path):
    call = (*lanczos(dense, mode, tol=1e-6), "--keep-basis")
    short = make(tmp_path / "short.h5", *call)
    larger = (*lanczos(dense, mode, max_iters=40), "--keep-basis")
    whole = make(tmp_path / "whole.h5", *larger)
    extended = make(tmp_path / "extended.h5", *larger, "--continue-from", short)
    assert sha256(extended) == sha256(whole)


def test_run_that_cannot_be_extended_says_why(dense, tmp_path):
    kept = make(tmp_path / "kept.h5", *lanczos(dense), "--keep-basis")
    bare = make(tmp_path / "bare.h5", *lanczos(dense))
    for earlier, settings, words in (
        (bare, {}, "kept no Lanczos vectors to resume from; --keep-basis would have"),
        (kept, {"seed": 2}, "has --seed 1, this run 2; they must be the same"),
        (kept, {"tol": 1e-3}, "would have ended earlier"),
        (kept, {"max_iters": 5}, "more than --max-iters 5"),
    ):
        done = run(*lanczos(dense, **settings), "--continue-from", earlier, "--out", tmp_path / "out.h5")
        assert done.returncode == BAD_INPUT and words in error_line(done), done.stderr
