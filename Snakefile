# A sweep: data -> trained models -> operators -> Lanczos -> Ritz pairs -> metrics -> tables and figures.
#
#   snakemake                                   the demo sweep
#   snakemake --configfile configs/mine.yaml    a sweep of your own; every key: configs/README.md
from snakemake.utils import min_version

min_version("9.0")


DEMO = "configs/demo.yaml"
DEFAULT_SWEEP = "models" not in config

# A sweep file given on the command line replaces the demo, it is not merged into it.
if DEFAULT_SWEEP:

    configfile: workflow.source_path(DEMO)


include: "stages/rules/common.smk"
include: "stages/rules/plan.smk"
include: "stages/rules/data.smk"
include: "stages/rules/train.smk"
include: "stages/rules/curvature.smk"
include: "stages/rules/tables.smk"


rule all:
    default_target: True
    input:
        jobs.all_of("lanczos"),
        jobs.all_of("ritz-residuals"),
        jobs.all_of("metrics"),
        jobs.all_of("density"),
        every("metrics", UNTRAINED),
        every("density", UNTRAINED),
        rules.ablation_table.output,
        rules.figures.output,
        rules.report.output,
        rules.provenance.output,
    message:
        f"see {RESULTS}/tables/ablation.md, {RESULTS}/figures/overview.png, {RESULTS}/report.html"


onstart:
    interruption.take_sigterm_in_a_thread()
    one_line_errors(lambda: results_lock.take(Path(RESULTS)))
    if workflow.is_main_process:
        exits.forget(RESULTS)
        executors.settle(workflow.scheduler._executor)


onerror:
    # The tables of what stands: cells that failed are shown as missing.
    if UNTRAINED:
        shell(f"cp {shlex.quote(str(jobs.file))} {RESULTS}/sweep.json")
    shell(f"test ! -f {RESULTS}/sweep.json || ablation_table.py --after-failure {RESULTS}")
