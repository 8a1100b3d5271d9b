"""Scripts called by a Python without the project's packages."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "stages" / "scripts"


def call_without_packages(script):
    command = [sys.executable, "-S", str(script), "--version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["prepare_data", "export_products"])
def test_a_script_runs_by_the_projects_own_python(name):
    done = call_without_packages(SCRIPTS / f"{name}.py")
    assert done.returncode == 0 and done.stdout.startswith(f"{name} "), done.stderr


def test_without_the_projects_python_one_line_says_how_to_make_it(tmp_path):
    folder = tmp_path / "stages" / "scripts"
    folder.mkdir(parents=True)
    shutil.copy(SCRIPTS / "prepare_data.py", folder)
    shutil.copytree(SCRIPTS / "ritzflow", folder / "ritzflow")
    done = call_without_packages(folder / "prepare_data.py")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.endswith("; `make venv` makes .venv\n")
    assert done.stderr.count("\n") == 1


def test_the_conda_environment_of_the_rules_has_the_packages_of_the_scripts():
    environment = yaml.safe_load((ROOT / "stages" / "rules" / "environment.yaml").read_text())
    pinned = (ROOT / "requirements.txt").read_text().split("\n\n")[0].splitlines()[1:]
    assert environment["dependencies"][-1] == {"pip": pinned}
