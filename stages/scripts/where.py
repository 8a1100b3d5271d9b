#!/usr/bin/env python3
"""Print a sweep's table and where its products lie.

where.py results/demo
"""

from pathlib import Path

from ritzflow.common.script_cli import InputError, Parser, run

PRODUCTS = {"table": "tables/ablation.md", "figure": "figures/overview.png", "report": "report.html"}


def main() -> None:
    parser = Parser("where", 1, "Print a sweep's table and where its products lie.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with tables/ and figures/")
    results = parser.parse_args().results
    for path in PRODUCTS.values():
        if not (results / path).is_file():
            raise InputError(f"{results / path}: missing; run the sweep first")
    table = (results / PRODUCTS["table"]).read_text()
    print(table.partition("\n```")[0])
    for name, path in PRODUCTS.items():
        print(f"{name:<8}{results / path}")


if __name__ == "__main__":
    run(main)
