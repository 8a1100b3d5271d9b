# Curvature: an operator a model, seed, step and matrix; a cell (Lanczos, Ritz pairs, metrics) a mode and probe; a
# density of the whole spectrum a mode, from all its probes.
# Checkpoints lie beside the results and are no outputs: an interrupted job must find them again.


rule collect_kfac:
    input:
        data=rules.prepare_data.output.data,
        model=MODEL,
    output:
        kfac=f"{RESULTS}/cells/{OPERATOR}/kfac.h5",
    log:
        f"{RESULTS}/logs/{OPERATOR}/collect-kfac.log",
    benchmark:
        f"{RESULTS}/benchmarks/{OPERATOR}/collect-kfac.tsv"
    threads: 1
    resources:
        gpu=gpus,
    params:
        version=VERSION.get("collect-kfac"),
        flags=kfac_flags,
        checkpoint=f"{SWEEP['name']}/{OPERATOR}",
    message:
        "Kronecker factors {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block}"
    shell:
        "collect-kfac --data {input.data} --model {input.model} --step {wildcards.step} {params.flags}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.kfac} 2> {log}"


rule build_operator:
    input:
        data=rules.prepare_data.output.data,
        model=MODEL,
        kfac=kronecker_factors,
    output:
        operator=f"{RESULTS}/cells/{OPERATOR}/operator.h5",
    log:
        f"{RESULTS}/logs/{OPERATOR}/build-operator.log",
    benchmark:
        f"{RESULTS}/benchmarks/{OPERATOR}/build-operator.tsv"
    threads: 1
    resources:
        gpu=gpus_of_products,
    params:
        version=VERSION["build-operator"],
        flags=operator_flags,
        checkpoint=f"{SWEEP['name']}/{OPERATOR}",
    message:
        "operator {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block}"
    shell:
        "build-operator --data {input.data} --model {input.model} --step {wildcards.step} {params.flags}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.operator} 2> {log}"


rule compare_kfac:
    input:
        operator=rules.build_operator.output.operator,
    output:
        comparison=f"{RESULTS}/cells/{OPERATOR}/comparison.json",
    log:
        f"{RESULTS}/logs/{OPERATOR}/compare-kfac.log",
    benchmark:
        f"{RESULTS}/benchmarks/{OPERATOR}/compare-kfac.tsv"
    threads: 1
    params:
        version=VERSION.get("compare-kfac"),
        k=SWEEP["lanczos"]["k"],
    message:
        "comparison {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block}"
    shell:
        "compare-kfac --operator {input.operator} --k {params.k}"
        " --threads {threads} --out {output.comparison} 2> {log}"


rule lanczos:
    input:
        operator=rules.build_operator.output.operator,
    output:
        lanczos=f"{RESULTS}/cells/{CELL}/lanczos.h5",
    log:
        f"{RESULTS}/logs/{CELL}/lanczos.log",
    benchmark:
        f"{RESULTS}/benchmarks/{CELL}/lanczos.tsv"
    threads: 1
    resources:
        gpu=gpus_of_products,
    params:
        version=VERSION["lanczos"],
        flags=lanczos_flags,
        checkpoint=f"{SWEEP['name']}/{CELL}",
    message:
        "lanczos {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}"
    shell:
        "lanczos --operator {input.operator} --reorth-mode {wildcards.reorth_mode} --seed {wildcards.probe}"
        " {params.flags} --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.lanczos} 2> {log}"


rule ritz_residuals:
    input:
        operator=rules.build_operator.output.operator,
        lanczos=rules.lanczos.output.lanczos,
    output:
        ritz=f"{RESULTS}/cells/{CELL}/ritz.h5",
    log:
        f"{RESULTS}/logs/{CELL}/ritz-residuals.log",
    benchmark:
        f"{RESULTS}/benchmarks/{CELL}/ritz-residuals.tsv"
    threads: 1
    resources:
        gpu=gpus_of_products,
    params:
        version=VERSION["ritz-residuals"],
        checkpoint=f"{SWEEP['name']}/{CELL}",
    message:
        "ritz-residuals {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}"
    shell:
        "ritz-residuals --operator {input.operator} --lanczos {input.lanczos}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.ritz} 2> {log}"


# No density of its own for thick_restart and auto: T of a run that restarted is no quadrature of its probe.
rule density:
    input:
        operator=rules.build_operator.output.operator,
        probes=probe_runs,
    output:
        density=f"{RESULTS}/cells/{DENSITY}/density.h5",
    log:
        f"{RESULTS}/logs/{DENSITY}/density.log",
    benchmark:
        f"{RESULTS}/benchmarks/{DENSITY}/density.tsv"
    threads: 1
    params:
        version=VERSION["density"],
    message:
        "density {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}"
    shell:
        "density --operator {input.operator} --threads {threads} --out {output.density} {input.probes} 2> {log}"


rule metrics:
    input:
        ritz=rules.ritz_residuals.output.ritz,
        operator=rules.build_operator.output.operator,
        density=density_of,
    output:
        metrics=f"{RESULTS}/cells/{CELL}/metrics.json",
    log:
        f"{RESULTS}/logs/{CELL}/metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/{CELL}/metrics.tsv"
    threads: 1
    params:
        version=VERSION["metrics"],
        density=lambda wildcards, input: flags({"density": input.density}),
        options=metrics_flags,
    message:
        "metrics {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}"
    shell:
        "metrics --ritz {input.ritz} --operator {input.operator} {params.density} {params.options}"
        " --threads {threads} --out {output.metrics} 2> {log}"
