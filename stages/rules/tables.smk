# What a paper prints: tables, figures and a report of all cells.


rule sweep:
    input:
        frozen=frozen,
        trainings=[ancient(path) for path in jobs.all_of("train_weights", UNTRAINED)],
        again=jobs.plan.marker("sweep.json"),
    output:
        sweep=f"{RESULTS}/sweep.json",
    log:
        f"{RESULTS}/logs/sweep.log",
    benchmark:
        f"{RESULTS}/benchmarks/sweep.tsv"
    priority: 1
    conda:
        ENVIRONMENT
    message:
        "configuration"
    shell:
        "logged {log} cp {input.frozen:q} {output.sweep}"


rule ablation_table:
    input:
        sweep=jobs.summary("tables", rules.sweep.output.sweep),
        lanczos=jobs.summary("tables", every("lanczos")),
        ritz=jobs.summary("tables", every("ritz-residuals")),
        metrics=jobs.summary("tables", every("metrics")),
        comparisons=jobs.summary("tables", every("compare-kfac")),
        again=jobs.plan.marker("tables"),
    output:
        csv=f"{RESULTS}/tables/ablation.csv",
        md=f"{RESULTS}/tables/ablation.md",
        tex=f"{RESULTS}/tables/ablation.tex",
        cells=f"{RESULTS}/tables/cells.csv",
    log:
        f"{RESULTS}/logs/ablation_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/ablation_table.tsv"
    conda:
        ENVIRONMENT
    message:
        "tables"
    shell:
        "logged {log} ablation_table.py --complete $(dirname {input.sweep})"


rule figures:
    input:
        sweep=jobs.summary("figures", rules.sweep.output.sweep),
        lanczos=jobs.summary("figures", every("lanczos")),
        ritz=jobs.summary("figures", every("ritz-residuals")),
        metrics=jobs.summary("figures", every("metrics")),
        densities=jobs.summary("figures", every("density")),
        again=jobs.plan.marker("figures"),
    output:
        multiext(f"{RESULTS}/figures/spectrum", ".svg", ".png"),
        multiext(f"{RESULTS}/figures/density", ".svg", ".png"),
        multiext(f"{RESULTS}/figures/convergence", ".svg", ".png"),
        multiext(f"{RESULTS}/figures/orthogonality", ".svg", ".png"),
        multiext(f"{RESULTS}/figures/overview", ".svg", ".png"),
    log:
        f"{RESULTS}/logs/figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures.tsv"
    conda:
        ENVIRONMENT
    message:
        "figures"
    shell:
        "logged {log} figures.py $(dirname {input.sweep})"


rule report:
    input:
        sweep=jobs.summary("report", rules.sweep.output.sweep),
        table=jobs.summary("report", rules.ablation_table.output.csv),
        figures=jobs.summary("report", rules.figures.output),
        again=jobs.plan.marker("report"),
    output:
        html=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    message:
        "report"
    shell:
        "logged {log} report.py $(dirname {input.sweep})"


rule provenance:
    input:
        sweep=jobs.summary("provenance", rules.sweep.output.sweep),
        lanczos=jobs.summary("provenance", every("lanczos")),
        ritz=jobs.summary("provenance", every("ritz-residuals")),
        densities=jobs.summary("provenance", every("density")),
        again=jobs.plan.marker("provenance"),
    output:
        provenance=f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/provenance.tsv"
    conda:
        ENVIRONMENT
    message:
        "provenance"
    shell:
        "logged {log} provenance.py $(dirname {input.sweep})"


# Asked for by name: a description of the finished sweep as a Research Object Crate.
rule ro_crate:
    input:
        report=rules.report.output.html,
        provenance=rules.provenance.output.provenance,
        again=jobs.plan.marker("ro_crate"),
    output:
        crate=f"{RESULTS}/ro-crate-metadata.json",
    log:
        f"{RESULTS}/logs/ro_crate.log",
    benchmark:
        f"{RESULTS}/benchmarks/ro_crate.tsv"
    conda:
        ENVIRONMENT
    message:
        "RO-Crate"
    shell:
        "logged {log} ro_crate.py $(dirname {output.crate})"


# Asked for by name, and run each time: cells again from the data on, compared with those of the sweep.
# More of them: snakemake audit --set-resources audit:cells=10 audit:draw=1 (cells=0: all). A cluster has no number of
# cores: workflow.cores would end the run there.
rule audit:
    input:
        sweep=rules.sweep.output.sweep,
        metrics=every("metrics"),
    log:
        f"{RESULTS}/logs/audit.log",
    conda:
        ENVIRONMENT
    threads: workflow.resource_settings.cores or 1
    resources:
        cells=3,
        draw=0,
    params:
        sweep_file=lambda wildcards: str(jobs.file),
    message:
        "audit: {resources.cells} cells again"
    shell:
        "logged {log} reproduce.py $(dirname {input.sweep}) --configfile {params.sweep_file:q} --cells {resources.cells}"
        " --seed {resources.draw} --cores {threads}"
