# What must be made again, found before anything runs. Snakemake compares dates; here the contents decide: inputs
# count as old (`ancient`) except for jobs whose output does not stand, and these get one input more, written just now.
# The profiles leave Snakemake no trigger but dates.
import os
import time

from ritzflow.sweep import freeze, interruption, plan, results_lock

PLAN = plan.Plan()
SWEEP_FILE = Path(workflow.configfiles[0])


def make_plan():
    """What must be made again, and the configuration in a file: every job of this run reads the same one."""
    global SWEEP_FILE
    PLAN.find(Path(RESULTS), SWEEP)
    SWEEP_FILE = freeze.sweep_file(SWEEP)
    workflow.config_settings.configfiles = [SWEEP_FILE]


if workflow.is_main_process:
    one_line_errors(make_plan)

UNTRAINED = [name for name, model in SWEEP["models"].items() if not sweep_config.has_known_steps(model)]


def await_training():
    """For input functions: once all trainings whose steps are not known have ended, the plan is made again."""
    for name in UNTRAINED:
        for seed in SWEEP["seeds"]:
            checkpoints.train_weights.get(model=name, seed=seed)
    if not all(map(sweep_config.has_known_steps, SWEEP["models"].values())):
        one_line_errors(make_plan)


def every(stage, models=None):
    """An input function: every artifact of a stage, those of models included whose steps a training shows."""

    def files(wildcards):
        await_training()
        return all_of(stage, models)

    return files


def frozen(wildcards):
    """The configuration, with the steps of all models."""
    await_training()
    return ancient(os.path.relpath(SWEEP_FILE))


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


def summary(kind, inputs):
    """An input function of tables, figures, report and provenance: files, or what such a function gives."""

    def files(wildcards):
        found = inputs(wildcards) if callable(inputs) else inputs
        found = [found] if isinstance(found, str) else list(found)
        return found if PLAN.again(kind) else [ancient(file) for file in found]

    return files
