"""What the rules ask about the jobs of a sweep: files, flags and devices, as functions of the wildcards."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from snakemake.io import ancient
from snakemake.iocontainers import Wildcards

from ritzflow.common import weights_files
from ritzflow.common.locations import BINARIES, ROOT
from ritzflow.common.script_cli import InputError
from ritzflow.sweep import (
    artifacts,
    freeze,
    known_refusals,
    model_steps,
    stage_flags,
    stage_versions,
    sweep_config,
    sweep_file,
)
from ritzflow.sweep.plan import Plan
from ritzflow.sweep.types import Config

MODELS_ENV = shlex.quote(str(ROOT / ".venv-models" / "bin"))
NUMBERS = ("seed", "step", "probe")


def checked(raw: dict[str, Any], origin: str, files: Iterable[Path]) -> dict[str, Any]:
    """The configuration that Snakemake has read. Raises InputError.

    Its reader takes the last one of two equal keys, and 0.10 as a key for a number: `files` are read again.
    """
    for path in files:
        raw = sweep_file.with_keys_of(raw, sweep_file.read(str(path)))
    config = sweep_config.resolve(sweep_file.with_keys_of(raw, {}), origin)
    stage_versions.check_built(config, BINARIES, origin)
    sweep_config.refuse(origin, known_refusals.missing_files(config, Path("results", config["name"])))
    return config


def refuse_prefix(prefix: str | None) -> None:
    """A module's `prefix` would move what rules name, but not what is compared with the sweep file before."""
    if prefix:
        raise InputError(
            f"module: prefix '{prefix.rstrip('/')}' is not supported; the sweep's name says where results lie"
        )


def escaped(text: str) -> str:
    """For a shell command or a path, in which Snakemake takes braces for names of its own."""
    return text.replace("{", "{{").replace("}", "}}")


def search_path(folders: Iterable[Path]) -> str:
    """The folders as a word of a shell command."""
    return escaped(shlex.quote(":".join(map(str, folders))))


def axes(wildcards: Wildcards) -> dict[str, Any]:
    """The axes of a cell that a rule knows, numbers as numbers."""
    return {name: int(value) if name in NUMBERS else value for name, value in wildcards.items()}


def old(paths: Iterable[str | Path]) -> list[str]:
    """Files among `paths` as inputs whose dates say nothing. What is missing is the program's to say.

    One with a date to come is left out: Snakemake fails where an output is older than an input; and one with
    braces in its name, which Snakemake takes for wildcards.
    """
    files = [path for path in map(Path, paths) if path.is_file() and path.stat().st_mtime <= time.time()]
    return [ancient(str(path)) for path in files if not set("{}") & set(str(path))]


class Jobs:
    """`file`: the configuration as every job of this run reads it."""

    def __init__(self, config: Config, plan: Plan, file: Path) -> None:
        self.config, self.plan, self.file = config, plan, file
        self.results = f"results/{config['name']}"

    def make_plan(self) -> Path:
        """Finds what must be made again, and puts the configuration in a file that no edit reaches."""
        self.plan.find(Path(self.results), self.config)
        self.file = freeze.sweep_file(self.config)
        return self.file

    def at(self, place: str) -> str:
        """A place of places.py in the results folder of this sweep."""
        return f"{self.results}/{place}"

    def untrained(self) -> list[str]:
        """The models whose steps are known only once they are trained."""
        return [name for name, m in self.config["models"].items() if not model_steps.has_known_steps(m)]

    def models(self, trained: bool) -> str:
        """A pattern of the models that the sweep trains, or of those that come with their weights."""
        models = self.config["models"].items()
        return (
            "|".join(re.escape(name) for name, m in models if model_steps.is_trained(m) == trained) or "(?!)"
        )

    def all_of(self, stage: str, models: list[str] | None = None) -> list[str]:
        """Every artifact that a stage makes in this sweep, or of some of its models."""
        made = [path for path, a in artifacts.of_sweep(self.config).items() if a.stage == stage]
        return [self.at(path) for path in made if models is None or path.split("/")[1] in models]

    def made_from(self, artifact: Callable[..., Any], role: str) -> Callable[..., Any]:
        """The files in a role from which an artifact (a function of artifacts.py) is made."""

        def files(wildcards: Wildcards) -> list[str]:
            made = artifact(self.config, axes(wildcards))
            paths = [self.at(path) for path in made.inputs.get(role, [])]
            return paths if self.plan.again(made.path) else [ancient(path) for path in paths]

        return files

    def again(self, artifact: Callable[..., Any]) -> Callable[..., Any]:
        """A file of this moment where the artifact must be made again."""
        return lambda wildcards: self.plan.marker(artifact(self.config, axes(wildcards)).path)

    def summary(self, kind: str, inputs: Any) -> Callable[..., Any]:
        """Inputs of tables, figures, report and provenance: files, or what a function of wildcards gives."""

        def files(wildcards: Wildcards) -> list[str]:
            found = inputs(wildcards) if callable(inputs) else inputs
            found = [found] if isinstance(found, str) else list(found)
            return found if self.plan.again(kind) else [ancient(file) for file in found]

        return files

    def data_file(self, wildcards: Wildcards) -> list[str]:
        """The user's file in `text:FILE`, `npz:FILE`, ...; data.h5 records all that was read."""
        path = self.config["models"][wildcards.model]["data"]["source"].partition(":")[2]
        return old([path] if path else [])

    def module_files(self, wildcards: Wildcards) -> list[str]:
        """The user's files that are known before a module is traced; model.h5 notes all that was read."""
        pattern = stage_flags.weights(self.config, axes(wildcards))
        found = weights_files.found(pattern).values() if weights_files.STEP in pattern else [Path(pattern)]
        return old(file for place in found for file in (place, *sorted(place.glob("*.safetensors"))))

    def flags(self, settings: Callable[..., Any]) -> Callable[..., Any]:
        """Command-line words of a function of stage_flags."""
        return lambda wildcards: stage_flags.words(settings(self.config, axes(wildcards)))

    def spec(self, wildcards: Wildcards) -> str:
        return json.dumps(stage_flags.spec(self.config, axes(wildcards)), sort_keys=True)

    def python(self, wildcards: Wildcards) -> str:
        """Hugging Face folders and tokenizers are read in an environment of their own (`make models-env`)."""
        model = self.config["models"][wildcards.model]
        special = "hf" in model["architecture"] or model["data"]["tokenizer"]
        return f"PATH={MODELS_ENV}:$PATH " if special else ""

    def gpus(self, wildcards: Wildcards) -> int:
        """GPUs that a job with products takes; products of K-FAC are the processors' work."""
        operator = self.config["operators"][wildcards.operator]
        return int(operator["device"] == "cuda" and operator["kind"] not in stage_versions.KRONECKER_KINDS)

    def gpus_of_collection(self, wildcards: Wildcards) -> int:
        return int(self.config["operators"][wildcards.operator]["device"] == "cuda")
