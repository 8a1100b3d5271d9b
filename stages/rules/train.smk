# Models: one model.h5 a model and seed, trained here with the weights at the steps that are measured, or exported
# from a module that comes with its weights.


rule train_model:
    input:
        data=made_from(artifacts.model, "data"),
        again=again(artifacts.model),
    output:
        model=at(places.MODEL),
        spec=at(f"cells/{RUN}/model.json"),
    log:
        f"{RESULTS}/logs/{RUN}/train-model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/train-model.tsv"
    wildcard_constraints:
        model=names_of_models(trained=True),
    threads: 1
    params:
        spec=model_spec,
        flags=flags_of(stage_flags.training),
        checkpoint=f"{SWEEP['name']}/{RUN}",
    message:
        "train {wildcards.model} seed {wildcards.seed}"
    shell:
        "printf '%s\\n' {params.spec:q} > {output.spec} && "
        "train-model --data {input.data} --spec {output.spec} {params.flags}"
        " --checkpoint {resources.checkpoint_root:q}/{params.checkpoint}"
        " --threads {threads} --out {output.model} 2> {log}"


rule export_products:
    input:
        data=made_from(artifacts.model, "data"),
        files=module_files,
        again=again(artifacts.model),
    output:
        model=at(places.MODEL),
    log:
        f"{RESULTS}/logs/{RUN}/export-products.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/export-products.tsv"
    wildcard_constraints:
        model=names_of_models(trained=False),
    threads: 1
    params:
        flags=flags_of(stage_flags.export),
        python=python_of,
    message:
        "products {wildcards.model} seed {wildcards.seed}"
    shell:
        "{params.python}export_products.py {params.flags} --data {input.data}"
        " --out {output.model} 2> {log}"
