#!/usr/bin/env python3
"""Run cells of a finished sweep again, beside it, and tabulate how far each agrees with the first run.

reproduce.py results/demo --configfile configs/demo.yaml --cells 3
"""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from ritzflow.common.atomic_write import write_text
from ritzflow.common.locations import ROOT
from ritzflow.common.script_cli import InputError, Parser, run
from ritzflow.sweep import cells, places, stale, sweep_config, variants
from ritzflow.sweep.types import Cell, Config
from ritzflow.tables import cell_records

MARK = ".audit"  # in a folder that may be removed, as it was made here
SNAKEFILE = ROOT / "Snakefile"
UNSEEN = ("missing", "damaged")
VERDICTS = ("same bytes", "same content", "within tolerance", "different", *UNSEEN)  # from best to worst
CELL_FILES = ("lanczos.h5", "ritz.h5", "metrics.json")


def sample(config: Config, count: int, seed: int) -> list[dict[str, Any]]:
    """`count` cells of the sweep by a seeded draw, in the sweep's order; 0 or more than there are: all."""
    every = cells.expected(config)
    if not 0 < count < len(every):
        return every
    return [every[i] for i in sorted(random.Random(seed).sample(range(len(every)), count))]


def run_again(chosen: list[dict[str, Any]], again: Path, configfile: str, cores: int) -> None:
    """Makes the cells from the data on in the folder `again`, through Snakemake. Raises OSError."""
    if again.exists() and not (again / MARK).is_file():
        raise InputError(f"{again}: is there already, and no audit made it; move it away")
    shutil.rmtree(again, ignore_errors=True)
    again.mkdir()
    (again / MARK).touch()
    targets = [str(cells.folder(again, cell) / name) for cell in chosen for name in CELL_FILES]
    command = [sys.executable, "-m", "snakemake", "--snakefile", SNAKEFILE, "--configfile", configfile]
    command += ["--config", f"name={again.name}", "--cores", cores, "--nolock", "--", *targets]
    if subprocess.run(list(map(str, command))).returncode != 0:
        raise OSError(f"{again}: the second run failed; its log is above")


def compare(results: Path, again: Path, rtol: float) -> list[dict[str, Any]]:
    """The verdict of the stage `audit` on each artifact of the second run. Raises OSError."""
    command = ["audit", results, again, "--rtol", rtol, "--format", "json", "--subset", "--quiet"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if not done.stdout:
        raise OSError(done.stderr.strip().removeprefix("error: "))
    return json.loads(done.stdout)


def belongs_to(artifact: str, cell: Cell) -> bool:
    """Whether an artifact belongs to the cell or is upstream of it: its operator, model or data."""
    return Path("cells", places.CELL.format(**cell)).is_relative_to(Path(artifact).parent)


def row(cell: Cell, verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    """The cell's line: its worst verdict, and the largest deviation among its artifacts and where it is."""
    own = [v for v in verdicts if v["artifact"].startswith("cells/") and belongs_to(v["artifact"], cell)]
    worst = max(own, key=lambda v: VERDICTS.index(v["verdict"]))
    found: list[tuple[Any, str, dict[str, Any]]]
    found = [(d["relative"], v["artifact"], d) for v in own for d in v["deviations"][:1]]
    relative, artifact, deviation = max(
        found, key=lambda f: float("inf") if f[0] is None else f[0], default=("", "", {})
    )
    where = f"{artifact} {deviation['where']}" if deviation else ""
    relative = relative if deviation else 0.0
    if worst["verdict"] in UNSEEN:
        where, relative = "; ".join(worst["notes"]), None
    name = places.CELL.format(**cell)
    digests = {v["artifact"]: v["content_sha256"] for v in own}
    return {
        **named(cell),
        "verdict": worst["verdict"],
        "largest_deviation": relative,
        "quantity": deviation.get("quantity", ""),
        "where": where,
        "lanczos_sha256": digests.get(f"cells/{name}/lanczos.h5", ""),
        "ritz_sha256": digests.get(f"cells/{name}/ritz.h5", ""),
    }


def named(cell: Cell) -> Cell:
    """The cell's axes as columns; `variant` is one where the sweep has any."""
    shown = {**cell, "variant": cell["variant"].removeprefix(variants.MARK)}
    return {axis: value for axis, value in shown.items() if axis != "variant" or value}


def write_tables(rows: list[dict[str, Any]], footer: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    write_text(folder / "reproducibility.csv", table.to_csv(index=False))
    shown = table.drop(columns=["lanczos_sha256", "ritz_sha256"]).fillna("")
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in shown.itertuples(index=False)]
    head = ["| " + " | ".join(shown.columns) + " |", "|" + "---|" * len(shown.columns)]
    write_text(folder / "reproducibility.md", "\n".join([*head, *lines, "", footer, ""]))


def main() -> None:
    parser = Parser("reproduce", 1, "Run cells of a finished sweep again and tabulate how far each agrees.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with sweep.json")
    parser.add_argument("--configfile", required=True, help="the sweep file")
    parser.add_argument("--cells", type=int, default=3, help="cells that a seeded draw takes; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--rtol", type=float, default=1e-9, help="of `audit`")
    parser.add_argument("--cores", type=int, default=1, help="of the second run")
    options = parser.parse_args()
    results = options.results
    config = sweep_config.of_results(results)
    chosen = sample(config, options.cells, options.seed)
    found = stale.standing(results, config)
    for reason in filter(None, (cell_records.why_missing(cell, found) for cell in chosen)):
        raise InputError(f"{results}: {reason}; finish the sweep first")
    again = results.with_name(f"{results.name}.audit")
    run_again(chosen, again, options.configfile, options.cores)
    verdicts = compare(results, again, options.rtol)
    rows = [row(cell, verdicts) for cell in chosen]
    total = len(cells.expected(config))
    footer = f"{len(chosen)} of {total} cells, drawn with seed {options.seed}, run again from the data on."
    write_tables(rows, footer, results / "audit")
    print((results / "audit" / "reproducibility.md").read_text())
    if any(r["verdict"] in ("different", *UNSEEN) for r in rows):
        raise OSError(f"cells differ from their second run; see {results / 'audit' / 'reproducibility.md'}")


if __name__ == "__main__":
    run(main)
