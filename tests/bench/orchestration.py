#!/usr/bin/env python3
"""Orchestration share of a sweep: the part of the machine's time in which no stage ran.

    tests/bench/orchestration.py results/demo --wall 180 --cores 2

share = 1 - (sum of the jobs' wall times) / (cores x wall). The jobs' times come from the benchmark tables;
the wall time is that of the whole `snakemake` call, start-up included.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path


def seconds_by_rule(results: Path) -> dict[str, list[float]]:
    """Wall seconds of each job, by the name of its benchmark table."""
    times = defaultdict(list)
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        name = "prepare-data" if path.parent.name == "data" else path.stem
        with path.open() as table:
            times[name] += [float(row["s"]) for row in csv.DictReader(table, delimiter="\t")]
    return times


def main():
    parser = argparse.ArgumentParser(description="Orchestration share of a sweep.")
    parser.add_argument("results", type=Path, help="results folder of the sweep")
    parser.add_argument("--wall", type=float, required=True, help="seconds that the snakemake call took")
    parser.add_argument("--cores", type=int, required=True, help="cores that it was given")
    options = parser.parse_args()
    times = seconds_by_rule(options.results)
    print(f"{'job':<18}{'count':>6}{'sum s':>9}{'mean s':>9}{'max s':>9}")
    for name, values in sorted(times.items(), key=lambda item: -sum(item[1])):
        mean = sum(values) / len(values)
        print(f"{name:<18}{len(values):>6}{sum(values):>9.1f}{mean:>9.3f}{max(values):>9.2f}")
    work, jobs = sum(map(sum, times.values())), sum(map(len, times.values()))
    share = 1 - work / (options.cores * options.wall)
    print(f"{jobs} jobs, {work:.1f} s of work in {options.wall:.1f} s on {options.cores} cores")
    print(f"orchestration share {share:.3f}")


if __name__ == "__main__":
    main()
