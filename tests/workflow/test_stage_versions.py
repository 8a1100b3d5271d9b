"""Algorithm versions: asked once for each build of a binary, and clear words where a binary is missing."""

import os

import pytest

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import stage_versions


@pytest.fixture
def program(tmp_path):
    """A binary that notes each call and declares algorithm 3."""
    path = tmp_path / "lanczos"
    path.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\necho 'lanczos 0.1.0 (algorithm 3)'\n")
    path.chmod(0o755)
    return path


def calls(program):
    return (program.parent / "calls").read_text().count("called")


def test_version_is_asked_once_until_the_binary_changes(program, tmp_path):
    cache = tmp_path / "state" / "versions.json"
    assert [stage_versions.versions([program], cache) for _ in range(2)] == [{"lanczos": 3}] * 2
    assert calls(program) == 1
    os.utime(program, ns=(1, 1))
    assert stage_versions.versions([program], cache) == {"lanczos": 3}
    assert calls(program) == 2


def test_answer_without_an_algorithm_is_refused(tmp_path):
    path = tmp_path / "lanczos"
    path.write_text("#!/bin/sh\necho lanczos 1.0\n")
    path.chmod(0o755)
    with pytest.raises(InputError, match=r"expected 'NAME VERSION \(algorithm N\)', got 'lanczos 1.0'"):
        stage_versions.versions([path], tmp_path / "versions.json")


def built(folder, names):
    for name in names:
        (folder / name).touch()
    return folder


def test_kronecker_operators_need_collect_kfac(tmp_path):
    config = {"operators": {"mine": {"kind": "ekfac"}}}
    folder = built(tmp_path, stage_versions.STAGES)
    with pytest.raises(InputError, match=r"x\.yaml: operator kind 'ekfac' needs build/bin/collect-kfac"):
        stage_versions.check_built(config, folder, "x.yaml")
    stage_versions.check_built(config, built(folder, ["collect-kfac", "compare-kfac"]), "x.yaml")


def test_missing_stage_says_how_to_build_it(tmp_path):
    config = {"operators": {"ggn": {"kind": "ggn"}}}
    with pytest.raises(InputError, match=r"the sweep needs build/bin/train-model, .*run 'make build'"):
        stage_versions.check_built(config, tmp_path, "x.yaml")
