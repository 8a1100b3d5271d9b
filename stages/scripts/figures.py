#!/usr/bin/env python3
"""Draw a sweep's figures: spectrum, density, convergence, orthogonality, and an overview.

    figures.py results/demo

Panels: one row per model, one column per operator, at the last training step that was measured. Lines: one
colour per mode, paler from variant to variant, one line for each seed and probe. The spectrum shows the first
seed and probe, the density the first seed.
"""

import functools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.linalg import eigvalsh_tridiagonal

from ritzflow.common import artifact_digest
from ritzflow.common.script_cli import Parser, run
from ritzflow.sweep import cells, places, stale, summaries, sweep_config
from ritzflow.sweep.types import Config
from ritzflow.tables import cell_records
from ritzflow.tables import figure_style as style
from ritzflow.tables.figure_style import Line
from ritzflow.tables.references import References

ALGORITHM = 1
require_whole = functools.cache(artifact_digest.require_whole)  # once for all panels of a file
FLOOR = np.finfo(np.float64).eps / 4  # where a zero is drawn on a logarithmic axis


class Sweep:
    """The records of a sweep's cells, grouped as the panels show them."""

    def __init__(self, results: Path, config: Config, found: stale.Comparison) -> None:
        self.results, self.config, self.found = results, config, found
        self.models = list(config["models"])
        pairs = [pair for model in config["models"].values() for pair in cells.matrices(config, model)]
        self.operators = list(dict.fromkeys(operator + block for operator, block in pairs))
        self.lines = style.lines_of(variants_of_modes(config))
        self.records, _ = cell_records.read_all(results, config, found)
        self.references = References(config, self.records)

    def panel(self, model: str, operator: str, line: Line) -> list[dict[str, Any]]:
        """The existing cells of a panel's line, at the model's last step."""
        step = self.config["models"][model]["steps"][-1]
        want = {"model": model, "reorth_mode": line.mode, "variant": line.variant, "step": step}
        return [
            r for r in self.records if want.items() <= r.items() and r["operator"] + r["block"] == operator
        ]

    def densities(self, model: str, operator: str, line: Line) -> list[dict[str, Any]]:
        """The datasets of a panel's density.h5, with n and bandwidth; a seed each."""
        paths = [places.DENSITY.format(**record) for record in self.panel(model, operator, line)]
        standing = [path for path in dict.fromkeys(paths) if path in self.found.records]
        return [read_density(self.results / path) for path in standing if path not in self.found.reasons]

    def dataset(self, record: dict[str, Any], file: str, name: str) -> np.ndarray:
        """A dataset of a cell's file; empty where the stage did not write it."""
        path = cells.folder(self.results, record) / f"{file}.h5"
        require_whole(path)
        with h5py.File(path) as handle:
            return handle[name][...] if name in handle else np.empty(0)


def variants_of_modes(config: Config) -> dict[str, list[str]]:
    """The variants of each mode that cells have, in the sweep's order."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells.expected(config):
        found.setdefault(cell["reorth_mode"], {})[cell["variant"]] = None
    return {mode: list(names) for mode, names in found.items()}


def read_density(path: Path) -> dict[str, Any]:
    require_whole(path)
    with h5py.File(path) as file:
        names = ("grid", "density", "density_lower", "density_upper")
        return {"n": file.attrs["n_params"], "bandwidth": file.attrs["bandwidth"]} | {
            name: file[name][...] for name in names
        }


def draw_spectrum(axes: Axes, sweep: Sweep, model: str, operator: str) -> None:
    """Eigenvalue against rank: stems of the reference, a marker a line, a cross for each naive value."""
    shift = np.linspace(-0.27, 0.27, len(sweep.lines)) if len(sweep.lines) > 1 else [0.0]
    ranks = sweep.config["lanczos"]["k"]
    for line, offset in zip(sweep.lines, shift, strict=True):
        for record in sweep.panel(model, operator, line)[:1]:
            values = np.sort(record["eigenvalues"])[::-1]
            ranks = max(ranks, len(values))
            rank = np.arange(1, len(values) + 1) + offset
            look = line.look
            axes.vlines(rank, 0, values, color=look["color"], linewidth=0.7, alpha=0.5)
            axes.plot(
                rank, values, look["marker"], color=look["color"], markersize=3.4, markerfacecolor="white",
                markeredgewidth=1,
            )  # fmt: skip
            naive = np.sort(record.get("naive_eigenvalues") or [])[::-1][: len(values)]
            axes.plot(rank[: len(naive)], naive, "x", color=look["color"], markersize=3, markeredgewidth=0.8)
    axes.axhline(0, color="#888888", linewidth=0.6)
    axes.set_xticks(range(1, ranks + 1))


def draw_density(axes: Axes, sweep: Sweep, model: str, operator: str) -> None:
    """Smoothed density of the whole spectrum with its band, down to a fraction of one eigenvalue."""
    floor, top = np.inf, 0.0
    for line in sweep.lines:
        for density in sweep.densities(model, operator, line)[:1]:
            look = {key: line.look[key] for key in ("color", "linestyle")}
            one = 1 / (density["n"] * density["bandwidth"] * np.sqrt(2 * np.pi))  # peak of one eigenvalue
            floor, top = min(floor, one / 5), max(top, density["density_upper"].max())
            x = density["grid"]
            axes.fill_between(
                x, np.maximum(density["density_lower"], floor / 5), density["density_upper"],
                color=look["color"], alpha=0.13, linewidth=0,
            )  # fmt: skip
            axes.plot(x, np.maximum(density["density"], floor / 5), linewidth=1.1, **look)
    axes.set_yscale("log")
    if np.isfinite(floor):
        axes.set_ylim(floor, 3 * top)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def draw_convergence(axes: Axes, sweep: Sweep, model: str, operator: str) -> None:
    """Worst error of the unfiltered top-k list after j steps, relative to |lambda_1| of `full`."""
    for line in sweep.lines:
        for record in sweep.panel(model, operator, line):
            reference = sweep.references.of(record)
            if not reference:
                continue
            errors = convergence(sweep, record, np.sort(reference["eigenvalues"])[::-1])
            draw_line(axes, np.arange(1, len(errors) + 1), errors, line)
    axes.set_yscale("log")


def convergence(sweep: Sweep, record: dict[str, Any], reference: np.ndarray) -> np.ndarray:
    """max_i |theta_i^(j) - ref_i| / |ref_1| over the leading j x j part of T; nan while j < k."""
    alpha, beta = (sweep.dataset(record, "lanczos", name) for name in ("alpha", "beta"))
    k, errors = len(reference), np.full(len(alpha), np.nan)
    for j in range(k, len(alpha) + 1):
        theta = eigvalsh_tridiagonal(alpha[:j], beta[: j - 1], lapack_driver="stev")[::-1][:k]
        errors[j - 1] = np.max(np.abs(theta - reference)) / np.abs(reference[0])
    return errors


def draw_orthogonality(axes: Axes, sweep: Sweep, model: str, operator: str) -> None:
    """Loss of orthogonality of the basis after j steps, with the level sqrt(eps) of semiorthogonality."""
    for line in sweep.lines:
        for record in sweep.panel(model, operator, line):
            loss = sweep.dataset(record, "ritz", "orthogonality_loss")
            draw_line(axes, np.arange(1, len(loss) + 1), loss, line)
    axes.axhline(np.sqrt(np.finfo(np.float64).eps), color="#888888", linewidth=0.7, linestyle=":")
    axes.set_yscale("log")


def draw_line(axes: Axes, x: np.ndarray, y: np.ndarray, line: Line) -> None:
    look = {key: line.look[key] for key in ("color", "linestyle")}
    width, alpha = (
        (2.6, 0.45) if line.mode == "full" else (1.1, 0.9)
    )  # lines that coincide with full stay visible
    axes.plot(x, np.maximum(y, FLOOR), linewidth=width, alpha=alpha, **look)


PANELS = {
    "spectrum": (draw_spectrum, "rank", "eigenvalue"),
    "density": (draw_density, "eigenvalue", "density"),
    "convergence": (draw_convergence, "Lanczos step", r"worst error of naive top $k$ / $|\lambda_1|$"),
    "orthogonality": (draw_orthogonality, "Lanczos step", r"$\max_{i<j}\,|q_i^{\top} q_j|$"),
}
OVERVIEW = ("spectrum", "convergence", "orthogonality")


def small_multiples(sweep: Sweep, name: str) -> Figure:
    """One quantity: rows are models, columns operators."""
    draw, xlabel, ylabel = PANELS[name]
    figure, axes = style.grid(len(sweep.models), len(sweep.operators))
    for row, model in zip(axes, sweep.models, strict=True):
        for panel, operator in zip(row, sweep.operators, strict=True):
            draw(panel, sweep, model, operator)
            panel.set_title(f"{model} · {operator}")
        row[0].set_ylabel(ylabel)
    for panel in axes[-1]:
        panel.set_xlabel(xlabel)
    shown = [line for line in sweep.lines if name != "density" or line.mode not in cells.RESTARTED]
    style.legend(figure, shown or sweep.lines)
    return figure


def overview(sweep: Sweep) -> Figure:
    """The first operator in one picture: rows are models, columns the three quantities."""
    operator = sweep.operators[0]
    figure, axes = style.grid(len(sweep.models), len(OVERVIEW), width=3.0)
    for row, model in zip(axes, sweep.models, strict=True):
        for panel, (draw, xlabel, ylabel) in zip(row, (PANELS[name] for name in OVERVIEW), strict=True):
            draw(panel, sweep, model, operator)
            panel.set_title(f"{model} · {operator}")
            panel.set_ylabel(ylabel)
            panel.set_xlabel(xlabel if model == sweep.models[-1] else "")
    style.legend(figure, sweep.lines)
    return figure


def main() -> None:
    parser = Parser("figures", ALGORITHM, "Draw a sweep's figures.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with sweep.json and cells/")
    results = parser.parse_args().results
    config = sweep_config.of_results(results)
    found = stale.standing(results, config)
    made_from = summaries.made_from("figures", config, found)
    sweep = Sweep(results, config, found)
    for name in PANELS:
        style.save(small_multiples(sweep, name), results / "figures" / name, made_from)
    style.save(overview(sweep), results / "figures" / "overview", made_from)


if __name__ == "__main__":
    run(main)
