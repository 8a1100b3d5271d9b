# Data: one data.h5 a model, the same for all training seeds.


rule prepare_data:
    input:
        source=jobs.data_file,
        again=jobs.again(artifacts.data),
    output:
        data=at(places.DATA),
    log:
        f"{RESULTS}/logs/data/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/data/{{model}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=needs.memory("data"),
        runtime=needs.minutes("data"),
    params:
        flags=jobs.flags(stage_flags.data),
        python=jobs.python,
    message:
        "data {wildcards.model}"
    shell:
        "{params.python}logged {log} prepare_data.py {params.flags} --out {output.data}"
