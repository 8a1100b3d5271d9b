#!/usr/bin/env python3
"""Peak memory of `lanczos` against basis + model + one batch's activations; the target is at most +15 %.

    tests/bench/memory.py [--bin build/bin] [--hidden 1000] [--products 60]

A run of one product holds the program, the data, the model and the activations; what a run of m products may
hold beyond it is its basis: m rows of n float64 in mode full, the window in selective, two rows in off.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import h5py
from small_files import write_data, write_model

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20


def peak(program, folder, mode, products):
    """(peak bytes, bytes of the basis) of a run that spends all its products."""
    settings = [
        "--k",
        "1",
        "--max-iters",
        products,
        "--tol",
        "1e-300",
        "--reorth-mode",
        mode,
        "--threads",
        "1",
    ]
    command = [program, "--operator", "operator.h5", *map(str, settings), "--out", "lanczos.h5"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with h5py.File(folder / "lanczos.h5") as f:
        return int(f["provenance"].attrs["peak_memory_bytes"]), int(f.attrs["basis_bytes"])


def main():
    parser = argparse.ArgumentParser(description="Peak memory of lanczos.")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin", help="folder of the stages")
    parser.add_argument("--hidden", type=int, default=1000, help="width of the MLP's two hidden layers")
    parser.add_argument("--products", type=int, default=60, help="Lanczos steps")
    options = parser.parse_args()
    stages = options.bin.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / "data.h5", samples=256, features=64)
        write_model(folder / "model.h5", features=64, hidden=(options.hidden, options.hidden))
        files = ["--data", "data.h5", "--model", "model.h5", "--operator", "ggn", "--out", "operator.h5"]
        subprocess.run([stages / "build-operator", *files], cwd=folder, check=True, capture_output=True)
        print(f"{'mode':<12}{'one product MiB':>16}{'basis MiB':>11}{'peak MiB':>10}{'peak / (sum)':>14}")
        for mode in ("full", "selective", "off"):
            alone, row = peak(stages / "lanczos", folder, mode, 1)
            total, basis = peak(stages / "lanczos", folder, mode, options.products)
            ratio = total / (alone + basis - row)
            sizes = [round(size / MIB) for size in (alone, basis, total)]
            print(f"{mode:<12}{sizes[0]:>16}{sizes[1]:>11}{sizes[2]:>10}{ratio:>14.3f}")


if __name__ == "__main__":
    main()
