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


def made_from(output, *inputs):
    """An input function: `inputs` (places, or functions of the wildcards that give places) for the job that
    makes `output`."""

    def files(wildcards):
        given = [entry(wildcards) if callable(entry) else [entry] for entry in inputs]
        paths = [at(place).format(**wildcards) for place in sum(given, [])]
        return paths if PLAN.again(output.format(**wildcards)) else [ancient(path) for path in paths]

    return files


def again(output):
    """An input function: a file of this moment where `output` must be made again."""
    return lambda wildcards: PLAN.marker(output.format(**wildcards))


def summary(kind, files):
    """Inputs of tables, figures, report and provenance."""
    files = [files] if isinstance(files, str) else list(files)
    return files if PLAN.again(kind) else [ancient(file) for file in files]
