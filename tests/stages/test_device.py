"""Where products run: `--device`. What takes a GPU to see is tested on a device that stands in for one, by
tests/engine/curvature/device_test.cpp."""

import shutil
import subprocess

import pytest
from stage_runs import contents, edited, error_line, run

REFUSED = 3


def has_gpu():
    return (
        shutil.which("nvidia-smi") is not None
        and subprocess.run("nvidia-smi", capture_output=True).returncode == 0
    )


def builders(good):
    files = ("--data", good.data, "--model", good.model)
    return (("build-operator", *files, "--operator", "ggn"), ("collect-kfac", *files))


def test_another_word_is_answered_with_the_right_ones(good, tmp_path):
    for call in builders(good):
        done = run(*call, "--device", "gpu", "--out", tmp_path / "out.h5")
        line = f"error: --device: is 'gpu', expected one of cpu, cuda; see {call[0]} --help"
        assert (done.returncode, error_line(done)) == (2, line)


def test_the_processors_leave_no_trace_in_a_file(good):
    assert "@device" not in contents(good.operator)


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_where_there_is_no_gpu_the_reason_is_said_and_nothing_written(good, tmp_path):
    for call in builders(good):
        done = run(*call, "--device", "cuda", "--out", tmp_path / "out.h5")
        assert done.returncode == REFUSED
        assert error_line(done).startswith("error: device cuda: ") and "--device cpu" in error_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_an_operator_that_was_built_on_a_gpu_does_not_run_elsewhere(good):
    def change(file):
        file.attrs["device"] = "cuda"

    operator = edited(good.operator, good.folder / "gpu.h5", change)
    done = run("lanczos", "--operator", operator, "--out", good.folder / "none.h5")
    assert done.returncode == REFUSED and error_line(done).startswith("error: device cuda: ")
