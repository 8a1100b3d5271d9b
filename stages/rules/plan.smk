# What must be made again, found before anything runs. Snakemake compares dates; here the contents decide: inputs
# count as old (`ancient`) except for jobs whose output does not stand, and these get one input more, written just now.
# The profiles leave Snakemake no trigger but dates.
import os


def make_plan():
    """What must be made again, and the configuration in a file: every job of this run reads the same one."""
    frozen = jobs.make_plan()
    if MAIN:
        workflow.config_settings.configfiles = [frozen]


if workflow.is_main_process:
    one_line_errors(make_plan)

UNTRAINED = jobs.untrained()


def await_training():
    """For input functions: once all trainings whose steps are not known have ended, the plan is made again."""
    for name in UNTRAINED:
        for seed in cells.seeds_of(SWEEP, name):
            checkpoints.train_weights.get(model=name, seed=seed)
    if jobs.untrained():
        one_line_errors(make_plan)


def every(stage, models=None):
    """An input function: every artifact of a stage, those of models included whose steps a training shows."""

    def files(wildcards):
        await_training()
        return jobs.all_of(stage, models)

    return files


def frozen(wildcards):
    """The configuration, with the steps of all models."""
    await_training()
    return ancient(os.path.relpath(jobs.file))
