#!/usr/bin/env python3
"""A compact table of the counters that a Google Benchmark program printed as JSON: reads stdin.

One row a counter, one column a benchmark.
"""

import json
import sys

HEADER = {"n_params", "gradient_ms"}
GIVEN = {"real_time", "cpu_time", "iterations", "repetitions", "repetition_index", "threads"}


def counters(row):
    names = [name for name, value in row.items() if isinstance(value, float | int) and name not in GIVEN]
    return [name for name in names if not name.endswith("_index")]


def main():
    rows = json.load(sys.stdin)["benchmarks"]
    print(f"{'':<24}" + "".join(f"{row['name'].split('/')[0]:>30}" for row in rows))
    names = sorted(counters(rows[0]), key=lambda name: (name not in HEADER, name))
    for name in names:
        digits = 0 if name in HEADER else 2
        print(f"{name:<24}" + "".join(f"{row[name]:>30.{digits}f}" for row in rows))


if __name__ == "__main__":
    main()
