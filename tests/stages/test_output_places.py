"""What --out may replace: never an input of the same command line, nor what is no regular file."""

import os
import re
import subprocess

import numpy as np
import pytest
from stage_runs import command, error_line, make, run, write_matrix

BAD_INPUT = 2


def calls_by_input(good):
    """Each stage that writes, with the inputs that its command line names."""
    data, model, op = ("--data", good.data), ("--model", good.model), ("--operator", good.operator)
    yield ("train-model", *data, "--spec", good.spec), (good.data, good.spec)
    yield ("build-operator", *data, *model, "--operator", "ggn"), (good.data, good.model)
    yield ("collect-kfac", *data, *model), (good.data, good.model)
    yield ("compare-kfac", *op), (good.operator,)
    yield ("lanczos", *op, "--continue-from", good.lanczos), (good.operator, good.lanczos)
    yield ("lanczos", *op, "--start", good.ritz), (good.ritz,)
    yield ("ritz-residuals", *op, "--lanczos", good.lanczos), (good.operator, good.lanczos)
    yield ("density", good.lanczos, *op), (good.lanczos, good.operator)
    yield ("metrics", "--ritz", good.ritz, *op), (good.ritz, good.operator)


def refused(call, out, *words):
    done = run(*call, "--out", out)
    line = error_line(done)
    assert done.returncode == BAD_INPUT, done.stderr
    for word in words:
        assert str(word) in line


def test_an_output_that_is_an_input_is_refused_and_the_input_stays(good):
    for call, inputs in calls_by_input(good):
        for path in inputs:
            before = path.read_bytes()
            refused(call, path, "--out", path, "same file")
            refused(call, f"{path.parent}/../{path.parent.name}/{path.name}", "same file")
            assert path.read_bytes() == before
    assert not list(good.folder.glob("*.part.*"))


def test_an_output_that_is_the_matrix_is_refused(dense):
    path = dense.place.removesuffix(":/A")
    call = ("build-operator", "--operator", "matrix", "--matrix", dense.place)
    refused(call, path, "--matrix", "same file")


def test_an_output_that_is_another_name_of_an_input_is_refused(good, tmp_path):
    os.link(good.ritz, tmp_path / "hard.h5")
    refused(("metrics", "--ritz", good.ritz), tmp_path / "hard.h5", "same file")


def test_an_output_that_is_no_regular_file_is_refused_and_stays(good, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    for name in ("pipe", "link", "nowhere"):
        refused(("metrics", "--ritz", good.ritz), tmp_path / name, "regular file")
    assert sorted(os.listdir(tmp_path)) == ["link", "nowhere", "pipe"]
    assert (tmp_path / "link").is_symlink() and (tmp_path / "pipe").is_fifo()


def test_an_empty_output_is_refused_before_any_work(good):
    for call, _ in calls_by_input(good):
        refused(call, "", "--out is empty")


def test_an_older_output_is_replaced(good, tmp_path):
    (tmp_path / "metrics.json").write_text("older")
    assert make(tmp_path / "metrics.json", "metrics", "--ritz", good.ritz).read_text().startswith("{")


@pytest.mark.parametrize(
    "stage",
    ("train-model", "collect-kfac", "build-operator", "lanczos", "ritz-residuals", "density", "metrics"),
)
def test_every_flag_that_names_an_input_is_shown_as_a_file(stage):
    flags = re.findall(r"^  (--\S+|LANCZOS) (\S+)(.*(?:\n {10,}.*)*)", run(stage, "--help").stdout, re.M)
    artifact = (
        r"(REQUIRED|\.\.\.|\s|kfac, ekfac: )*(data|model|kfac|operator|lanczos|ritz|density)\.(h5|json)"
    )
    named = [(flag, kind) for flag, kind, text in flags if re.match(artifact, text)]
    assert named and all(kind == "FILE" for _, kind in named), named


def test_paths_may_be_any_bytes(tmp_path):
    """They are part of /provenance, of which JSON is made."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    call = ("--operator", "matrix", "--matrix", write_matrix(tmp_path / "a.h5", np.diag([3.0, 2.0, 1.0])))
    op = ("--operator", make(folder / "op.h5", "build-operator", *call))
    lanczos = make(folder / "lanczos.h5", "lanczos", *op, "--k", 1, "--checkpoint", folder / "parts")
    ritz = make(folder / "ritz.h5", "ritz-residuals", *op, "--lanczos", lanczos)
    make(folder / "density.h5", "density", *op, lanczos)
    make(folder / "metrics.json", "metrics", *op, "--ritz", ritz)
    assert subprocess.run(command("validate", folder), capture_output=True).returncode == 0
