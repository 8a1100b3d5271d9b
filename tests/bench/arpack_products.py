"""Products to the ten largest eigenvalues: ours (full, thick_restart) against ARPACK at an equal basis size.

    arpack_products.py path/to/krylov_products [--seeds 5]

A run counts once its ten pairs have relative residual 1e-8. `floor` is unrestarted `full`, tested after every
product;
ratios are medians over seeds.
"""

import argparse
import statistics
import subprocess

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

PROBLEMS = ["clusters", "marchenko_pastur", "psd_curvature", "indefinite", "power_law_1", "power_law_2"]
DIMS = [21, 30, 40, 60]
K = 10


def arpack(spectrum, ncv, seed):
    """Products of scipy's eigsh on diag(spectrum), counted by the operator; None where it gives up."""
    calls = 0

    def matvec(v):
        nonlocal calls
        calls += 1
        return spectrum * v.ravel()

    n = len(spectrum)
    start = np.random.default_rng(seed).standard_normal(n)
    operator = LinearOperator((n, n), matvec=matvec, dtype=np.float64)
    try:
        eigsh(operator, k=K, which="LA", ncv=ncv, tol=1e-8, v0=start, maxiter=20000)
    except ArpackNoConvergence:
        return None
    return calls


def ours(program, name, dim, seeds):
    lines = subprocess.run(
        [program, "run", name, str(dim), str(seeds)], capture_output=True, text=True, check=True
    )
    return [int(line) for line in lines.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(
        f"{'problem':18}{'basis':>6}{'floor':>7}{'ours':>7}{'arpack':>8}{'ours/floor':>12}{'ours/arpack':>13}"
    )
    for name in PROBLEMS:
        text = subprocess.run(
            [arguments.program, "spectrum", name], capture_output=True, text=True, check=True
        )
        spectrum = np.array(text.stdout.split(), dtype=float)
        floor = statistics.median(ours(arguments.program, name, 0, arguments.seeds))
        for dim in DIMS:
            mine = statistics.median(ours(arguments.program, name, dim, arguments.seeds))
            runs = [arpack(spectrum, dim, seed) for seed in range(arguments.seeds)]
            done = [calls for calls in runs if calls is not None]
            peer = statistics.median(done) if done else float("nan")
            print(
                f"{name:18}{dim:6}{floor:7.0f}{mine:7.0f}{peer:8.0f}{mine / floor:12.2f}{mine / peer:13.2f}"
            )


if __name__ == "__main__":
    main()
