"""What differs where Snakemake hands jobs to a cluster."""

import re
import subprocess
import sys

import h5py
import pytest
import yaml
import yte
from scripts_under_test import ROOT, SNAKEMAKE

from ritzflow.sweep import needs

# As the command line does for an executor of a cluster: it knows a number of jobs and no number of cores.
RULES = f"""
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, ResourceSettings

with SnakemakeApi() as api:
    api.workflow(
        resource_settings=ResourceSettings(nodes=2),
        config_settings=ConfigSettings(configfiles=[Path({str(ROOT / "configs" / "tiny.yaml")!r})]),
        snakefile=Path({str(ROOT / "Snakefile")!r}),
    ).dag().printrulegraph()
"""


def test_the_rules_are_read_where_no_number_of_cores_is_known(tmp_path):
    done = subprocess.run([sys.executable, "-c", RULES], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def slurm_profile(monkeypatch, plugin):
    """The Slurm profile as Snakemake reads it, where the plugin is installed or not."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: plugin)
    with (ROOT / "profiles" / "slurm" / "config.yaml").open() as file:
        return yte.process_yaml(file, require_use_yte=True)


def test_a_missing_plugin_is_one_line(monkeypatch):
    with pytest.raises(SystemExit) as caught:
        slurm_profile(monkeypatch, None)
    assert re.fullmatch("error: .* `pip install -r requirements-slurm.txt` .*", caught.value.code)


def test_the_slurm_profile_needs_no_number_of_cores_and_no_partition(monkeypatch, tmp_path):
    profile = slurm_profile(monkeypatch, "installed")
    assert "cores" not in profile and "slurm_partition" not in profile["default-resources"]
    local = {key: value for key, value in profile.items() if not key.startswith("slurm") and key != "quiet"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**local, "executor": "dryrun"}))
    command = [*SNAKEMAKE, "--workflow-profile", ".", "--configfile", ROOT / "configs" / "tiny.yaml", "-n"]
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_rule_of_a_stage_asks_for_memory_and_time():
    for name in ("data", "train", "curvature"):
        rules = re.split(
            r"^(?:rule|checkpoint) ", (ROOT / f"stages/rules/{name}.smk").read_text(), flags=re.M
        )
        for rule in rules[1:]:
            assert re.search(r"mem_mb=needs.memory\(.*\),\s+runtime=needs.minutes\(", rule), rule


MIB = 2**20


def test_memory_holds_the_files_the_products_and_the_lanczos_vectors(tmp_path):
    config = {
        "operators": {"a": {"memory": None, "device": "cpu"}, "b": {"memory": "512MiB", "device": "cpu"}},
        "lanczos": {"basis": None, "max_iters": 44, "krylov_dim": None, "k": 4},
    }
    operator = tmp_path / "operator.h5"
    with h5py.File(operator, "w") as file:
        file.attrs["n_params"] = MIB
    cell = {"operator": "a", "reorth_mode": "full", "variant": ""}
    assert needs.memory("metrics", config, cell, ["missing"]) == 1024
    assert needs.memory("build-operator", config, cell, []) == 1024 + 4096
    assert needs.memory("lanczos", config, {**cell, "operator": "b"}, [str(operator)]) == 1024 + 512 + 8 * 64
    assert needs.minutes("lanczos") == 60 and needs.minutes("metrics") == 20
