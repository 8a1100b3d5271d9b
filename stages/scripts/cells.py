"""The cells of a sweep: which are expected, where each lies, what each says about itself."""

import csv
import itertools
import json
from pathlib import Path

import h5py
import numpy as np
from script_cli import InputError

AXES = ("model", "seed", "step", "operator", "reorth_mode", "probe")
ROW_AXES = ("model", "step", "operator", "reorth_mode")  # what a table row is; seed and probe are averaged
PLACE = "{model}/seed{seed}/step{step}/{operator}/{reorth_mode}/probe{probe}"
RELATIVE_TOLERANCE = 1e-6  # of wrong_of_top_k

QUANTITIES = (
    "lambda_max",
    "wrong_of_top_k",
    "naive_wrong_of_top_k",
    "naive_ghosts",
    "converged",
    "max_residual",
    "max_relative_residual",
    "residual_ratio",
    "orthogonality_loss",
    "operator_calls",
    "basis_bytes",
    "wall_seconds",
)


def sweep(results: Path) -> dict:
    """The complete configuration of the sweep whose results lie in a folder. Raises InputError."""
    path = results / "sweep.json"
    if not path.is_file():
        raise InputError(f"{results}: no sweep.json; expected the results folder of a sweep")
    return json.loads(path.read_text())


def expected(config: dict) -> list[dict]:
    """Every cell of the sweep by its axes, in the order of the sweep file."""
    return [
        dict(zip(AXES, (name, seed, step, operator, mode, probe), strict=True))
        for name, model in config["models"].items()
        for step, operator, mode, seed, probe in itertools.product(
            model["steps"], config["operators"], config["reorth_modes"], config["seeds"], config["probes"]
        )
    ]


def folder(results: Path, cell: dict) -> Path:
    return results / "cells" / PLACE.format(**cell)


def read(results: Path, cell: dict) -> dict | None:
    """A cell's axes, the fields of its metrics.json, intervals, wall time and digests; None if missing."""
    place = folder(results, cell)
    if not (place / "metrics.json").is_file():
        return None
    metrics = json.loads((place / "metrics.json").read_text())
    record = {**metrics, **cell}
    record["reorth_mode_ran"] = metrics["reorth_mode"]
    record["lambda_max"] = metrics["max_eigenvalue"]
    record["converged"] = metrics["converged"]
    record["intervals"] = intervals(place / "ritz.h5", metrics["eigenvalues"])
    record["wall_seconds"] = wall_seconds(results / "benchmarks" / PLACE.format(**cell) / "lanczos.tsv")
    for name in ("lanczos", "ritz"):
        record[f"{name}_sha256"] = content_digest(place / f"{name}.h5")
    return record


def read_all(results: Path, config: dict) -> list[dict]:
    """The records of all cells that exist, each with wrong_of_top_k against the `full` cell beside it."""
    records = [record for cell in expected(config) if (record := read(results, cell)) is not None]
    key = tuple(axis for axis in AXES if axis != "reorth_mode")
    full = {tuple(r[a] for a in key): r for r in records if r["reorth_mode"] == "full"}
    for record in records:
        reference = full.get(tuple(record[a] for a in key))
        record["wrong_of_top_k"] = wrong(record["eigenvalues"], reference, record["intervals"])
        record["naive_wrong_of_top_k"] = wrong(record.get("naive_eigenvalues"), reference, None)
    return records


def wrong(values: list | None, reference: dict | None, own_intervals: np.ndarray | None) -> int | None:
    """Entries of a descending top-k list that are not the reference's entry of the same rank.

    Entry i is right when |theta_i - ref_i| <= max(1e-6 |ref_i|, h_i), h_i the sum of the half widths of the
    two entries' intervals (of the reference's alone for a naive list, which has none). An entry that is
    missing is wrong. None where there is no reference.
    """
    if values is None or reference is None:
        return None
    right = np.sort(reference["eigenvalues"])[::-1]
    found = np.full(len(right), np.nan)
    head = np.sort(values)[::-1][: len(right)]
    found[: len(head)] = head
    width = half_widths(reference["intervals"], len(right))
    if own_intervals is not None:
        width = width + half_widths(own_intervals, len(right))
    tolerance = np.maximum(RELATIVE_TOLERANCE * np.abs(right), width)
    return int(np.sum(~(np.abs(found - right) <= tolerance)))


def half_widths(bounds: np.ndarray, count: int) -> np.ndarray:
    """(upper - lower) / 2 of the first `count` intervals, 0 where there is none."""
    widths = np.zeros(count)
    known = (bounds[:count, 1] - bounds[:count, 0]) / 2
    widths[: len(known)] = known
    return widths


def intervals(path: Path, wanted: list[float]) -> np.ndarray:
    """[k,2] intervals of the wanted values in descending order, from ritz.h5, which also lists copies."""
    with h5py.File(path) as file:
        values, bounds = file["eigenvalues"][...], file["intervals"][...]
    index = [int(np.argmin(np.abs(values - value))) for value in sorted(wanted, reverse=True)]
    return bounds[index].reshape(-1, 2)


def content_digest(path: Path) -> str:
    with h5py.File(path) as file:
        return file.attrs["content_sha256"]


def wall_seconds(path: Path) -> float | None:
    """Wall time of the Lanczos job from Snakemake's benchmark table; None where it was not measured."""
    if not path.is_file():
        return None
    with path.open() as table:
        return float(next(csv.DictReader(table, delimiter="\t"))["s"])
