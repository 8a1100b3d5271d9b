# The configuration, where things lie, and the flags of each stage. Rules hold no logic.
import hashlib
import json
import shlex
import sys
from pathlib import Path

ROOT = Path(workflow.basedir)
SCRIPTS = ROOT / "stages" / "scripts"
BINARIES = ROOT / "build" / "bin"
sys.path.insert(0, str(SCRIPTS))

import blocks
import cells
import stage_versions
import sweep_config
import sweep_file
from script_cli import run as one_line_errors

# Stages and scripts are called by name; a prefix is no part of what triggers a re-run, a path would be.
PROGRAMS = shlex.quote(f"{BINARIES}:{SCRIPTS}:{Path(sys.executable).parent}")
shell.prefix(f'set -euo pipefail; export PATH={PROGRAMS}:"$PATH"; ')


def names_of_models(trained):
    """A pattern of the models that the sweep trains, or of those that come with their weights."""
    names = [name for name, model in SWEEP["models"].items() if sweep_config.is_trained(model) == trained]
    return "|".join(names) or "(?!)"


def load_sweep():
    """The checked configuration and the algorithm version of each program."""
    global SWEEP, VERSION
    origin = DEMO if DEFAULT_SWEEP else str(workflow.configfiles[0])
    for path in workflow.configfiles:
        sweep_file.read(str(path))  # Snakemake's own reader takes the last one of two equal keys
    SWEEP = sweep_config.resolve(config, origin)
    stage_versions.check_built(SWEEP, BINARIES, origin)
    scripts = [
        "prepare_data.py",
        *([] if names_of_models(trained=False) == "(?!)" else ["export_products.py"]),
    ]
    programs = [SCRIPTS / name for name in scripts] + [
        BINARIES / name for name in stage_versions.needed(SWEEP)
    ]
    VERSION = stage_versions.versions(programs, Path(".snakemake/ritzflow-versions.json"))


one_line_errors(load_sweep)

RESULTS = f"results/{SWEEP['name']}"
SWEEP_FILE = str(ROOT / DEMO if DEFAULT_SWEEP else Path(workflow.configfiles[0]).resolve())
RUN = "{model}/seed{seed}"
COLLECT_OPTIONS = ("kfac_approx", "fisher_type", "token_terms", "max_factor", "split_qkv")
REPORT_OPTIONS = ("regularization_mode", "regularization")
MODEL = f"{RESULTS}/cells/{RUN}/model.h5"  # trained here, or exported from a module with its weights
OPERATOR = f"{RUN}/step{{step}}/{{operator}}{{block}}"
CELL = cells.PLACE
DENSITY = cells.MODE_PLACE


wildcard_constraints:
    seed=r"\d+",
    step=r"\d+",
    probe=r"\d+",
    operator=r"[A-Za-z0-9_-]+",
    block=rf"({blocks.MARK}[^/]+)?",


def flags(options):
    """Command-line flags of the options that are set, in one order whatever the sweep file's; true is a bare flag."""
    words = []
    for name, value in sorted(options.items()):
        if value is None or value is False or value == []:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.extend(value if isinstance(value, list) else [value])
    return shlex.join(map(str, words))


def data_file(wildcards):
    """The user's own file behind `text:FILE`, `npz:FILE`, `hdf5:FILE`; a changed file runs all behind it again."""
    return SWEEP["models"][wildcards.model]["data"]["source"].partition(":")[2] or []


def data_flags(wildcards):
    data = dict(SWEEP["models"][wildcards.model]["data"])
    standardize = data.pop("standardize")
    return flags({**data, "no_standardize": not standardize})


def model_spec(wildcards):
    """What train-model gets, and model.h5 keeps as its attribute `spec`."""
    model = SWEEP["models"][wildcards.model]
    training = {key: value for key, value in model["training"].items() if value is not None}
    spec = {"architecture": model["architecture"], "training": training, "steps": model["steps"]}
    return json.dumps(spec, sort_keys=True)


def module_files(wildcards):
    """What a module is made from, as far as it lies below this folder: changed files are exported again."""
    architecture = SWEEP["models"][wildcards.model]["architecture"]
    if "hf" in architecture:
        return sorted(map(str, Path(architecture["hf"]).glob("*.safetensors")))
    source = Path(*architecture["module"].partition(":")[0].split(".")).with_suffix(".py")
    return [module_weights(wildcards), *([str(source)] if source.is_file() else [])]


def module_weights(wildcards):
    """The file with a module's weights; {seed} in its name stands for the seed."""
    return SWEEP["models"][wildcards.model]["architecture"]["weights"].format(seed=wildcards.seed)


def python_of(wildcards):
    """Hugging Face folders and tokenizers are read in an environment of their own (`make models-env`)."""
    model = SWEEP["models"][wildcards.model]
    special = "hf" in model["architecture"] or model["data"]["tokenizer"]
    return "PATH=.venv-models/bin:$PATH " if special else ""


def export_flags(wildcards):
    """Products are exported in every type that an operator of the sweep computes in."""
    options = dict(SWEEP["models"][wildcards.model]["architecture"])
    del options["kind"]
    kwargs = options.pop("kwargs")
    if "weights" in options:
        options |= {"weights": module_weights(wildcards), "kwargs": json.dumps(kwargs, sort_keys=True)}
    kinds = {operator["kind"] for operator in SWEEP["operators"].values()}
    options["products"] = [
        "ggn",
        *(["hessian"] if "hessian" in kinds else []),
        *(["kfac"] if kinds & set(stage_versions.KRONECKER_KINDS) else []),
    ]
    options["dtype_compute"] = sorted({operator["dtype_compute"] for operator in SWEEP["operators"].values()})
    return flags(options)


def kronecker_factors(wildcards):
    kind = SWEEP["operators"][wildcards.operator]["kind"]
    place = f"{RESULTS}/cells/{OPERATOR}/kfac.h5".format(**wildcards)
    return place if kind in stage_versions.KRONECKER_KINDS else []


def kfac_flags(wildcards):
    options = SWEEP["operators"][wildcards.operator]
    shared = ("mc_samples", "dtype_compute", "device", "batch_size")
    return flags({name: options[name] for name in (*COLLECT_OPTIONS, *shared)})


def comparisons():
    """comparison.json of every K-FAC operator of the sweep."""
    kinds = {name: options["kind"] for name, options in SWEEP["operators"].items()}
    return sorted(
        {
            f"{RESULTS}/cells/{OPERATOR}/comparison.json".format(**cell)
            for cell in cells.expected(SWEEP)
            if kinds[cell["operator"]] in stage_versions.KRONECKER_KINDS
        }
    )


def operator_flags(wildcards):
    options = dict(SWEEP["operators"][wildcards.operator])
    collected = ("mc_samples", "device") if options["kind"] in stage_versions.KRONECKER_KINDS else ()
    for name in (*COLLECT_OPTIONS, *collected, *REPORT_OPTIONS, "blocks"):
        del options[name]
    options["params_filter"] = options["params_filter"] or blocks.params_filter(wildcards.block)
    return flags({"operator": options.pop("kind"), **options, "kfac": kronecker_factors(wildcards)})


def gpus(wildcards):
    """GPUs that a job with products takes. Products of K-FAC are the processors' work: it needs one to be collected."""
    return int(SWEEP["operators"][wildcards.operator]["device"] == "cuda")


def gpus_of_products(wildcards):
    kind = SWEEP["operators"][wildcards.operator]["kind"]
    return 0 if kind in stage_versions.KRONECKER_KINDS else gpus(wildcards)


def metrics_flags(wildcards):
    """Apart from what depends on inputs: of params, Snakemake compares with the last run only those that do not."""
    options = SWEEP["operators"][wildcards.operator]
    return flags({name: options[name] for name in REPORT_OPTIONS})


def lanczos_flags(wildcards):
    options = dict(SWEEP["lanczos"])
    options["no_certificate"] = options.pop("certificate") is False
    return flags(options)


def probe_runs(wildcards):
    """lanczos.h5 of every probe of a mode."""
    place = f"{RESULTS}/cells/{DENSITY}".format(**wildcards)
    return [f"{place}/probe{probe}/lanczos.h5" for probe in SWEEP["probes"]]


def density_of(wildcards):
    """The density.h5 that a cell's record takes the quantities of the whole spectrum from."""
    mode = cells.density_mode(SWEEP, wildcards.reorth_mode)
    place = f"{RESULTS}/cells/{DENSITY}/density.h5"
    return place.format(**{**wildcards, "reorth_mode": mode}) if mode else []


def all_densities():
    return [f"{RESULTS}/cells/{place}/density.h5" for place in cells.densities(SWEEP)]


def all_cells(name):
    """The file `name` of every cell."""
    return [f"{RESULTS}/cells/{CELL.format(**cell)}/{name}" for cell in cells.expected(SWEEP)]


def code_digest(*names):
    """Scripts that are cheap to run again do so whenever their text changed."""
    return hashlib.sha256(b"".join((SCRIPTS / name).read_bytes() for name in names)).hexdigest()
