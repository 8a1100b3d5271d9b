#!/usr/bin/env python3
"""Start-up of each stage: `--version`, and a run so small that starting is all it does.

    tests/bench/startup.py [--bin build/bin] [--rounds 5]

Rounds go over all stages, so that a slow moment meets each alike; the table has medians, wall and CPU.
"""

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from small_files import write_data, write_model

ROOT = Path(__file__).resolve().parents[2]


def tiny_runs(folder):
    """A command of each stage on files of a few kilobytes, in an order in which each finds its inputs."""
    write_data(folder / "data.h5")
    (folder / "spec.json").write_text(json.dumps(write_model(folder / "model.h5")))
    with h5py.File(folder / "matrix.h5", "w") as f:
        f["A"] = np.arange(1.0, 9.0)
    matrix = ["--operator", "matrix", "--matrix", "matrix.h5:/A"]
    model = ["--data", "data.h5", "--model", "model.h5", "--operator", "ggn"]
    pair = ["--operator", "operator.h5", "--lanczos", "lanczos.h5"]
    return {
        "train-model": ["--data", "data.h5", "--spec", "spec.json", "--out", "trained.h5"],
        "build-operator": [*matrix, "--out", "operator.h5"],
        "lanczos": ["--operator", "operator.h5", "--k", "2", "--out", "lanczos.h5"],
        "ritz-residuals": [*pair, "--out", "ritz.h5"],
        "spectrum": [*model, "--k", "2"],
        "metrics": ["--ritz", "ritz.h5", "--out", "metrics.json"],
        "validate": ["ritz.h5"],
    }


def timed(command, folder):
    """(wall, CPU) milliseconds of a command that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run([*command, "--threads", "1"], cwd=folder, check=True, capture_output=True)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1e3 * wall, 1e3 * cpu


def loads_torch(program):
    return "libtorch" in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout


def main():
    parser = argparse.ArgumentParser(description="Start-up of each stage.")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin", help="folder of the stages")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each")
    options = parser.parse_args()
    times = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = tiny_runs(folder)
        for _ in range(options.rounds):
            for stage, arguments in runs.items():
                program = options.bin.resolve() / stage
                for kind, flags in (("version", ["--version"]), ("run", arguments)):
                    times.setdefault((stage, kind), []).append(timed([program, *flags], folder))
    print(f"{'stage':<16}{'LibTorch':>9}{'--version ms':>14}{'cpu ms':>8}{'tiny run ms':>13}{'cpu ms':>8}")
    for stage in runs:
        columns = [
            statistics.median(column) for kind in ("version", "run") for column in zip(*times[stage, kind])
        ]
        torch = "yes" if loads_torch(options.bin / stage) else "no"
        print(
            f"{stage:<16}{torch:>9}{columns[0]:>14.0f}{columns[1]:>8.0f}{columns[2]:>13.0f}{columns[3]:>8.0f}"
        )


if __name__ == "__main__":
    main()
