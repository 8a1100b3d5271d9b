"""model.h5 of an exported module: weights, buffers, check values, and the packages' digests in `spec`."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ritzflow.common.artifact_digest import write
from ritzflow.export.module.inputs import Slots
from ritzflow.export.module.modules import Model
from ritzflow.export.module.tensors import as_real


class Weights:
    """The values that the user gave, float32 or float64, before the module is moved between types."""

    def __init__(self, model: Model) -> None:
        self.parameters = {name: stored(p) for name, p in model.parameters.items()}
        self.buffers = {name: stored(b) for name, b in model.buffers.items()}


def stored(tensor: torch.Tensor) -> np.ndarray:
    """The tensor in a type that model.h5 may hold: float32, float64, int64 or, for truth values, uint8."""
    tensor = as_real(tensor.detach().clone())
    tensor = tensor.reshape(tensor.shape or (1,))  # model.h5 has no scalars
    if tensor.is_floating_point():
        return (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy()
    return (tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor.long()).numpy()


@dataclass
class Point:
    """What model.h5 holds of one step; `more` are further datasets by path."""

    weights: Weights
    constants: dict[str, torch.Tensor]
    check: dict[str, list[float]]
    check_inputs: Slots
    more: dict[str, np.ndarray]

    def digest(self, spec: dict[str, Any]) -> str:
        """What curvature depends on: packages and loss, and name, shape and bytes of all that they take."""
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode())
        held = {name: stored(value) for name, value in self.constants.items()}
        values = self.weights.parameters | self.weights.buffers | held | self.more
        for name, array in values.items():
            digest.update(f"{name}\n{array.dtype}\n{array.shape}\n".encode() + array.tobytes())
        return digest.hexdigest()

    def datasets(self) -> dict[str, np.ndarray]:
        """All but the parameters."""
        data = {f"buffers/{name}": values for name, values in self.weights.buffers.items()}
        data |= {f"buffers/{name}": stored(value) for name, value in self.constants.items()}
        data |= {f"check/{name}": np.array(values) for name, values in self.check.items()}
        data |= {f"check_inputs/{slot}": stored(value) for slot, value in self.check_inputs.items()}
        return data | self.more


def write_model(
    out: Path, points: dict[int, Point], spec: dict[str, Any], data_sha256: str, provenance: dict[str, Any]
) -> None:
    """`points` by step; `provenance` names the packages' folder seen from model.h5's as packages_path."""
    data: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for step, point in points.items():
        data |= {f"steps/{step:08d}/{name}": values for name, values in point.weights.parameters.items()}
        place = f"points/{step:08d}/" if len(points) > 1 else ""
        data |= {place + name: values for name, values in point.datasets().items()}
        attributes[f"steps/{step:08d}@sha256"] = point.digest(spec)
    parameters = next(iter(points.values())).weights.parameters
    attributes |= {
        "format": "ritzflow-model",
        "format_version": "1.0",
        "spec": json.dumps(spec, sort_keys=True),
        "data_sha256": data_sha256,
        "parameter_order": list(parameters),
        "n_params": np.int64(sum(values.size for values in parameters.values())),
    }
    write(out, data, attributes, provenance)
