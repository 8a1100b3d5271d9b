# Models: one model.h5 a model and seed, trained here with the weights at the steps that are measured, or exported
# from a module that comes with its weights, or whose weights a command of the user's makes.


rule train_model:
    input:
        data=jobs.made_from(artifacts.model, "data"),
        again=jobs.again(artifacts.model),
    output:
        model=at(places.MODEL),
        spec=at(f"cells/{RUN}/model.json"),
    log:
        f"{RESULTS}/logs/{RUN}/train-model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/train-model.tsv"
    wildcard_constraints:
        model=jobs.models(trained=True),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("train-model"),
        runtime=needs.minutes("train-model"),
    params:
        spec=jobs.spec,
        flags=jobs.flags(stage_flags.training),
        checkpoint=f"{SWEEP['name']}/{RUN}",
    message:
        "train {wildcards.model} seed {wildcards.seed}"
    shell:
        "printf '%s\\n' {params.spec:q} > {output.spec} && "
        "logged {log} train-model --data {input.data} --spec {output.spec} {params.flags}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.model}"


# Its output is a record: the weights are the user's files, which the command writes itself. A checkpoint, because
# `final` and `all` of `steps` are known only thereafter.
checkpoint train_weights:
    input:
        again=jobs.again(artifacts.training),
    output:
        training=at(places.TRAINING),
    log:
        f"{RESULTS}/logs/{RUN}/train-weights.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/train-weights.tsv"
    retries: 0
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("train-weights"),
        runtime=needs.minutes("train-weights"),
    params:
        flags=jobs.flags(stage_flags.weights_run),
    message:
        "train {wildcards.model} seed {wildcards.seed} by its command"
    shell:
        "logged {log} train_weights.py {params.flags} --out {output.training}"


rule export_products:
    input:
        data=jobs.made_from(artifacts.model, "data"),
        training=jobs.made_from(artifacts.model, "training"),
        files=jobs.module_files,
        again=jobs.again(artifacts.model),
    output:
        model=at(places.MODEL),
    log:
        f"{RESULTS}/logs/{RUN}/export-products.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/export-products.tsv"
    wildcard_constraints:
        model=jobs.models(trained=False),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=needs.memory("export-products"),
        runtime=needs.minutes("export-products"),
    params:
        flags=jobs.flags(stage_flags.export),
        python=jobs.python,
    message:
        "products {wildcards.model} seed {wildcards.seed}"
    shell:
        "{params.python}logged {log} export_products.py {params.flags} --data {input.data}"
        " --out {output.model}"
