"""What a stage would refuse, hours into a sweep, of a configuration that is valid by the schema."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ritzflow.common import weights_files
from ritzflow.common.script_cli import nearest
from ritzflow.sweep import blocks, cells, places, stage_flags
from ritzflow.sweep.model_steps import has_command, is_trained
from ritzflow.sweep.types import Config

VECTORS = ("wine", "breast_cancer", "iris", "diabetes")
TEXTS = ("python_topics",)
NAMES = ("digits", *VECTORS, *TEXTS)
OF_FILES = ("text", "npz", "hdf5", "pt", "csv", "jsonl", "parquet")
OF_FOLDERS = ("npy", "images")
FUNCTION = "dataset"
SOURCES = (*NAMES, *(f"{kind}:" for kind in (*OF_FILES, *OF_FOLDERS, FUNCTION)))


def problems(config: Config) -> Iterator[str]:
    for name, model in config["models"].items():
        place = f"models.{name}"
        yield from of_source(f"{place}.data.source", model["data"]["source"])
        yield from of_architecture(f"{place}.architecture", model["architecture"], model["data"]["source"])
    for name, operator in config["operators"].items():
        yield from of_power(f"operators.{name}", operator)
    for model, operator in dict.fromkeys(
        (cell["model"], cell["operator"]) for cell in cells.expected(config)
    ):
        yield from of_objective(config, model, operator)
        yield from of_filter(config, model, operator)


def of_source(place: str, source: str) -> Iterator[str]:
    kind, colon, rest = source.partition(":")
    if not colon and kind not in NAMES:
        ending = {".yml": "", ".txt": "text", ".h5": "hdf5", ".pth": "pt"}.get(Path(source).suffix, "")
        kinds = (*OF_FILES, *OF_FOLDERS)
        likely = ending or (Path(source).suffix[1:] if Path(source).suffix[1:] in kinds else "")
        hint = f"; did you mean '{likely}:{source}'?" if likely else nearest(kind, NAMES)
        yield f"'{source}' for '{place}' is not one of {', '.join(SOURCES)}{hint}"
    elif colon and f"{kind}:" not in SOURCES:
        hint = nearest(f"{kind}:", SOURCES)
        yield f"'{place}': unknown kind '{kind}:' of a source, not one of {', '.join(SOURCES)}{hint}"
    elif colon and not rest:
        yield f"'{place}': what follows '{kind}:' is missing"


def of_architecture(place: str, architecture: dict[str, Any], source: str) -> Iterator[str]:
    kind = architecture["kind"]
    if kind == "cnn" and architecture["norm"] == "group":
        groups = architecture["groups"]
        for channels in architecture["channels"]:
            if channels % groups:
                yield f"'{place}.groups': {groups} does not divide {channels} of channels"
    if kind == "transformer" and architecture["d_model"] % architecture["heads"]:
        yield f"'{place}.heads': {architecture['heads']} does not divide d_model, {architecture['d_model']}"
    texts = source.startswith("text:") or source in TEXTS
    if kind == "transformer" and source in (*VECTORS, "digits"):
        yield f"'{place}.kind': transformer is for texts, and {source} has none; mlp"
    if kind in ("mlp", "cnn") and texts:
        yield f"'{place}.kind': {kind} is for real inputs, and a text is tokens; transformer"
    if kind == "cnn" and source in VECTORS:
        yield f"'{place}.kind': cnn is for images, and {source} has none; mlp"


def of_power(place: str, operator: dict[str, Any]) -> Iterator[str]:
    if operator["kind"] not in ("kfac", "ekfac"):
        return
    power, damping = operator["power"] or 1, operator["damping"] or 0
    if power < 0 and not damping:
        yield f"'{place}.power': {power} divides by eigenvalues that may be 0: it needs damping, as 1e-3"
    if operator["uncovered"] == "exact_ggn" and (power != 1 or damping):
        yield f"'{place}.uncovered': exact_ggn has no eigenpairs for power and damping"


def of_objective(config: Config, model: str, operator: str) -> Iterator[str]:
    """A loss that is not a function of the outputs has no Gauss-Newton matrix."""
    kind = config["operators"][operator]["kind"]
    objective = config["models"][model]["architecture"].get("objective")
    if objective and kind not in ("hessian", "empirical_fisher"):
        yield (
            f"'operators.{operator}': {kind} needs a loss of outputs, but models.{model} has an objective; "
            "hessian or empirical_fisher, or exclude these cells"
        )


def of_filter(config: Config, model: str, operator: str) -> Iterator[str]:
    """Globs that match no parameter of a built-in network; the others are known once they are exported."""
    architecture = config["models"][model]["architecture"]
    if architecture["kind"] == "module":
        return
    layers = blocks.layers(architecture)
    there = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    for glob in config["operators"][operator]["params_filter"]:
        if not any(fnmatchcase(name, glob.removeprefix("!")) for name in there):
            hint = nearest(glob, there) or f"; its layers are {', '.join(layers)}"
            yield f"'operators.{operator}.params_filter': '{glob}' matches nothing in models.{model}{hint}"


def missing_files(config: Config, results: Path) -> Iterator[str]:
    """Files of the user's that are not there, of artifacts that are not there either."""
    for name, model in config["models"].items():
        kind, _, path = model["data"]["source"].partition(":")
        made = results / places.DATA.format(model=name)
        if kind in (*OF_FILES, *OF_FOLDERS) and not Path(path).exists() and not made.exists():
            yield f"models.{name}.data.source: {path}: no such file"
        if is_trained(model) or has_command(model):
            continue
        for seed in cells.seeds_of(config, name):
            weights = stage_flags.weights(config, {"model": name, "seed": seed})
            made = results / places.MODEL.format(model=name, seed=seed)
            key = weights_files.key_of(model["architecture"])
            if weights_files.STEP not in weights and not Path(weights).exists() and not made.exists():
                yield f"models.{name}.architecture.{key}: {weights}: no such file"
