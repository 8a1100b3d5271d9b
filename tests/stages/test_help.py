"""--help, --version, and what a stage loads."""

import re
import shlex
import shutil
import subprocess

import pytest
from stage_runs import BIN, STAGES, make, run

EQUATIONS = {
    "train-model": "l(f(theta, x_i), y_i)",
    "build-operator": "d2L/dtheta2",
    "lanczos": "A Q' = Q' H + beta q e'",
    "ritz-residuals": "||A x - theta x||",
    "spectrum": "||A x - theta x||",
    "density": "sum_i s_1i^2 [theta_i <= x]",
    "metrics": "true residuals",
    "validate": "alpha = diag(H)",
}
DEFAULTS = {
    "lanczos": {"--k": "10", "--max-iters": "100", "--which": "largest", "--seed": "0"},
    "build-operator": {"--step": "final", "--ggn-mode": "auto", "--dtype-compute": "float32"},
}
TENSOR_FREE = ("density", "metrics", "validate")


@pytest.mark.parametrize("stage", STAGES)
def test_help_has_the_equation_and_a_line_for_every_flag(stage):
    done = run(stage, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert EQUATIONS[stage] in " ".join(done.stdout.split())
    flags = re.findall(r"^  (?:-h,)?(--[a-z-]+)(.*)$", done.stdout, re.M)
    assert {"--help", "--version", "--threads", "--quiet", "--log-level"} <= {flag for flag, _ in flags}
    assert ("--out" in dict(flags)) == (stage not in ("spectrum", "validate"))
    for flag, value in DEFAULTS.get(stage, {}).items():
        assert f"={value} " in dict(flags)[flag] + " "


@pytest.mark.parametrize("stage", STAGES)
def test_example_of_the_help_parses(stage, tmp_path):
    example = shlex.split(run(stage, "--help").stdout.split("Example:")[1])
    assert example[0] == stage
    done = run(stage, *example[1:], cwd=tmp_path)
    # The files of the example are not there: that is the first thing wrong with it.
    assert done.returncode == 2
    assert "no such file" in done.stderr + done.stdout or "cannot be read" in done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_example_of_the_help_runs_as_it_is_printed(stage, good, tmp_path):
    """Beside the files that it names, those of a digits MLP."""
    folder = shutil.copytree(good.folder, tmp_path / "here")
    shutil.copy(good.spec, folder / "model.json")
    shutil.copytree(good.folder, folder / "results" / "demo")
    for probe in range(3 if stage == "density" else 0):
        (folder / f"probe{probe}").mkdir()
        flags = ("--operator", folder / "operator.h5", "--seed", probe, "--k", 2, "--max-iters", 12)
        make(folder / f"probe{probe}" / "lanczos.h5", "lanczos", *flags)
    example = shlex.split(run(stage, "--help").stdout.split("Example:")[1])
    done = run(stage, *example[1:], cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_version_names_stage_version_and_algorithm(stage):
    done = run(stage, "--version")
    assert done.returncode == 0 and done.stderr == ""
    assert re.fullmatch(rf"{stage} \d+\.\d+\.\d+ \(algorithm \d+\)\n", done.stdout)


@pytest.mark.parametrize("stage", STAGES)
def test_only_stages_that_need_tensors_load_libtorch(stage):
    libraries = subprocess.run(["ldd", BIN / stage], capture_output=True, text=True, check=True).stdout
    assert ("libtorch" in libraries or "libc10" in libraries) == (stage not in TENSOR_FREE)
