"""The cells of a sweep: which are expected, where each lies, what each says about itself."""

import csv
import itertools
import json
from pathlib import Path

import blocks
import h5py
import numpy as np
from script_cli import InputError

AXES = ("model", "seed", "step", "operator", "block", "reorth_mode", "probe")
# What a table row is; seed and probe are averaged.
ROW_AXES = ("model", "step", "operator", "block", "reorth_mode")
MODE_PLACE = "{model}/seed{seed}/step{step}/{operator}{block}/{reorth_mode}"
PLACE = MODE_PLACE + "/probe{probe}"
RESTARTED = ("thick_restart", "auto")  # modes whose runs may restart: their T is no quadrature of the probe
RELATIVE_TOLERANCE = 1e-6  # of wrong_of_top_k
EPS = np.finfo(np.float64).eps

KFAC_QUANTITIES = ("kfac_error", "overlap", "coverage")  # of comparison.json, for kfac and ekfac
# Of the returned values, and of the whole spectrum from density.h5; None for semi-definite operators.
NEGATIVE_QUANTITIES = (
    "negative_fraction_topk",
    "negative_fraction",
    "negative_fraction_lower",
    "negative_fraction_upper",
    "negative_mass_topk",
    "negative_mass",
    "negative_mass_lower",
    "negative_mass_upper",
)
QUANTITIES = (
    "lambda_max",
    "wrong_of_top_k",
    "naive_wrong_of_top_k",
    "outside_interval_of_top_k",
    "naive_ghosts",
    "converged",
    "n_converged",
    "max_residual",
    "max_relative_residual",
    "max_residual_over_lambda_max",
    "residual_ratio",
    "orthogonality_loss",
    "operator_calls",
    "basis_bytes",
    "wall_seconds",
    "closed_form_error",
    *KFAC_QUANTITIES,
    *NEGATIVE_QUANTITIES,
)


def sweep(results: Path) -> dict:
    """The complete configuration of the sweep whose results lie in a folder. Raises InputError."""
    path = results / "sweep.json"
    if not path.is_file():
        raise InputError(f"{results}: no sweep.json; expected the results folder of a sweep")
    return json.loads(path.read_text())


def expected(config: dict) -> list[dict]:
    """Every cell of the sweep by its axes, in the order of the sweep file; block is empty for the whole."""
    return [
        dict(zip(AXES, (name, seed, step, operator, block, mode, probe), strict=True))
        for name, model in config["models"].items()
        for step, (operator, block), mode, seed, probe in itertools.product(
            model["steps"],
            matrices(config, model),
            config["reorth_modes"],
            config["seeds"],
            config["probes"],
        )
    ]


def matrices(config: dict, model: dict) -> list[tuple[str, str]]:
    """Operator and block of every matrix that the sweep measures of a model."""
    return [
        (name, block)
        for name, options in config["operators"].items()
        for block in blocks.suffixes(model, options)
    ]


def density_mode(config: dict, mode: str) -> str | None:
    """The mode whose runs make the density that a cell of `mode` refers to: its own, but where runs may
    restart the first one that cannot; None where there is none."""
    usable = [other for other in config["reorth_modes"] if other not in RESTARTED]
    return mode if mode in usable else next(iter(usable), None)


def densities(config: dict) -> list[str]:
    """Folders, below cells/, of every density.h5 of the sweep, in the order of the sweep file."""
    places = [MODE_PLACE.format(**cell) for cell in expected(config) if cell["reorth_mode"] not in RESTARTED]
    return list(dict.fromkeys(places))


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
    record["max_residual_over_lambda_max"] = over_largest(metrics["max_residual"], metrics["eigenvalues"])
    record["intervals"] = intervals(place / "ritz.h5")
    record["wall_seconds"] = wall_seconds(results / "benchmarks" / PLACE.format(**cell) / "lanczos.tsv")
    for name in ("closed_form_error", *NEGATIVE_QUANTITIES):
        record.setdefault(name, None)
    record |= comparison(place.parents[1] / "comparison.json")
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
        record["wrong_of_top_k"] = wrong(record["eigenvalues"], reference)
        record["naive_wrong_of_top_k"] = wrong(record.get("naive_eigenvalues"), reference)
        record["outside_interval_of_top_k"] = outside(record, reference)
    return records


def wrong(values: list | None, reference: dict | None) -> int | None:
    """Entries of a descending top-k list that are not the reference's entry of the same rank.

    Entry i is right when |theta_i - ref_i| <= max(1e-6 |ref_i|, h_i), h_i the half width of the reference's
    interval. An entry that is missing is wrong. None where there is no reference.
    """
    if values is None or reference is None:
        return None
    right = np.sort(reference["eigenvalues"])[::-1]
    tolerance = np.maximum(RELATIVE_TOLERANCE * np.abs(right), half_widths(reference, len(right)))
    return int(np.sum(~(deviations(values, right) <= tolerance)))


def outside(record: dict, reference: dict | None) -> int | None:
    """Returned entries whose interval lies wholly beside that of the reference's entry of the same rank."""
    if reference is None:
        return None
    right = np.sort(reference["eigenvalues"])[::-1]
    reach = half_widths(reference, len(right)) + half_widths(record, len(right))
    return int(np.sum(deviations(record["eigenvalues"], right) > np.maximum(reach, EPS * np.abs(right))))


def deviations(values: list, right: np.ndarray) -> np.ndarray:
    """|theta_i - ref_i| rank by rank; nan where the list has no entry i."""
    found = np.full(len(right), np.nan)
    head = np.sort(values)[::-1][: len(right)]
    found[: len(head)] = head
    return np.abs(found - right)


def half_widths(record: dict, count: int) -> np.ndarray:
    """(upper - lower) / 2 of the first `count` intervals of a record, 0 where there is none."""
    bounds, widths = record["intervals"][:count], np.zeros(count)
    widths[: len(bounds)] = (bounds[:, 1] - bounds[:, 0]) / 2
    return widths


def intervals(path: Path) -> np.ndarray:
    """[k,2] intervals of the wanted values, descending; ritz.h5 lists copies and spurious ones, too."""
    with h5py.File(path) as file:
        verdicts, bounds = file["verdicts"].asstr()[...], file["intervals"][...]
    return bounds[np.isin(verdicts, ["converged", "unconverged"])]


def comparison(path: Path) -> dict:
    """What compare-kfac says of a K-FAC operator; None of each for other operators."""
    said = json.loads(path.read_text()) if path.is_file() else {}
    return {name: said.get(name) for name in KFAC_QUANTITIES}


def over_largest(residual: float | None, eigenvalues: list[float]) -> float | None:
    """A residual relative to the returned value of largest magnitude."""
    scale = max(map(abs, eigenvalues), default=0.0)
    return residual / scale if residual is not None and scale > 0 else None


def content_digest(path: Path) -> str:
    with h5py.File(path) as file:
        return file.attrs["content_sha256"]


def wall_seconds(path: Path) -> float | None:
    """Wall time of the Lanczos job from Snakemake's benchmark table; None where it was not measured."""
    if not path.is_file():
        return None
    with path.open() as table:
        return float(next(csv.DictReader(table, delimiter="\t"))["s"])
