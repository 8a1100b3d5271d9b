"""Runs of the stage binaries, and what tests read from their files."""

import os
import subprocess
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("RITZFLOW_BIN", ROOT / "build" / "bin"))
STAGES = (
    "train-model",
    "build-operator",
    "lanczos",
    "ritz-residuals",
    "density",
    "metrics",
    "spectrum",
    "validate",
)
MODES = ("full", "selective", "off", "partial", "parlett_scott", "thick_restart")
