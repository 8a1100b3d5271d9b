# Data: one data.h5 a model, the same for all training seeds.


rule prepare_data:
    input:
        source=data_file,
    output:
        data=f"{RESULTS}/data/{{model}}.h5",
    log:
        f"{RESULTS}/logs/data/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/data/{{model}}.tsv"
    params:
        version=VERSION["prepare_data.py"],
        flags=data_flags,
        python=python_of,
    message:
        "data {wildcards.model}"
    shell:
        "{params.python}prepare_data.py {params.flags} --out {output.data} 2> {log}"
