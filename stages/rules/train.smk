# Models: one model.h5 a model and seed, trained here with the weights at the steps that are measured, or exported
# from a module that comes with its weights.


rule train_model:
    input:
        data=rules.prepare_data.output.data,
    output:
        model=MODEL,
        spec=f"{RESULTS}/cells/{RUN}/model.json",
    log:
        f"{RESULTS}/logs/{RUN}/train-model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/train-model.tsv"
    wildcard_constraints:
        model=names_of_models(trained=True),
    threads: 1
    params:
        version=VERSION["train-model"],
        spec=model_spec,
        checkpoint=f"{SWEEP['name']}/{RUN}",
    message:
        "train {wildcards.model} seed {wildcards.seed}"
    shell:
        "printf '%s\\n' {params.spec:q} > {output.spec} && "
        "train-model --data {input.data} --spec {output.spec} --seed {wildcards.seed}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.model} 2> {log}"


rule export_products:
    input:
        data=rules.prepare_data.output.data,
        files=module_files,
    output:
        model=MODEL,
    log:
        f"{RESULTS}/logs/{RUN}/export-products.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/export-products.tsv"
    wildcard_constraints:
        model=names_of_models(trained=False),
    threads: 1
    params:
        version=VERSION.get("export_products.py"),
        flags=export_flags,
        python=python_of,
    message:
        "products {wildcards.model} seed {wildcards.seed}"
    shell:
        "{params.python}export_products.py {params.flags} --data {input.data}"
        " --out {output.model} 2> {log}"
