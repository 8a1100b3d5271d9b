"""Inputs that are no regular files, or far too large, are refused at once: they are never opened."""

import os

import pytest
from stage_runs import error_line, run

CALLS = {
    "validate": lambda good, path: ("validate", path),
    "audit": lambda good, path: ("audit", path, good.ritz),
    "data": lambda good, path: ("train-model", "--data", path, "--spec", good.spec),
    "model": lambda good, path: ("collect-kfac", "--data", good.data, "--model", path),
    "spec": lambda good, path: ("train-model", "--data", good.data, "--spec", path),
    "matrix": lambda good, path: ("build-operator", "--operator", "matrix", "--matrix", f"{path}:/A"),
    "operator": lambda good, path: ("lanczos", "--operator", path),
    "lanczos": lambda good, path: ("density", path),
    "ritz": lambda good, path: ("metrics", "--ritz", path),
}


def refusal(call, out):
    """The text on both streams of a run that must end with exit status 2."""
    more = () if call[0] in ("validate", "audit") else ("--out", out)
    done = run(*call, *more)
    assert done.returncode == 2, done.stderr
    return error_line(done) + done.stdout


@pytest.mark.parametrize("kind", ("pipe", "device"))
@pytest.mark.parametrize("name", CALLS)
def test_an_input_that_is_no_regular_file_is_refused(name, kind, good, tmp_path):
    path = tmp_path / "in.json"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    text = refusal(CALLS[name](good, path), tmp_path / "out")
    assert str(path) in text and "expected" in text


def test_a_json_file_beyond_any_sensible_size_is_refused(good, tmp_path):
    path = tmp_path / "spec.json"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    text = refusal(CALLS["spec"](good, path), tmp_path / "out")
    assert str(path) in text and "at most 64 MiB" in text
