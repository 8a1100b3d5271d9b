# Curvature: an operator a model, seed, step and matrix; a cell (Lanczos, Ritz pairs, metrics) a mode, variant and
# probe; a density of the whole spectrum a mode and variant, from all its probes.
# Checkpoints lie beside the results and are no outputs: an interrupted job must find them again.


rule collect_kfac:
    input:
        data=jobs.made_from(artifacts.kfac, "data"),
        model=jobs.made_from(artifacts.kfac, "model"),
        again=jobs.again(artifacts.kfac),
    output:
        kfac=at(places.KFAC),
    log:
        f"{RESULTS}/logs/{OPERATOR}/collect-kfac.log",
    benchmark:
        f"{RESULTS}/benchmarks/{OPERATOR}/collect-kfac.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("collect-kfac"),
        runtime=needs.minutes("collect-kfac"),
        gpu=jobs.gpus_of_collection,
    params:
        flags=jobs.flags(stage_flags.collection),
        checkpoint=f"{SWEEP['name']}/{OPERATOR}",
    message:
        "Kronecker factors {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block}"
    shell:
        "logged {log} collect-kfac --data {input.data} --model {input.model} {params.flags}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.kfac}"


rule build_operator:
    input:
        data=jobs.made_from(artifacts.operator, "data"),
        model=jobs.made_from(artifacts.operator, "model"),
        kfac=jobs.made_from(artifacts.operator, "kfac"),
        again=jobs.again(artifacts.operator),
    output:
        operator=at(places.OPERATOR),
    log:
        f"{RESULTS}/logs/{OPERATOR}/build-operator.log",
    benchmark:
        f"{RESULTS}/benchmarks/{OPERATOR}/build-operator.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("build-operator"),
        runtime=needs.minutes("build-operator"),
        gpu=jobs.gpus,
    params:
        flags=jobs.flags(stage_flags.operator),
        kfac=lambda wildcards, input: stage_flags.words({"kfac": input.kfac}),
        checkpoint=f"{SWEEP['name']}/{OPERATOR}",
    message:
        "operator {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block}"
    shell:
        "logged {log} build-operator --data {input.data} --model {input.model} {params.flags} {params.kfac}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.operator}"


rule compare_kfac:
    input:
        operator=jobs.made_from(artifacts.comparison, "operator"),
        again=jobs.again(artifacts.comparison),
    output:
        comparison=at(places.COMPARISON),
    log:
        f"{RESULTS}/logs/{OPERATOR}/compare-kfac.log",
    benchmark:
        f"{RESULTS}/benchmarks/{OPERATOR}/compare-kfac.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("compare-kfac"),
        runtime=needs.minutes("compare-kfac"),
    params:
        flags=jobs.flags(stage_flags.comparison),
    message:
        "comparison {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block}"
    shell:
        "logged {log} compare-kfac --operator {input.operator} {params.flags}"
        " --threads {threads} --out {output.comparison}"


rule lanczos:
    input:
        operator=jobs.made_from(artifacts.lanczos, "operator"),
        again=jobs.again(artifacts.lanczos),
    output:
        lanczos=at(places.LANCZOS),
    log:
        f"{RESULTS}/logs/{CELL}/lanczos.log",
    benchmark:
        f"{RESULTS}/benchmarks/{CELL}/lanczos.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("lanczos"),
        runtime=needs.minutes("lanczos"),
        gpu=jobs.gpus,
    params:
        flags=jobs.flags(stage_flags.lanczos),
        checkpoint=f"{SWEEP['name']}/{CELL}",
    message:
        "lanczos {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}{wildcards.variant}"
    shell:
        "logged {log} lanczos --operator {input.operator} {params.flags}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.lanczos}"


rule ritz_residuals:
    input:
        operator=jobs.made_from(artifacts.ritz, "operator"),
        lanczos=jobs.made_from(artifacts.ritz, "lanczos"),
        again=jobs.again(artifacts.ritz),
    output:
        ritz=at(places.RITZ),
    log:
        f"{RESULTS}/logs/{CELL}/ritz-residuals.log",
    benchmark:
        f"{RESULTS}/benchmarks/{CELL}/ritz-residuals.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("ritz-residuals"),
        runtime=needs.minutes("ritz-residuals"),
        gpu=jobs.gpus,
    params:
        checkpoint=f"{SWEEP['name']}/{CELL}",
    message:
        "ritz-residuals {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}{wildcards.variant}"
    shell:
        "logged {log} ritz-residuals --operator {input.operator} --lanczos {input.lanczos}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.ritz}"


# No separate density for thick_restart and auto: T of a run that restarted is not a quadrature of its probe.
rule density:
    input:
        operator=jobs.made_from(artifacts.density, "operator"),
        probes=jobs.made_from(artifacts.density, "lanczos"),
        again=jobs.again(artifacts.density),
    output:
        density=at(places.DENSITY),
    log:
        f"{RESULTS}/logs/{DENSITY}/density.log",
    benchmark:
        f"{RESULTS}/benchmarks/{DENSITY}/density.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("density"),
        runtime=needs.minutes("density"),
    message:
        "density {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}{wildcards.variant}"
    shell:
        "logged {log} density --operator {input.operator} --threads {threads} --out {output.density} {input.probes}"


rule metrics:
    input:
        ritz=jobs.made_from(artifacts.metrics, "ritz"),
        operator=jobs.made_from(artifacts.metrics, "operator"),
        density=jobs.made_from(artifacts.metrics, "density"),
        again=jobs.again(artifacts.metrics),
    output:
        metrics=at(places.METRICS),
    log:
        f"{RESULTS}/logs/{CELL}/metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/{CELL}/metrics.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("metrics"),
        runtime=needs.minutes("metrics"),
    params:
        density=lambda wildcards, input: stage_flags.words({"density": input.density}),
        flags=jobs.flags(stage_flags.metrics),
    message:
        "metrics {wildcards.model} seed {wildcards.seed} step {wildcards.step} {wildcards.operator}{wildcards.block} {wildcards.reorth_mode}{wildcards.variant}"
    shell:
        "logged {log} metrics --ritz {input.ritz} --operator {input.operator} {params.density} {params.flags}"
        " --threads {threads} --out {output.metrics}"
