"""What differs where Snakemake hands jobs to a cluster."""

import subprocess
import sys

from scripts_under_test import ROOT

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
