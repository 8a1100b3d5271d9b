"""Where the project lies."""

from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2]
ROOT = SCRIPTS.parents[1]
BINARIES = ROOT / "build" / "bin"
