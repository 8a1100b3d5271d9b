# What a paper prints: tables, figures and a report of all cells.


rule sweep:
    output:
        sweep=f"{RESULTS}/sweep.json",
    log:
        f"{RESULTS}/logs/sweep.log",
    benchmark:
        f"{RESULTS}/benchmarks/sweep.tsv"
    priority: 1
    params:
        sweep=json.dumps(SWEEP),
    message:
        "configuration"
    shell:
        "printf '%s\\n' {params.sweep:q} > {output.sweep} 2> {log}"


rule ablation_table:
    input:
        sweep=rules.sweep.output.sweep,
        lanczos=all_cells("lanczos.h5"),
        ritz=all_cells("ritz.h5"),
        metrics=all_cells("metrics.json"),
        comparisons=comparisons(),
    output:
        csv=f"{RESULTS}/tables/ablation.csv",
        md=f"{RESULTS}/tables/ablation.md",
        tex=f"{RESULTS}/tables/ablation.tex",
        cells=f"{RESULTS}/tables/cells.csv",
    log:
        f"{RESULTS}/logs/ablation_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/ablation_table.tsv"
    params:
        code=code_digest("ablation_table.py", "cells.py", "table_text.py"),
    message:
        "tables"
    shell:
        "ablation_table.py $(dirname {input.sweep}) 2> {log}"


rule figures:
    input:
        sweep=rules.sweep.output.sweep,
        lanczos=all_cells("lanczos.h5"),
        ritz=all_cells("ritz.h5"),
        metrics=all_cells("metrics.json"),
        densities=all_densities(),
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
    params:
        code=code_digest("figures.py", "figure_style.py", "cells.py"),
    message:
        "figures"
    shell:
        "figures.py $(dirname {input.sweep}) 2> {log}"


rule report:
    input:
        sweep=rules.sweep.output.sweep,
        table=rules.ablation_table.output.csv,
        figures=rules.figures.output,
    output:
        html=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    params:
        code=code_digest("report.py", "table_text.py"),
    message:
        "report"
    shell:
        "report.py $(dirname {input.sweep}) 2> {log}"


rule provenance:
    input:
        lanczos=all_cells("lanczos.h5"),
        ritz=all_cells("ritz.h5"),
        densities=all_densities(),
    output:
        provenance=f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/provenance.tsv"
    params:
        code=code_digest("provenance.py"),
    message:
        "provenance"
    shell:
        "provenance.py $(dirname {output.provenance}) 2> {log}"


# Asked for by name: a description of the finished sweep as a Research Object Crate.
rule ro_crate:
    input:
        report=rules.report.output.html,
        provenance=rules.provenance.output.provenance,
    output:
        crate=f"{RESULTS}/ro-crate-metadata.json",
    log:
        f"{RESULTS}/logs/ro_crate.log",
    benchmark:
        f"{RESULTS}/benchmarks/ro_crate.tsv"
    params:
        code=code_digest("ro_crate.py", "provenance.py"),
    message:
        "RO-Crate"
    shell:
        "ro_crate.py $(dirname {output.crate}) 2> {log}"


# Asked for by name, and run each time: cells again from the data on, compared with those of the sweep.
# More of them: snakemake audit --set-resources audit:cells=10 audit:draw=1 (cells=0: all).
rule audit:
    input:
        sweep=rules.sweep.output.sweep,
        metrics=all_cells("metrics.json"),
    log:
        f"{RESULTS}/logs/audit.log",
    threads: workflow.cores or 1
    resources:
        cells=3,
        draw=0,
    params:
        sweep_file=SWEEP_FILE,
    message:
        "audit: {resources.cells} cells again"
    shell:
        "reproduce.py $(dirname {input.sweep}) --configfile {params.sweep_file:q} --cells {resources.cells}"
        " --seed {resources.draw} --cores {threads} 2> {log}"
