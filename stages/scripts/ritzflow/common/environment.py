"""Imported first by scripts that users call: where packages are missing, the project's Python runs them."""

import importlib.util
import os
import sys
from pathlib import Path

from ritzflow.common.locations import ROOT

NEEDED = ("h5py", "numpy", "torch")
FOLDER = ROOT / ".venv"

missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if missing:
    python = FOLDER / "bin" / "python"
    if not python.is_file() or Path(sys.prefix) == FOLDER:
        print(f"error: {sys.executable} lacks {', '.join(missing)}; `make venv` makes .venv", file=sys.stderr)
        sys.exit(2)
    os.execv(python, [str(python), *sys.argv])
