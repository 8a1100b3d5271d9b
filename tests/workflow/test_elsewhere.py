"""Sweeps run from any folder, by any profile or none, and as a module of a user's own workflow."""

import subprocess
import sys

import pytest
import yaml
from scripts_under_test import ROOT, SNAKEMAKE

SWEEP = {
    "name": "t",
    "models": {
        "m": {
            "data": {"source": "digits", "samples": 50},
            "architecture": {"kind": "mlp", "hidden": [2]},
            "training": {"steps": 2, "learning_rate": 0.1, "batch_size": 16},
        }
    },
    "operators": {"ggn": {}},
    "lanczos": {"k": 2, "max_iters": 6},
}
OWN = """
module spectra:
    snakefile:
        "{root}/Snakefile"
    config:
        config["sweep"]
    {more}


use rule * from spectra as spectra_*


rule mine:
    default_target: True
    input:
        rules.spectra_ablation_table.output.csv,
    output:
        f"{{config['out']}}.txt",
    shell:
        "grep -c m,2,ggn {{input}} > {{output}}"
"""


def run(folder, *words):
    """Snakemake without a profile, in a folder of the user's."""
    program, *rest = words
    command = [program, *rest[:2], "--workflow-profile", "none", "--cores", "2", *rest[2:]]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_sweep_runs_from_another_folder_into_a_third_without_a_profile(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(SWEEP))
    there = tmp_path / "there"
    words = [*SNAKEMAKE, "--configfile", "mine.yaml", "--directory", there, "--", "ablation_table"]
    status, said = run(tmp_path, *words)
    assert status == 0, said[-3000:]
    assert (there / "results/t/tables/ablation.csv").exists() and not (
        there / "results/.checkpoints"
    ).exists()
    assert {path.name for path in tmp_path.iterdir()} == {"mine.yaml", "there"}
    status, said = run(tmp_path, *words)
    assert status == 0 and "Nothing to be done" in said, said


def own_workflow(folder, more="", **sweep):
    (folder / "Snakefile").write_text(OWN.format(root=ROOT, more=more))
    (folder / "own.yaml").write_text(yaml.safe_dump({"out": "rows", "sweep": SWEEP | sweep}))
    return [sys.executable, "-m", "snakemake", "--configfile", "own.yaml"]


def test_a_sweep_is_a_module_of_a_workflow_with_a_configuration_of_its_own(tmp_path):
    words = [*own_workflow(tmp_path), "--rerun-triggers", "mtime"]
    status, said = run(tmp_path, *words)
    assert status == 0, said[-3000:]
    assert (tmp_path / "rows.txt").read_text() == "1\n"
    status, said = run(tmp_path, *words)
    assert status == 0 and "Nothing to be done" in said, said


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"more": 'prefix: "sub"'}, "prefix 'sub' is not supported"),
        ({"lanczos": {"kk": 2}}, "unknown key 'kk' in 'lanczos'"),
    ],
)
def test_a_module_says_what_is_wrong_in_one_line(tmp_path, wrong, expected):
    status, said = run(tmp_path, *own_workflow(tmp_path, **wrong), "-n")
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(errors) == 1 and expected in errors[0], said
