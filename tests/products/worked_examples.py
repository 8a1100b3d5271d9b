"""The worked examples of docs/own-models.md, run as they are printed."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "own-models.md"
FOLDERS = [str(ROOT / "build" / "bin"), str(ROOT / ".venv" / "bin"), os.environ["PATH"]]


def section(title: str) -> str:
    """What stands under a heading of the third level."""
    return re.search(rf"^### {re.escape(title)}\n(.*?)^##", GUIDE.read_text(), re.DOTALL | re.MULTILINE)[1]


def run(title: str, folder: Path) -> str:
    """Writes the example's Python file into the folder, runs its commands there; what they print."""
    text = section(title)
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        (folder / code.split()[1]).write_text(code)
    for name in ("stages", ".venv-models"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (commands,) = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    environment = {**os.environ, "PATH": ":".join(FOLDERS), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-e"], input=commands, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def converged(printed: str) -> list[float]:
    """Eigenvalues that `spectrum` prints as converged."""
    return [float(line.split()[1]) for line in printed.splitlines() if line.rstrip().endswith("converged")]
