"""Digests of what shipped sweeps and others of more settings give, to compare before and after a change.

tests/tools/measured.py record before.json     runs the sweeps, writes the digest of each artifact and table
tests/tools/measured.py compare before.json    runs them again; exit status 1 where a digest differs
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages" / "scripts"))
from ritzflow.sweep import recorded  # noqa: E402

NET = {
    "data": {"source": "digits", "samples": 60},
    "architecture": {"kind": "mlp", "hidden": [5], "activation": "relu"},
    "training": {"steps": 20, "learning_rate": 0.1, "batch_size": 16},
    "steps": [0, "final"],
}
MODULE = {
    "data": {"source": "digits", "samples": 60},
    "architecture": {
        "kind": "module",
        "module": "tests.models.own_models:residual",
        "kwargs": {"width": 16, "depth": 3},
        "weights": str(ROOT / "tests/models/residual.safetensors"),
        "compile": "none",
    },
}
OPERATORS = {kind: {} for kind in ("hessian", "ggn", "mc_fisher", "empirical_fisher", "kfac", "ekfac")}
LANCZOS = {"k": 4, "max_iters": 30, "tol": 1e-4, "keep_basis": True}
MODES = ["full", "partial", "parlett_scott", "thick_restart", "selective", "off"]
BASE = {"models": {"net": NET}, "operators": OPERATORS, "reorth_modes": MODES, "lanczos": LANCZOS}
SWEEPS = {
    "modes": BASE,
    "disk": {
        **BASE,
        "reorth_modes": ["full"],
        "lanczos": {**LANCZOS, "basis": "disk", "dtype_basis": "float32"},
    },
    "ends": {
        **BASE,
        "reorth_modes": ["full", "off"],
        "lanczos": {**LANCZOS, "which": "both"},
        "probes": [0, 1],
    },
    "replayed": {**BASE, "reorth_modes": ["off"], "lanczos": {**LANCZOS, "keep_basis": False}},
    "blocks": {**BASE, "operators": {"ggn": {"blocks": "per_layer", "dtype_compute": "float64"}}},
    "module": {
        **BASE,
        "models": {"module": MODULE},
        "operators": {kind: {} for kind in ("hessian", "ggn", "mc_fisher", "empirical_fisher")},
        "reorth_modes": ["full"],
    },
}


def configs(folder: Path) -> list[Path]:
    """The sweep files: those shipped that need no more than the stages, and SWEEPS."""
    for name, sweep in SWEEPS.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **sweep}))
    shipped = [ROOT / "configs" / f"{name}.yaml" for name in ("tiny", "demo")]
    return shipped + [folder / f"{name}.yaml" for name in SWEEPS]


def table_digest(path: Path) -> str:
    """Of a table without what was timed and without notes."""
    frame = pd.read_csv(path, comment="#", dtype=str)
    text = frame[[name for name in frame.columns if "wall_seconds" not in name]].to_csv()
    return hashlib.sha256(text.encode()).hexdigest()


def measured() -> dict[str, str]:
    """Digests by path below the results folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tests").symlink_to(ROOT / "tests")  # whose modules are named from there
        for config in configs(folder):
            command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
            command += ["--configfile", config, "--quiet", "all", "--", "ablation_table"]
            subprocess.run(list(map(str, command)), cwd=folder, check=True)
        found = {}
        for path in sorted((folder / "results").rglob("*")):
            place = str(path.relative_to(folder / "results"))
            if path.suffix == ".h5" or path.name == "metrics.json":
                found[place] = recorded.read(path).content
            elif path.suffix == ".csv":
                found[place] = table_digest(path)
        return found


def main() -> int:
    """Exit status 1 if a digest differs from the recorded one."""
    action, file = sys.argv[1], Path(sys.argv[2])
    now = measured()
    if action == "record":
        file.write_text(json.dumps(now, indent=1) + "\n")
        return 0
    before = json.loads(file.read_text())
    changed = [place for place in sorted(before | now) if before.get(place) != now.get(place)]
    print(f"{len(before)} artifacts and tables, {len(changed)} differ", *changed, sep="\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
