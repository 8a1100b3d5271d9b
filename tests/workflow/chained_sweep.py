"""A sweep whose results are a chain of small files, and what of it must be made again."""

import copy

import chain

from ritzflow.sweep import artifacts, recorded, stale, sweep_config

RAW = {
    "name": "s",
    "models": {
        name: {
            "data": {"source": "digits"},
            "architecture": {"kind": "mlp"},
            "training": {"steps": 10, "learning_rate": 0.1},
            "steps": [5, "final"],
        }
        for name in ("a", "b")
    },
    "seeds": [0, 1],
    "probes": [0, 1],
    "operators": {"hessian": {}, "kfac": {}},
    "reorth_modes": ["full", "auto"],
    "lanczos": {"k": 4},
}


def resolved(change=lambda raw: None):
    raw = copy.deepcopy(RAW)
    change(raw)
    return sweep_config.resolve(raw, "s.yaml")


MEMORY = recorded.Memory({})


def compare(results, config=None, **how):
    return stale.compare(
        results, config or resolved(), chain.ALGORITHMS, stale.UserFiles({}), **{"read": MEMORY.read, **how}
    )


def own_reasons(found):
    """Reasons of the artifacts that do not stand by themselves."""
    return {path: reason for path, reason in found.reasons.items() if path not in found.consequences}


def downstream(path, config=None):
    """Every artifact that is made from this one, itself included."""
    behind = {path}
    for other, artifact in artifacts.of_sweep(config or resolved()).items():
        if behind & {p for paths in artifact.inputs.values() for p in paths}:
            behind.add(other)
    return behind
