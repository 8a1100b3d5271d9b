"""The tiny sweep, as it is shipped or with changes, run by Snakemake."""

import csv
import os
import re
import subprocess

import yaml
from scripts_under_test import ROOT, SNAKEMAKE

TINY = ROOT / "configs" / "tiny.yaml"


def snakemake(folder, *arguments):
    """Runs Snakemake with results in `folder`; gives its exit status and all that it said."""
    command = [*SNAKEMAKE, "--directory", folder]
    done = subprocess.run(
        [*map(str, command), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout


def planned(said):
    """Rule -> number of jobs in Snakemake's job table."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", said, flags=re.M)}


def table_rows(results):
    lines = (results / "tables" / "ablation.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def changed(tmp_path, **changes):
    config = yaml.safe_load(TINY.read_text())
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump({**config, **changes}))
    return path
