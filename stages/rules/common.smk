# The configuration, and where things lie. Rules hold no logic: what a job is told is in `jobs` and in stage_flags.py.
import shlex
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

MAIN = workflow.modifier.is_main_snakefile()  # not a module of a user's own workflow
sys.path.insert(0, str(Path(str(workflow.current_basedir)).parent / "scripts"))

from ritzflow.common.locations import BINARIES, SCRIPTS
from ritzflow.common.script_cli import run as one_line_errors
from ritzflow.sweep import (
    artifacts,
    blocks,
    cells,
    executors,
    exits,
    freeze,
    interruption,
    places,
    results_lock,
    stage_flags,
    variants,
)
from ritzflow.sweep.jobs import Jobs, axes, checked, escaped, refuse_prefix, search_path
from ritzflow.sweep.needs import Needs
from ritzflow.sweep.plan import Plan

# Stages and scripts are called by name, scripts with the Python of this process or of the rule's environment.
DEPLOYED = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PROGRAMS = search_path([BINARIES, SCRIPTS] + ([] if DEPLOYED else [Path(sys.executable).parent]))
RULES = SCRIPTS.parent / "rules"
LOGGED = escaped(shlex.quote(str(RULES / "logged.sh")))
shell.prefix(f'set -euo pipefail; export PATH={PROGRAMS}:"$PATH"; . {LOGGED}; ')

ENVIRONMENT = escaped(str(RULES / "environment.yaml"))  # with `--sdm conda`

one_line_errors(lambda: refuse_prefix(workflow.modifier.path_modifier.prefix))
FILES = workflow.configfiles if MAIN else []
ORIGIN = DEMO if DEFAULT_SWEEP else str(FILES[0] if FILES else "config")
SWEEP = one_line_errors(lambda: checked(config, ORIGIN, FILES))
jobs = Jobs(SWEEP, Plan(), Path(FILES[0]) if FILES else freeze.sweep_file(SWEEP))
RESULTS, at = jobs.results, jobs.at
needs = Needs(SWEEP, RESULTS, axes)
executors.keep_checkpoints(workflow)
if MAIN:
    executors.trust_dates(workflow)
RUN, OPERATOR, DENSITY, CELL = places.RUN, places.MATRIX, places.MODE, places.CELL  # of logs and checkpoints

if workflow.is_main_process:
    exits.take_over(workflow)
    if not MAIN:
        exits.forget(RESULTS)


wildcard_constraints:
    seed=r"\d+",
    step=r"\d+",
    probe=r"\d+",
    operator=r"[A-Za-z0-9_.-]+",
    block=rf"({blocks.MARK}[^/]+)?",
    reorth_mode=r"[a-z_]+",
    variant=rf"({variants.MARK}[^/]+)?",
