# What must be made again, found before anything runs. Snakemake compares dates; here the contents decide: inputs
# count as old (`ancient`) but for jobs whose output does not stand, and these get one input more, written just now.
# The profiles leave Snakemake no trigger but dates.
import time

import freeze
import interruption
import plan
import results_lock

PLAN = plan.Plan()
if workflow.is_main_process:
    SWEEP_FILE = freeze.sweep_file(SWEEP)
    workflow.config_settings.configfiles = [SWEEP_FILE]  # every job of this run reads the same one
    one_line_errors(lambda: PLAN.find(Path(RESULTS), SWEEP))
else:
    SWEEP_FILE = Path(workflow.configfiles[0])


def made_from(artifact, role):
    """An input function: the files in a role from which an artifact (a function of artifacts.py) is made."""

    def files(wildcards):
        made = artifact(SWEEP, axes(wildcards))
        paths = [at(path) for path in made.inputs.get(role, [])]
        return paths if PLAN.again(made.path) else [ancient(path) for path in paths]

    return files


def again(artifact):
    """An input function: a file of this moment where the artifact must be made again."""
    return lambda wildcards: PLAN.marker(artifact(SWEEP, axes(wildcards)).path)


def summary(kind, files):
    """Inputs of tables, figures, report and provenance."""
    files = [files] if isinstance(files, str) else list(files)
    return files if PLAN.again(kind) else [ancient(file) for file in files]
