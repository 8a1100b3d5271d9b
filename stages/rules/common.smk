# The configuration, and where things lie. Rules hold no logic: what a stage is told is in stage_flags.py.
import json
import shlex
import sys
import time
from pathlib import Path

ROOT = Path(workflow.basedir)
SCRIPTS = ROOT / "stages" / "scripts"
BINARIES = ROOT / "build" / "bin"
sys.path.insert(0, str(SCRIPTS))

from ritzflow.common import weights_files
from ritzflow.common.script_cli import run as one_line_errors
from ritzflow.sweep import artifacts, blocks, places, stage_flags, stage_versions, sweep_config, sweep_file

# Stages and scripts are called by name. Snakemake takes braces in a shell command for names of its own.
PROGRAMS = shlex.quote(f"{BINARIES}:{SCRIPTS}:{Path(sys.executable).parent}")
PROGRAMS = PROGRAMS.replace("{", "{{").replace("}", "}}")
shell.prefix(f'set -euo pipefail; export PATH={PROGRAMS}:"$PATH"; ')


def load_sweep():
    """The checked configuration."""
    global SWEEP
    origin = DEMO if DEFAULT_SWEEP else str(workflow.configfiles[0])
    for path in workflow.configfiles:
        sweep_file.read(str(path))  # Snakemake's own reader takes the last one of two equal keys
    SWEEP = sweep_config.resolve(config, origin)
    stage_versions.check_built(SWEEP, BINARIES, origin)


one_line_errors(load_sweep)

RESULTS = f"results/{SWEEP['name']}"
RUN, OPERATOR, DENSITY, CELL = places.RUN, places.MATRIX, places.MODE, places.CELL  # of logs and checkpoints


def at(place):
    """A place of places.py in the results folder of this sweep."""
    return f"{RESULTS}/{place}"


wildcard_constraints:
    seed=r"\d+",
    step=r"\d+",
    probe=r"\d+",
    operator=r"[A-Za-z0-9_-]+",
    block=rf"({blocks.MARK}[^/]+)?",


def axes(wildcards):
    """The axes of a cell that a rule knows, numbers as numbers."""
    known = dict(wildcards.items())
    return {name: int(value) if name in ("seed", "step", "probe") else value for name, value in known.items()}


def flags_of(settings):
    """Command-line words of a function of stage_flags."""
    return lambda wildcards: stage_flags.words(settings(SWEEP, axes(wildcards)))


def model_spec(wildcards):
    return json.dumps(stage_flags.spec(SWEEP, axes(wildcards)), sort_keys=True)


def names_of_models(trained):
    """A pattern of the models that the sweep trains, or of those that come with their weights."""
    names = [name for name, model in SWEEP["models"].items() if sweep_config.is_trained(model) == trained]
    return "|".join(names) or "(?!)"


def old(paths):
    """Files among `paths` as inputs whose dates say nothing. One with a date to come is left out: Snakemake fails
    where an output is older than an input; and one with braces in its name, which Snakemake takes for wildcards. What
    is missing is the program's to say."""
    files = [path for path in map(Path, paths) if path.is_file() and path.stat().st_mtime <= time.time()]
    return [ancient(str(path)) for path in files if not set("{}") & set(str(path))]


def data_file(wildcards):
    """The user's file in `text:FILE`, `npz:FILE`, ...; data.h5 records all that was read."""
    path = SWEEP["models"][wildcards.model]["data"]["source"].partition(":")[2]
    return old([path] if path else [])


def module_files(wildcards):
    """The user's files that are known before a module is traced; model.h5 notes all that was read."""
    pattern = stage_flags.weights(SWEEP, axes(wildcards))
    found = weights_files.found(pattern).values() if weights_files.STEP in pattern else [Path(pattern)]
    return old(file for place in found for file in (place, *sorted(place.glob("*.safetensors"))))


def python_of(wildcards):
    """Hugging Face folders and tokenizers are read in an environment of their own (`make models-env`)."""
    model = SWEEP["models"][wildcards.model]
    special = "hf" in model["architecture"] or model["data"]["tokenizer"]
    return "PATH=.venv-models/bin:$PATH " if special else ""


def gpus(wildcards):
    """GPUs that a job with products takes. Products of K-FAC are the processors' work: it needs one to be collected."""
    return int(SWEEP["operators"][wildcards.operator]["device"] == "cuda")


def gpus_of_products(wildcards):
    return 0 if stage_flags.is_kronecker(SWEEP, axes(wildcards)) else gpus(wildcards)


def all_of(stage, models=None):
    """Every artifact that a stage makes in this sweep, or of some of its models."""
    made = [path for path, artifact in artifacts.of_sweep(SWEEP).items() if artifact.stage == stage]
    return [at(path) for path in made if models is None or path.split("/")[1] in models]
