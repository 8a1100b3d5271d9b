"""A results tree as the stages would leave it, made by a plain numpy Lanczos on a known diagonal matrix."""

import json

import chain
import h5py
import numpy as np

from ritzflow.sweep import cells, places, stage_versions

K, STEPS, DIM = 4, 24, 60
EPS = np.finfo(float).eps


def spectrum(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([[40.0 + seed, 17.0, 9.0, 6.0], rng.uniform(-0.5, 1.0, DIM - 4)])


def lanczos(diagonal, mode, probe):
    """alpha, beta and the basis after STEPS steps; `full` orthogonalises twice, any other mode not at all."""
    q = np.random.default_rng(1000 + probe).standard_normal(len(diagonal))
    q /= np.linalg.norm(q)
    basis, alpha, beta = [q], [], []
    for j in range(STEPS):
        w = diagonal * basis[j] - (beta[-1] * basis[j - 1] if j else 0.0)
        alpha.append(basis[j] @ w)
        w = w - alpha[-1] * basis[j]
        for _ in range(2 if mode == "full" else 0):
            w = w - np.array(basis).T @ (np.array(basis) @ w)
        beta.append(np.linalg.norm(w))
        basis.append(w / beta[-1])
    return np.array(alpha), np.array(beta), np.array(basis[:-1])


def write_cell(results, cell):
    """The three files of a cell and its benchmark, as contract.md names them."""
    place = cells.folder(results, cell)
    place.mkdir(parents=True)
    diagonal = spectrum(cell["seed"])
    alpha, beta, basis = lanczos(diagonal, cell["reorth_mode"], cell["probe"])
    matrix = np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)
    theta, s = np.linalg.eigh(matrix)
    naive = theta[::-1][:K]
    vectors = (basis.T @ s[:, ::-1][:, :K]).T
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    residuals = np.linalg.norm(diagonal * vectors - naive[:, None] * vectors, axis=1)
    estimates = beta[-1] * np.abs(s[-1, ::-1][:K])
    loss = [np.abs(basis[:j] @ basis[j]).max() if j else 0.0 for j in range(STEPS)]
    with h5py.File(place / "lanczos.h5", "w") as file:
        file.attrs["reorth_mode"] = cell["reorth_mode"]
        file["alpha"], file["beta"], file["H"] = alpha, beta, matrix
    with h5py.File(place / "ritz.h5", "w") as file:
        file["eigenvalues"], file["residuals"], file["residual_estimates"] = naive, residuals, estimates
        file["intervals"] = np.stack([naive - residuals, naive + residuals], axis=1)
        file["verdicts"] = ["converged"] * K
        file["orthogonality_loss"] = loss
    record = {
        "operator": cell["operator"],
        "seed": 77,
        "reorth_mode": cell["reorth_mode"],
        "eigenvalues": naive.tolist(),
        "naive_eigenvalues": naive.tolist(),
        "max_eigenvalue": naive[0],
        "min_eigenvalue": None,
        "converged": bool(np.all(residuals <= 1e-6 * naive)),
        "k_requested": K,
        "n_converged": int(np.sum(residuals <= 1e-6 * naive)),
        "naive_ghosts": int(np.sum(np.abs(np.diff(naive)) < 1e-8 * naive[0])),
        "max_residual": residuals.max(),
        "max_relative_residual": residuals.max() / naive[0],
        "residual_ratio": None if cell["reorth_mode"] == "off" else float((residuals / estimates).max()),
        "orthogonality_loss": max(loss),
        "operator_calls": STEPS,
        "basis_bytes": basis.nbytes,
    }
    (place / "metrics.json").write_text(json.dumps(record))
    benchmark = results / "benchmarks" / places.CELL.format(**cell) / "lanczos.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text(f"s\th:m:s\tmax_rss\n{1.5 + cell['seed']}\t0:00:01\t40.0\n")


def write(results, config, missing):
    """The cells of a sweep but those that are `missing`, and the artifacts that they were made from."""
    gone = [places.CELL.format(**cell) for cell in cells.expected(config) if missing(cell)]
    for cell in cells.expected(config):
        if not missing(cell):
            write_cell(results, cell)
    algorithms = chain.ALGORITHMS | stage_versions.of_built(config)
    absent = lambda path: any(path.startswith(f"cells/{place}/") for place in gone)  # noqa: E731
    chain.write(results, config, algorithms, absent, write_density)


def write_density(name, file):
    if name == "density.h5":
        file.attrs["n_params"], file.attrs["bandwidth"] = DIM, 0.1
        for dataset in ("grid", "density", "density_lower", "density_upper"):
            file[dataset] = np.linspace(0, 1, 5)
