"""Where the Python scripts and Snakefile lie; importing this makes the scripts' modules importable."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "stages" / "scripts"
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile")
sys.path.insert(0, str(SCRIPTS))
