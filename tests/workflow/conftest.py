import shutil
import subprocess
import sys

import chain
import chained_sweep
import edited_sweep
import pytest
from preparing import Preparing
from scripts_under_test import SCRIPTS


@pytest.fixture
def script(tmp_path):
    """Runs a script of stages/scripts in an empty folder; gives its exit status and what it said."""

    def call(name, *arguments, cwd=tmp_path):
        return subprocess.run(
            [sys.executable, SCRIPTS / name, *map(str, arguments)],
            cwd=cwd,
            capture_output=True,
            text=True,
        )

    return call


@pytest.fixture
def prepare(tmp_path, monkeypatch, capsys):
    """prepare_data.py in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Preparing(monkeypatch, capsys)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """Results of chained_sweep as a run would leave them; not to be changed."""
    results = tmp_path_factory.mktemp("s")
    chain.write(results, chained_sweep.resolved())
    return results


@pytest.fixture
def results(pristine, tmp_path):
    """A copy of them."""
    return shutil.copytree(pristine, tmp_path / "s")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished sweep of one GGN cell; tests work on copies of its folder."""
    sweep = edited_sweep.Sweep(tmp_path_factory.mktemp("finished"), **edited_sweep.GGN)
    sweep.done()
    return sweep


@pytest.fixture
def sweep(finished, tmp_path):
    return edited_sweep.copied(finished, tmp_path)
