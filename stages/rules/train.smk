# Training: one model.h5 a model and seed, with the weights at the steps that are measured.


rule train_model:
    input:
        data=rules.prepare_data.output.data,
    output:
        model=f"{RESULTS}/cells/{RUN}/model.h5",
        spec=f"{RESULTS}/cells/{RUN}/model.json",
    log:
        f"{RESULTS}/logs/{RUN}/train-model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{RUN}/train-model.tsv"
    threads: 1
    params:
        version=VERSION["train-model"],
        spec=model_spec,
    message:
        "train {wildcards.model} seed {wildcards.seed}"
    shell:
        "printf '%s\\n' {params.spec:q} > {output.spec} && "
        "train-model --data {input.data} --spec {output.spec} --seed {wildcards.seed}"
        " --threads {threads} --out {output.model} 2> {log}"
