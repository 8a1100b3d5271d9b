"""Where the Python scripts lie; importing this makes their modules importable."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "stages" / "scripts"
sys.path.insert(0, str(SCRIPTS))
