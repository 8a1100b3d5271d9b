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
    output:
        multiext(f"{RESULTS}/figures/spectrum", ".svg", ".png"),
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
