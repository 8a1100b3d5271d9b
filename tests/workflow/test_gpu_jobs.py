"""`device: cuda` in a sweep: which commands get the flag."""

import re
import subprocess

import pytest
import yaml
from scripts_under_test import ROOT, SNAKEMAKE


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Stage -> commands of the jobs that a dry run shows."""
    folder = tmp_path_factory.mktemp("gpu")
    sweep = yaml.safe_load((ROOT / "configs" / "tiny.yaml").read_text())
    sweep["operators"] = {"ggn": {"device": "cuda"}, "hessian": {}, "kfac": {"device": "cuda"}}
    (folder / "x.yaml").write_text(yaml.safe_dump(sweep))
    call = (*SNAKEMAKE, "--configfile", "x.yaml", "-n", "-p")
    done = subprocess.run([*map(str, call), "--quiet", "host"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    jobs = {}
    for stage, flags in re.findall(
        r"^Shell command: logged \S+ (\S+) (.*)$", done.stdout + done.stderr, flags=re.M
    ):
        jobs.setdefault(stage, []).append(flags)
    return jobs


def test_an_operator_is_built_where_its_products_run(planned):
    for flags in planned["build-operator"]:
        assert ("--device cuda" in flags) == ("--operator ggn" in flags)
    assert not any("--device" in flags for stage in ("lanczos", "ritz-residuals") for flags in planned[stage])


def test_of_kfac_the_factors_are_collected_there(planned):
    assert planned["collect-kfac"]
    assert all("--device cuda" in flags for flags in planned["collect-kfac"])
