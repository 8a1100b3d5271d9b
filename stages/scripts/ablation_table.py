#!/usr/bin/env python3
"""Turn a sweep's cells into tables/ablation.{csv,md,tex} and tables/cells.csv.

    ablation_table.py results/demo

A row is a model, step, operator, reorthogonalisation mode and variant; seeds and probes are averaged. Cells
that are missing are counted, never dropped; what is unknown stays empty, never 0.
"""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ritzflow.common.atomic_write import write_text
from ritzflow.common.script_cli import InputError, Parser, run
from ritzflow.sweep import baseline, blocks, cells, stale, summaries, sweep_config, variants
from ritzflow.sweep.types import Config
from ritzflow.tables import cell_records, table_text

ALGORITHM = 3
CELL_FIRST = [
    "state",
    "reason",
    "reorth_mode_ran",
    *cell_records.QUANTITIES,
    "lanczos_sha256",
    "ritz_sha256",
]


def cells_table(
    records: list[dict[str, Any]], missing: dict[tuple[Any, ...], str], config: Config
) -> pd.DataFrame:
    """A row for each expected cell, with all that its metrics.json says; `state` is done, or missing for a
    `reason`."""
    frame = pd.DataFrame(cells.expected(config)).merge(
        pd.DataFrame(records, columns=None if records else list(cells.AXES)), on=list(cells.AXES), how="left"
    )
    if frame.duplicated(list(cells.AXES)).any():
        twice = frame[frame.duplicated(list(cells.AXES))].iloc[0][list(cells.AXES)].to_dict()
        raise InputError(f"two records for the cell {twice}")
    axes = [tuple(row) for row in frame[list(cells.AXES)].itertuples(index=False)]
    frame["reason"] = [missing.get(cell) for cell in axes]
    frame["state"] = ["missing" if cell in missing else "done" for cell in axes]
    frame["block"] = frame["block"].str.removeprefix(blocks.MARK)
    frame["variant"] = frame["variant"].str.removeprefix(variants.MARK)
    first = [*cells.columns(config), *CELL_FIRST]
    return frame.reindex(columns=[*first, *(c for c in frame.columns if c not in (*cells.AXES, *first))])


def ablation(frame: pd.DataFrame) -> pd.DataFrame:
    """n, missing and, of each quantity, mean, sd (ddof 1), max and the number of cells that know it."""
    rows = []
    axes = [axis for axis in cells.AXES if axis in frame.columns and axis not in cells.AVERAGED]
    for key, group in frame.groupby(axes, sort=False):
        done = group[group["state"] == "done"]
        row = dict(zip(axes, key, strict=True))
        row["reorth_mode_ran"] = " ".join(sorted(set(done["reorth_mode_ran"].dropna())))
        row |= {"n": len(done), "missing": len(group) - len(done)}
        row["converged_of_k"] = fewest_converged(done)
        for name in cell_records.QUANTITIES:
            values = pd.to_numeric(done[name]).astype(float)
            row[f"{name}_mean"], row[f"{name}_sd"] = values.mean(), values.std(ddof=1)
            row[f"{name}_max"], row[f"{name}_n"] = values.max(), values.count()
        ratios = pd.to_numeric(done["residual_ratio"]).astype(float)
        worst = int(np.nanargmax(np.abs(np.log(ratios)))) if ratios.count() else None
        row["residual_ratio_worst"] = np.nan if worst is None else ratios.iloc[worst]
        rows.append(row)
    return pd.DataFrame(rows)


def fewest_converged(done: pd.DataFrame) -> str:
    """ "8/10": converged pairs, at most k, of the cell that has the fewest, and k; empty without a cell."""
    if done.empty:
        return ""
    k = int(done["k_requested"].max())
    return f"{int(min(done['n_converged'].min(), k))}/{k}"


def commit() -> str:
    """The project's commit, marked where the working tree differs from it; empty outside a repository."""
    here = Path(__file__).resolve().parent
    call = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(call, capture_output=True, text=True, check=False).stdout.strip()


def footer(config: Config, cells_csv: str, made_from: str) -> list[str]:
    """Where the table comes from: enough to make it again and to check its bytes."""
    seeds, probes = (" ".join(map(str, config[name])) for name in ("seeds", "probes"))
    return [
        f"commit: {commit() or 'unknown'}",
        f"config_sha256: {sweep_config.digest(config)}",
        f"made_from: {made_from}",
        f"seeds: {seeds}; probes: {probes}",
        f"digests of every cell: cells.csv, sha256 {hashlib.sha256(cells_csv.encode()).hexdigest()}",
    ]


def to_csv(frame: pd.DataFrame, notes: list[str]) -> str:
    return frame.to_csv(index=False, lineterminator="\n") + "".join(f"# {note}\n" for note in notes)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Lists as JSON, so that a CSV cell holds them and a reader gets them back."""
    return frame.map(lambda value: json.dumps(value) if isinstance(value, list | dict) else value)


def main() -> None:
    parser = Parser("ablation_table", ALGORITHM, "Turn a sweep's cells into tables.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with sweep.json and cells/")
    parser.add_argument("--complete", action="store_true", help="exit status 1 where a cell is missing")
    parser.add_argument(
        "--after-failure", action="store_true", help="remove figures and report of cells that do not stand"
    )
    options = parser.parse_args()
    results = options.results
    config = sweep_config.of_results(results)
    found = stale.standing(results, config)
    records, missing = cell_records.read_all(results, config, found)
    frame = cells_table(records, missing, config)
    table = ablation(frame)
    folder = results / "tables"
    folder.mkdir(exist_ok=True)
    cells_csv = to_csv(as_text(frame.drop(columns="intervals", errors="ignore")), [])
    notes = footer(config, cells_csv, summaries.made_from("tables", config, found))
    texts = {"cells.csv": cells_csv, "ablation.csv": to_csv(table, notes)}
    compared = baseline.words(config)
    texts["ablation.md"] = table_text.markdown(table, notes, compared)
    texts["ablation.tex"] = table_text.latex(table, notes, config["name"], compared)
    for name, text in texts.items():
        write_text(folder / name, text)
    if options.after_failure:
        summaries.drop_outdated(results, config, found)
    report_missing(missing, options.complete)


def report_missing(missing: dict[tuple[Any, ...], str], complete: bool) -> None:
    """Says why cells are missing, each reason once. Raises OSError where none may be."""
    for reason, count in Counter(missing.values()).items():
        print(f"{count} cells missing: {reason}", file=sys.stderr)
    if missing and complete:
        raise OSError(f"{len(missing)} cells are missing; run the sweep again")


if __name__ == "__main__":
    run(main)
