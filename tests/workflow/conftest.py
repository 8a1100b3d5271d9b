import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "stages" / "scripts"
sys.path.insert(0, str(SCRIPTS))


@pytest.fixture
def script(tmp_path):
    """Runs a script of stages/scripts in an empty folder; gives its exit status and what it said."""

    def call(name, *arguments):
        return subprocess.run(
            [sys.executable, SCRIPTS / name, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return call
