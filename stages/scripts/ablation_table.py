#!/usr/bin/env python3
"""Turn a sweep's cells into tables/ablation.{csv,md,tex} and tables/cells.csv.

    ablation_table.py results/demo

A row is a model, step, operator and reorthogonalisation mode; seeds and probes are averaged. Cells that
are missing are counted, never dropped; what is unknown stays empty, never 0.
"""

import hashlib
import json
import subprocess
from pathlib import Path

import blocks
import cells
import numpy as np
import pandas as pd
import table_text
from script_cli import InputError, Parser, run
from sweep_config import digest

ALGORITHM = 1
ROW_AXES = list(cells.ROW_AXES)
CELL_FIRST = [*cells.AXES, "state", "reorth_mode_ran", *cells.QUANTITIES, "lanczos_sha256", "ritz_sha256"]


def cells_table(records: list[dict], config: dict) -> pd.DataFrame:
    """A row for each expected cell, with all that its metrics.json says; `state` is done or missing."""
    frame = pd.DataFrame(cells.expected(config)).merge(
        pd.DataFrame(records, columns=None if records else list(cells.AXES)), on=list(cells.AXES), how="left"
    )
    if frame.duplicated(list(cells.AXES)).any():
        twice = frame[frame.duplicated(list(cells.AXES))].iloc[0][list(cells.AXES)].to_dict()
        raise InputError(f"two records for the cell {twice}")
    done = {tuple(record[axis] for axis in cells.AXES) for record in records}
    present = [tuple(row) in done for row in frame[list(cells.AXES)].itertuples(index=False)]
    frame["state"] = ["done" if here else "missing" for here in present]
    frame["block"] = frame["block"].str.removeprefix(blocks.MARK)
    return frame.reindex(columns=[*CELL_FIRST, *(c for c in frame.columns if c not in CELL_FIRST)])


def ablation(frame: pd.DataFrame) -> pd.DataFrame:
    """n, missing and, of each quantity, mean, sd (ddof 1), max and the number of cells that know it."""
    rows = []
    for key, group in frame.groupby(ROW_AXES, sort=False):
        done = group[group["state"] == "done"]
        row = dict(zip(ROW_AXES, key, strict=True))
        row["reorth_mode_ran"] = " ".join(sorted(set(done["reorth_mode_ran"].dropna())))
        row |= {"n": len(done), "missing": len(group) - len(done)}
        for name in cells.QUANTITIES:
            values = pd.to_numeric(done[name]).astype(float)
            row[f"{name}_mean"], row[f"{name}_sd"] = values.mean(), values.std(ddof=1)
            row[f"{name}_max"], row[f"{name}_n"] = values.max(), values.count()
        ratios = pd.to_numeric(done["residual_ratio"]).astype(float)
        row["residual_ratio_worst"] = ratios.loc[np.log(ratios).abs().idxmax()] if ratios.count() else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def commit() -> str:
    """The project's commit, marked where the working tree differs from it; empty outside a repository."""
    here = Path(__file__).resolve().parent
    call = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(call, capture_output=True, text=True, check=False).stdout.strip()


def footer(config: dict, cells_csv: str) -> list[str]:
    """Where the table comes from: enough to make it again and to check its bytes."""
    seeds, probes = (" ".join(map(str, config[name])) for name in ("seeds", "probes"))
    return [
        f"commit: {commit() or 'unknown'}",
        f"config_sha256: {digest(config)}",
        f"seeds: {seeds}; probes: {probes}",
        f"digests of every cell: cells.csv, sha256 {hashlib.sha256(cells_csv.encode()).hexdigest()}",
    ]


def to_csv(frame: pd.DataFrame, notes: list[str]) -> str:
    return frame.to_csv(index=False, lineterminator="\n") + "".join(f"# {note}\n" for note in notes)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Lists as JSON, so that a CSV cell holds them and a reader gets them back."""
    return frame.map(lambda value: json.dumps(value) if isinstance(value, list | dict) else value)


def main():
    parser = Parser("ablation_table", ALGORITHM, "Turn a sweep's cells into tables.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with sweep.json and cells/")
    results = parser.parse_args().results
    config = cells.sweep(results)
    frame = cells_table(cells.read_all(results, config), config)
    table = ablation(frame)
    folder = results / "tables"
    folder.mkdir(exist_ok=True)
    cells_csv = to_csv(as_text(frame.drop(columns="intervals", errors="ignore")), [])
    notes = footer(config, cells_csv)
    texts = {"cells.csv": cells_csv, "ablation.csv": to_csv(table, notes)}
    texts["ablation.md"] = table_text.markdown(table, notes)
    texts["ablation.tex"] = table_text.latex(table, notes, config["name"])
    for name, text in texts.items():
        part = folder / f"{name}.part"
        part.write_text(text)
        part.replace(folder / name)


if __name__ == "__main__":
    run(main)
