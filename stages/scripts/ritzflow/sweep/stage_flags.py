"""What each stage is told in a cell of a sweep: its settings by flag, and the same as command-line words.

`cell` maps the axes (model, seed, step, operator, block, reorth_mode, variant, probe) to their values, as far
as the stage knows them. Paths of artifacts are no settings: what they hold is compared by digest.
"""

import json
import shlex
from typing import Any

from ritzflow.common import weights_files
from ritzflow.sweep import blocks, model_steps, variants
from ritzflow.sweep.stage_versions import KRONECKER_KINDS
from ritzflow.sweep.types import Cell, Config

OF_COLLECTION = ("kfac_approx", "fisher_type", "token_terms", "max_factor", "split_qkv")
SHARED_WITH_COLLECTION = ("mc_samples", "dtype_compute", "device", "batch_size", "samples", "samples_seed")
REGULARIZATION = {"regularization_mode": "off", "regularization": 1e-8}  # as the stage `metrics` has them


def words(options: dict[str, Any]) -> str:
    """Flags of the options that are set, in one order whatever the sweep file's; true is a bare flag."""
    said = []
    for name, value in sorted(options.items()):
        if value is None or value is False or value == []:
            continue
        said.append(f"--{name.replace('_', '-')}")
        if value is not True:
            said.extend(value if isinstance(value, list) else [value])
    return shlex.join(map(str, said))


def is_kronecker(config: Config, cell: Cell) -> bool:
    return config["operators"][cell["operator"]]["kind"] in KRONECKER_KINDS


def data(config: Config, cell: Cell) -> dict[str, Any]:
    options = dict(config["models"][cell["model"]]["data"])
    standardize = options.pop("standardize")
    return {**options, "no_standardize": not standardize}


def training(config: Config, cell: Cell) -> dict[str, Any]:
    return {"seed": cell["seed"]}


def spec(config: Config, cell: Cell) -> dict[str, Any]:
    """What train-model gets as a file, and model.h5 keeps as its attribute `spec`."""
    model = config["models"][cell["model"]]
    known = {key: value for key, value in model["training"].items() if value is not None}
    return {"architecture": model["architecture"], "training": known, "steps": model["steps"]}


def export(config: Config, cell: Cell) -> dict[str, Any]:
    """Products are exported in every type that an operator of the sweep computes in."""
    options = dict(config["models"][cell["model"]]["architecture"])
    del options["kind"]
    kwargs, strict = options.pop("kwargs"), options.pop("strict")
    options["no_strict"] = not strict
    key, place = weights_files.key_of(options), weights(config, cell)
    options |= {key: place, "steps": steps_in(place, config, cell)}
    if options.get("hf_base"):
        options["hf_base"] = weights_files.of_seed(options["hf_base"], cell["seed"])
    if key == "weights":
        options["kwargs"] = json.dumps(kwargs, sort_keys=True)
    kinds = {operator["kind"] for operator in config["operators"].values()}
    hessian, kronecker = "hessian" in kinds, kinds & set(KRONECKER_KINDS)
    options["products"] = ["ggn", *(["hessian"] if hessian else []), *(["kfac"] if kronecker else [])]
    options["dtype_compute"] = sorted(
        {operator["dtype_compute"] for operator in config["operators"].values()}
    )
    return options


def weights(config: Config, cell: Cell) -> str:
    """The file with a module's weights, or its Hugging Face folder, with the seed in its name; {step} in it
    stands for each step."""
    return weights_files.of_seed(model_steps.weights_of(config["models"][cell["model"]]), cell["seed"])


def steps_in(weights: str, config: Config, cell: Cell) -> list[str] | None:
    """The steps of which there are files, as words."""
    steps = config["models"][cell["model"]]["steps"]
    if weights_files.STEP not in weights:
        return None
    return [steps] if steps == weights_files.ALL else [str(step) for step in steps]


def weights_training(config: Config, cell: Cell) -> dict[str, Any]:
    """The command that makes a module's weights, and where."""
    command = config["models"][cell["model"]]["training"]["command"]
    return {"command": weights_files.of_seed(command, cell["seed"]), "weights": weights(config, cell)}


def weights_run(config: Config, cell: Cell) -> dict[str, Any]:
    """The same with the steps that are wanted, which are no setting of a training."""
    made = weights_training(config, cell)
    return {**made, "steps": steps_in(made["weights"], config, cell)}


def collection(config: Config, cell: Cell) -> dict[str, Any]:
    options = config["operators"][cell["operator"]]
    known = {name: options[name] for name in (*OF_COLLECTION, *SHARED_WITH_COLLECTION)}
    return {**known, "step": cell["step"]}


def operator(config: Config, cell: Cell) -> dict[str, Any]:
    options = dict(config["operators"][cell["operator"]])
    collected = ("mc_samples", "device") if is_kronecker(config, cell) else ()
    for name in (*OF_COLLECTION, *collected, *REGULARIZATION, "blocks"):
        del options[name]
    options["params_filter"] = options["params_filter"] or blocks.params_filter(cell["block"])
    return {"operator": options.pop("kind"), **options, "step": cell["step"]}


def comparison(config: Config, cell: Cell) -> dict[str, Any]:
    return {"k": config["lanczos"]["k"]}


def lanczos(config: Config, cell: Cell) -> dict[str, Any]:
    options = variants.settings_of(config, cell)
    options["no_certificate"] = options.pop("certificate") is False
    return {**options, "reorth_mode": cell["reorth_mode"], "seed": cell["probe"]}


def metrics(config: Config, cell: Cell) -> dict[str, Any]:
    options = config["operators"][cell["operator"]]
    return {
        name: default if options[name] is None else options[name] for name, default in REGULARIZATION.items()
    }


def none(config: Config, cell: Cell) -> dict[str, Any]:
    """ritz-residuals and density: all that they do follows from their inputs."""
    return {}


def of_model(config: Config, cell: Cell) -> dict[str, Any]:
    trained = model_steps.is_trained(config["models"][cell["model"]])
    return training(config, cell) if trained else export(config, cell)
