"""Names of models and operators with dots, and keys that YAML takes for numbers: as they are written."""

import csv
import subprocess

import pytest
import yaml
from edited_sweep import Sweep
from scripts_under_test import SNAKEMAKE

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import sweep_config, sweep_file

MODEL = """
    data: {source: "npz:mine.npz"}
    architecture: {kind: mlp, hidden: [3]}
    training: {steps: 4, learning_rate: 0.1, batch_size: 8}
"""
TEXT = f"""
name: edits
models:
  lr0.1: {MODEL}
  0.10: {MODEL}
operators:
  ggn: {{blocks: per_layer}}
  1e-3: {{kind: ggn}}
lanczos: {{k: 2, max_iters: 6}}
"""


def read(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    return sweep_file.read(str(tmp_path / "x.yaml"))


def test_keys_stay_as_they_are_written(tmp_path):
    raw = read(tmp_path, "a: {0.10: 1, 1_000: 2, off: 3, 2026-01-01: 4, null: 5}")
    assert list(raw["a"]) == ["0.10", "1_000", "off", "2026-01-01", "null"]
    assert sweep_file.with_keys_of(yaml.safe_load("a: {0.10: {7: 1}}"), raw) == {"a": {"0.10": {"7": 1}}}


def test_keys_that_are_one_number_are_one_key(tmp_path):
    with pytest.raises(InputError, match=r"line 2: key '0\.10' is there already, in line 1"):
        read(tmp_path, "0.1: a\n0.10: b\n")


@pytest.mark.parametrize("name", ["..", "a..b", ".a", "a/b", "a b", "a@b", "-a"])
def test_names_that_are_no_folder_are_refused(tmp_path, name):
    text = TEXT.replace("lr0.1:", f'"{name}":')
    with pytest.raises(
        InputError, match=r"may hold only letters, digits, '_', '-' and single dots, and no path"
    ):
        sweep_config.resolve(read(tmp_path, text), "x.yaml")


def test_a_sweep_of_such_names_has_their_folders_rows_and_targets(tmp_path):
    sweep = Sweep(tmp_path)
    (sweep.folder / "edits.yaml").write_text(TEXT)
    sweep.done()
    cells = sweep.results / "cells"
    assert {path.name for path in cells.iterdir()} == {"lr0.1", "0.10"}
    folders = {path.name for path in (cells / "lr0.1/seed0/step4").iterdir()}
    assert folders == {"ggn@layers.0", "ggn@layers.1", "1e-3"}
    lines = (sweep.results / "tables/ablation.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert {row["model"] for row in rows} == {"lr0.1", "0.10"}
    assert {row["operator"] for row in rows} >= {"1e-3"} and all(row["n"] == "1" for row in rows)
    target = "results/edits/cells/0.10/seed0/step4/1e-3/full/probe0/metrics.json"
    command = [*SNAKEMAKE, "--configfile", "edits.yaml", "--", target]
    done = subprocess.run(list(map(str, command)), cwd=sweep.folder, capture_output=True, text=True)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
