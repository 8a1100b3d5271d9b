#!/usr/bin/env python3
"""Write a sweep's report.html: table, figures, configuration and origin in one file that needs no other.

report.py results/demo
"""

import base64
import html
from pathlib import Path

import pandas as pd
import yaml

from ritzflow.common.atomic_write import write_text
from ritzflow.common.script_cli import InputError, Parser, run
from ritzflow.sweep import baseline, stale, summaries, sweep_config
from ritzflow.sweep.types import Config
from ritzflow.tables import table_text

ALGORITHM = 2

CAPTIONS = {
    "spectrum": "Returned Ritz values by rank, first seed and probe. Crosses: the unfiltered list, where a "
    "copy (ghost) of a converged value takes the rank of the next one.",
    "density": "Density of the whole spectrum, smoothed, first seed: stochastic Lanczos quadrature over all "
    "probes, or exact where the spectrum is known in closed form. Shaded: its band (quadrature and "
    "Monte-Carlo error). The axis ends at a fifth of what a single eigenvalue adds.",
    "convergence": "Worst error of the unfiltered top-k list after j steps, against the final values of "
    "{baseline}. A line for each seed and probe.",
    "orthogonality": "Loss of orthogonality of the basis after j steps. Dotted: √ε, up to which the "
    "tridiagonal matrix is exact to rounding (semiorthogonality).",
}

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2.5rem auto;
  padding: 0 1.5rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; width: 100% }
thead tr { border-top: 1.5px solid #222; border-bottom: 1px solid #222 }
tbody:last-child { border-bottom: 1.5px solid #222 }
th { font-weight: 600 } th, td { padding: .2rem .45rem; text-align: right; white-space: nowrap }
th:nth-child(-n+2), td:nth-child(-n+2), tr.group td { text-align: left }
tr.group td { font-style: italic; padding-top: .6rem; border-top: 1px solid #bbb }
figure { margin: 1.5rem 0 } figure img { width: 100%; height: auto }
figcaption, .legend, footer { font-size: 13px; color: #555 }
pre { background: #f6f6f6; padding: .8rem 1rem; font-size: 12.5px; overflow-x: auto }
.scroll { overflow-x: auto }
"""


def figure(path: Path, caption: str) -> str:
    image = base64.b64encode(path.read_bytes()).decode()
    source = f"data:image/svg+xml;base64,{image}"
    return f'<figure><img alt="{path.stem}" src="{source}"><figcaption>{caption}</figcaption></figure>'


def page(config: Config, table: pd.DataFrame, notes: list[str], figures: Path, made_from: str) -> str:
    done, missing = int(table["n"].sum()), int(table["missing"].sum())
    name, models = html.escape(config["name"]), html.escape(", ".join(config["models"]))
    compared = baseline.words(config)
    legend = html.escape(f"{table_text.legend(compared)} All quantities: tables/ablation.csv and cells.csv.")
    settings = html.escape(yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=100))
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name} – ritzflow</title>',
        f'<meta name="made-from" content="{made_from}">',
        f"<style>{STYLE}</style></head><body><h1>Sweep {name}</h1>",
        f"<p>{done} cells measured, {missing} missing. Models: {models}.</p>",
        f'<h2>Ablation</h2><div class="scroll">{table_text.html_table(table)}</div>',
        f'<p class="legend">{legend}</p>',
        "<h2>Figures</h2>",
        *(
            figure(figures / f"{name}.svg", caption.format(baseline=compared))
            for name, caption in CAPTIONS.items()
        ),
        "<h2>Configuration</h2>",
        f"<pre>{settings}</pre>",
        f"<footer>{'<br>'.join(html.escape(note) for note in notes)}</footer></body></html>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = Parser("report", ALGORITHM, "Write a sweep's report.html.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with sweep.json and cells/")
    results = parser.parse_args().results
    path = results / "tables" / "ablation.csv"
    table = pd.read_csv(path, comment="#", dtype={"variant": str}).fillna(
        {"reorth_mode_ran": "", "block": ""}
    )
    notes = [line[2:] for line in path.read_text().splitlines() if line.startswith("# ")]
    config = sweep_config.of_results(results)
    found = stale.standing(results, config)
    if f"made_from: {summaries.made_from('tables', config, found)}" not in notes:
        raise InputError(
            f"{path}: is not of the cells that are there now; run ablation_table.py {results} first"
        )
    made_from = summaries.made_from("report", config, found)
    write_text(results / "report.html", page(config, table, notes, results / "figures", made_from))


if __name__ == "__main__":
    run(main)
