#!/usr/bin/env python3
"""What safety costs: validate against the disk, checkpoints against a run, audit of a whole sweep.

    tests/bench/safety.py [--bin build/bin] [--results results/demo] [--rounds 3]

Times of one round stand beside each other and the table has medians, so that a slow moment meets all alike;
other work on the machine still falsifies them: checkpoints are compared by CPU time, too.
The cell with the longest `lanczos` and the audited tree are those of a finished sweep, where there is one.
"""

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def seconds(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def cpu_seconds(work):
    """Of the processes that `work` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(works, rounds, measure=seconds):
    """What each work costs by name, interleaved."""
    costs = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            costs[name].append(measure(work))
    return {name: statistics.median(values) for name, values in costs.items()}


def quietly(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def drop_from_cache(path):
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_through(path):
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while file.read(1 << 20):
            pass


def kept_basis(folder, stages, n=1 << 18, rows=192):
    """A lanczos.h5 of 400 MB: the basis of a diagonal matrix."""
    with h5py.File(folder / "diagonal.h5", "w") as file:
        file["d"] = np.linspace(0, 1, n)
    operator, out = folder / "operator.h5", folder / "lanczos.h5"
    matrix = f"{folder / 'diagonal.h5'}:/d"
    quietly(stages / "build-operator", "--operator", "matrix", "--matrix", matrix, "--out", operator)
    steps = ("--max-iters", rows, "--k", 10, "--tol", 1e-14, "--reorth-mode", "off", "--no-certificate")
    quietly(stages / "lanczos", "--operator", operator, *steps, "--keep-basis", "--out", out)
    return out


def bench_validate(stages, rounds):
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        path = kept_basis(Path(name), stages)
        megabytes = path.stat().st_size / 1e6

        def cold(work):
            drop_from_cache(path)
            return work()

        works = {
            "read, cold": lambda: cold(lambda: read_through(path)),
            "validate, cold": lambda: cold(lambda: quietly(stages / "validate", path)),
            "validate, warm": lambda: quietly(stages / "validate", path),
        }
        times = medians(works, rounds)
        for name, value in times.items():
            print(f"  {name:<16}{megabytes / value:>8.0f} MB/s")
        print(f"  validate / read {times['read, cold'] / times['validate, cold']:.2f} (target: at least 0.6)")
        spent = cpu_seconds(lambda: quietly(stages / "validate", path))
        print(f"  CPU of its two processes together: {megabytes / spent:.0f} MB/s")


def longest_lanczos(results):
    """The cell's lanczos.h5 and the wall seconds of its job."""
    tables = results.glob("benchmarks/**/lanczos.tsv")
    wall = {table: float(table.read_text().splitlines()[1].split("\t")[0]) for table in tables}
    table = max(wall, key=wall.get)
    return results / "cells" / table.relative_to(results / "benchmarks").with_suffix(".h5"), wall[table]


def flags_of(lanczos, results):
    """The command line that made it, without where its files and its checkpoint were."""
    with h5py.File(lanczos) as file:
        words = shlex.split(file["provenance"].attrs["command"])[1:]
    for flag in ("--out", "--checkpoint", "--operator"):
        if flag in words:
            at = words.index(flag)
            words[at : at + 2] = []
    operator = next(place for place in lanczos.parents if (place / "operator.h5").exists()) / "operator.h5"
    return [*words, "--operator", operator.resolve()]


def bench_checkpoints(stages, results, rounds):
    lanczos, wall = longest_lanczos(results)
    flags = flags_of(lanczos, results)
    print(f"  {lanczos.relative_to(results)}: {wall:.1f} s in its sweep")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        call = [stages / "lanczos", *flags, "--out", folder / "lanczos.h5"]
        kept = ["--checkpoint", folder / "checkpoint"]
        often = [*kept, "--checkpoint-interval", 0]
        works = {
            "without": lambda: quietly(*call),
            "every 300 s": lambda: quietly(*call, *kept),
            "at 2 % of wall": lambda: quietly(*call, *often),
        }
        for unit, measure in (("wall", seconds), ("CPU", cpu_seconds)):
            costs = medians(works, rounds, measure)
            for name, value in costs.items():
                more = 100 * (value / costs["without"] - 1)
                print(f"  {name:<16}{value:>8.2f} s {unit:<5}{more:+6.1f} %")


def bench_audit(stages, results):
    files = [path for path in results.rglob("*") if path.suffix in (".h5", ".json") and path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    took = seconds(lambda: quietly(stages / "audit", results, results))
    print(f"  {len(files)} artifacts, {megabytes:.0f} MB, each read twice: {took:.1f} s")


def main():
    parser = argparse.ArgumentParser(description="What safety costs.")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin", help="folder of the stages")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "demo", help="a finished sweep")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each")
    options = parser.parse_args()
    stages = options.bin.resolve()
    print("validate of a kept basis")
    bench_validate(stages, options.rounds)
    if not options.results.is_dir():
        print(f"no finished sweep in {options.results}: checkpoints and audit left out")
        return
    results = options.results.resolve()
    print("checkpoints in the sweep's longest lanczos (target: at most 2 %)")
    bench_checkpoints(stages, results, options.rounds)
    print("audit of the sweep against itself")
    bench_audit(stages, results)


if __name__ == "__main__":
    main()
