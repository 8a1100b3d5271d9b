"""Small inputs of the stages, written with plain h5py."""

import itertools
import json

import h5py
import numpy as np


def write_data(path, samples=64, features=16, classes=10):
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": "classification"})
        f.attrs["num_classes"] = classes
        f["inputs"] = random.standard_normal((samples, features)).astype("f4")
        f["targets"] = random.integers(0, classes, samples)


def write_model(path, features=16, hidden=(), classes=10):
    """An MLP with random weights of scale 1/sqrt(inputs)."""
    random = np.random.default_rng(0)
    sizes = [features, *hidden, classes]
    spec = {
        "architecture": {"kind": "mlp", "hidden": list(hidden), "activation": "tanh"},
        "training": {"steps": 1},
    }
    spec["training"] |= {"learning_rate": 0.1, "batch_size": 32}
    parameters = {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        parameters[f"layers.{i}.weight"] = random.standard_normal((outputs, inputs)) / np.sqrt(inputs)
        parameters[f"layers.{i}.bias"] = np.zeros(outputs)
    with h5py.File(path, "w") as f:
        f.attrs.update(
            {"format": "ritzflow-model", "format_version": "1.0", "spec": json.dumps(spec), "seed": 0}
        )
        f.attrs["parameter_order"] = list(parameters)
        for name, values in parameters.items():
            f[f"steps/00000000/{name}"] = values.astype("f4")
    return spec
