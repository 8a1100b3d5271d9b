"""What each cell of a sweep that stands says about itself, for tables and figures."""

import csv
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ritzflow.common import artifact_digest
from ritzflow.common.script_cli import InputError
from ritzflow.sweep import cells, places
from ritzflow.sweep.cells import AXES, folder
from ritzflow.sweep.stale import Comparison
from ritzflow.sweep.types import Cell, Config
from ritzflow.tables.references import References

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


def read(results: Path, cell: Cell, found: Comparison) -> dict[str, Any]:
    """A cell's axes, the fields of its metrics.json, intervals, wall time and digests. Raises InputError."""
    place = folder(results, cell)
    metrics = json.loads((place / "metrics.json").read_text())
    record = {**metrics, **cell}
    record["reorth_mode_ran"] = metrics["reorth_mode"]
    record["lambda_max"] = metrics["max_eigenvalue"]
    record["max_residual_over_lambda_max"] = over_largest(metrics["max_residual"], metrics["eigenvalues"])
    record["intervals"] = intervals(place / "ritz.h5", metrics)
    record["wall_seconds"] = wall_seconds(results / "benchmarks" / places.CELL.format(**cell) / "lanczos.tsv")
    for name in ("closed_form_error", *NEGATIVE_QUANTITIES):
        record.setdefault(name, None)
    record |= comparison(results, places.COMPARISON.format(**cell), found)
    for name, pattern in (("lanczos", places.LANCZOS), ("ritz", places.RITZ)):
        record[f"{name}_sha256"] = found.records[pattern.format(**cell)].content
    return record


def read_all(
    results: Path, config: Config, found: Comparison
) -> tuple[list[dict[str, Any]], dict[tuple[Any, ...], str]]:
    """The records of the cells that stand, and why each other cell is missing, by its axes.

    A record has wrong_of_top_k and the like against the `full` cell beside it.
    """
    records, missing = [], {}
    for cell in cells.expected(config):
        reason = why_missing(cell, found)
        if not reason:
            try:
                records.append(read(results, cell, found))
            except (InputError, OSError, KeyError, ValueError) as error:
                reason = " ".join(str(error).split())
        if reason:
            missing[tuple(cell[axis] for axis in AXES)] = reason
    add_comparisons(config, records)
    return records, missing


MADE_FROM = (
    places.DATA,
    places.TRAINING,
    places.MODEL,
    places.KFAC,
    places.OPERATOR,
    places.LANCZOS,
    places.RITZ,
    places.DENSITY,
    places.METRICS,
)


def why_missing(cell: Cell, found: Comparison) -> str | None:
    """The first artifact upstream of a record that does not stand, with its reason; None where all do."""
    metrics, is_known = places.METRICS.format(**cell), isinstance(cell["step"], int)
    if is_known and metrics not in found.reasons:
        return None
    paths = [pattern.format(**cell) for pattern in MADE_FROM]
    causes = [path for path in paths if path in found.reasons and path not in found.consequences]
    path = causes[0] if causes else metrics
    return f"{path}: {found.reasons.get(path, 'known once all seeds are trained')}"


def add_comparisons(config: Config, records: list[dict[str, Any]]) -> None:
    """What each cell has in common with the one that it is compared with."""
    references = References(config, records)
    for record in records:
        reference = references.of(record)
        record["wrong_of_top_k"] = wrong(record["eigenvalues"], reference)
        record["naive_wrong_of_top_k"] = wrong(record.get("naive_eigenvalues"), reference)
        record["outside_interval_of_top_k"] = outside(record, reference)


def wrong(values: list[Any] | None, reference: dict[str, Any] | None) -> int | None:
    """Entries of a descending top-k list that are not the reference's entry of the same rank.

    Entry i is right when |theta_i - ref_i| <= max(1e-6 |ref_i|, h_i), h_i the half width of the reference's
    interval. An entry that is missing is wrong. None where there is no reference.
    """
    if values is None or reference is None:
        return None
    right = np.sort(reference["eigenvalues"])[::-1]
    tolerance = np.maximum(RELATIVE_TOLERANCE * np.abs(right), half_widths(reference, len(right)))
    return int(np.sum(~(deviations(values, right) <= tolerance)))


def outside(record: dict[str, Any], reference: dict[str, Any] | None) -> int | None:
    """Returned entries whose interval lies wholly beside that of the reference's entry of the same rank."""
    if reference is None:
        return None
    right = np.sort(reference["eigenvalues"])[::-1]
    reach = half_widths(reference, len(right)) + half_widths(record, len(right))
    return int(np.sum(deviations(record["eigenvalues"], right) > np.maximum(reach, EPS * np.abs(right))))


def deviations(values: list[Any], right: np.ndarray) -> np.ndarray:
    """|theta_i - ref_i| rank by rank; nan where the list has no entry i."""
    found = np.full(len(right), np.nan)
    head = np.sort(values)[::-1][: len(right)]
    found[: len(head)] = head
    return np.abs(found - right)


def half_widths(record: dict[str, Any], count: int) -> np.ndarray:
    """(upper - lower) / 2 of the first `count` intervals of a record, 0 where there is none."""
    bounds, widths = record["intervals"][:count], np.zeros(count)
    widths[: len(bounds)] = (bounds[:, 1] - bounds[:, 0]) / 2
    return widths


def intervals(path: Path, metrics: dict[str, Any]) -> np.ndarray:
    """[k,2] intervals of the wanted values, descending; ritz.h5 also lists copies and spurious ones.

    Raises InputError where ritz.h5 is damaged, or is not where the eigenvalues of metrics.json come from.
    """
    artifact_digest.require_whole(path)
    with h5py.File(path) as file:
        verdicts, bounds = file["verdicts"].asstr()[...], file["intervals"][...]
        values = file["eigenvalues"][...] + metrics.get("regularization_applied", 0)
    if not all(np.isclose(values, wanted, rtol=1e-12, atol=0).any() for wanted in metrics["eigenvalues"]):
        raise InputError(f"{path.with_name('metrics.json')}: its eigenvalues are not those of ritz.h5")
    return bounds[np.isin(verdicts, ["converged", "unconverged"])]


def comparison(results: Path, path: str, found: Comparison) -> dict[str, Any]:
    """What compare-kfac says of a K-FAC operator; None of each for other operators."""
    stands = path in found.records and path not in found.reasons
    said = json.loads((results / path).read_text()) if stands else {}
    return {name: said.get(name) for name in KFAC_QUANTITIES}


def over_largest(residual: float | None, eigenvalues: list[float]) -> float | None:
    """A residual relative to the returned value of largest magnitude."""
    scale = max(map(abs, eigenvalues), default=0.0)
    return residual / scale if residual is not None and scale > 0 else None


def wall_seconds(path: Path) -> float | None:
    """Wall time of the Lanczos job from Snakemake's benchmark table; None where it was not measured."""
    if not path.is_file():
        return None
    with path.open() as table:
        return float(next(csv.DictReader(table, delimiter="\t"))["s"])
