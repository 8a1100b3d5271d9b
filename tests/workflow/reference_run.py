"""The artifacts of a sweep made by calling the stages one by one: what a fresh run gives, without Snakemake.

Each distinct artifact is made once: the store has a place for each stage, settings and digests of inputs.
"""

import hashlib
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ritzflow.sweep import artifacts, cells, places, recorded, stage_flags, stage_versions

FOLDERS = (stage_versions.BINARIES, stage_versions.SCRIPTS, Path(sys.executable).parent, os.environ["PATH"])
PATH = ":".join(map(str, FOLDERS))
PLACES = ("DATA", "MODEL", "KFAC", "OPERATOR", "COMPARISON", "DENSITY", "LANCZOS", "RITZ", "METRICS")
SETTINGS = {
    "prepare_data": stage_flags.data,
    "train-model": stage_flags.training,
    "collect-kfac": stage_flags.collection,
    "build-operator": stage_flags.operator,
    "compare-kfac": stage_flags.comparison,
    "lanczos": stage_flags.lanczos,
    "metrics": stage_flags.metrics,
}


class Reference:
    """`work`: the folder that the user's files lie in, as a sweep's relative paths mean them."""

    def __init__(self, store: Path, work: Path):
        self.store, self.work = store, work
        self.calls = 0

    def tree(self, config: dict, user_files: str) -> dict[str, Path]:
        """Where each artifact of the sweep lies in the store; `user_files` stands for their contents."""
        found: dict[str, Path] = {}
        cell_of = {}
        for cell, name in itertools.product(cells.expected(config), PLACES):
            cell_of.setdefault(getattr(places, name).format(**cell), cell)
        for path, artifact in artifacts.of_sweep(config).items():
            found[path] = self.made(config, cell_of[path], artifact, found, user_files)
        return found

    def made(self, config, cell, artifact, found, user_files) -> Path:
        inputs = {role: [found[p] for p in paths] for role, paths in artifact.inputs.items()}
        digests = {role: [recorded.read(p).content for p in paths] for role, paths in inputs.items()}
        first = user_files if artifact.stage == "prepare_data" else ""
        key = repr((artifact.stage, sorted(artifact.settings.items()), digests, artifact.step, first))
        out = self.store / hashlib.sha256(key.encode()).hexdigest()[:24] / Path(artifact.path).name
        if not out.is_file():
            out.parent.mkdir(parents=True, exist_ok=True)
            self.run(config, cell, artifact, inputs, out)
        return out

    def run(self, config, cell, artifact, inputs, out) -> None:
        program = artifact.stage + (".py" if artifact.stage == "prepare_data" else "")
        words = [
            program,
            *shlex.split(stage_flags.words(SETTINGS.get(artifact.stage, stage_flags.none)(config, cell))),
        ]
        files = {role: paths for role, paths in inputs.items() if paths}
        if artifact.stage == "train-model":
            spec = out.with_name("model.json")
            spec.write_text(json.dumps(stage_flags.spec(config, cell)))
            files["spec"] = [spec]
        positional = files.pop("lanczos", []) if artifact.stage == "density" else []
        for role, paths in files.items():
            words += [f"--{role}", *paths]
        words += ["--out", out, *positional]
        done = subprocess.run(
            list(map(str, words)),
            cwd=self.work,
            env={**os.environ, "PATH": PATH},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (words, done.stderr)
        self.calls += 1


def as_results(tree: dict[str, Path], config: dict, results: Path) -> None:
    """A results folder of these artifacts, for the tables."""
    for path, made in tree.items():
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, results / path)
    (results / "sweep.json").write_text(json.dumps(config))
