"""Value and derivatives of a loss of the user's own as two functions of a package.

    loss            z, y    -> l, r = dl/dz          the losses of rows [rows] and their gradients [rows, C]
    loss_curvature  z, y, u -> s = (d2l/dz2) u       row by row

z are outputs in rows (losses.py), y the targets of the same samples.
"""

from types import SimpleNamespace

import torch

from ritzflow.common.script_cli import Refusal
from ritzflow.export.losses.losses import CustomLoss
from ritzflow.export.module.autograd import gradients
from ritzflow.export.module.places import Places
from ritzflow.export.module.precision import exact
from ritzflow.export.trace.functional_graph import functional
from ritzflow.export.trace.graph_cleaning import cleaned, lift_constants
from ritzflow.export.trace.refused_operations import refuse_operations
from ritzflow.export.trace.split import Function, Splitter
from ritzflow.export.trace.trace import Trace

aten = torch.ops.aten
CONSTANT = "loss."  # what its constants are called among the buffers of model.h5


def derivatives(loss: CustomLoss, z: torch.Tensor, y: torch.Tensor, u: torch.Tensor) -> list[torch.Tensor]:
    """l, r and s."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        losses = loss(z, y)
        (r,) = gradients([losses], [z], [torch.ones_like(losses)], graph=True)
        (s,) = gradients([r], [z], [u], graph=True)
        if s._is_zerotensor():  # linear, or in pieces
            s = torch.zeros_like(z)
    return [losses, r, s]


def trace_loss(loss: CustomLoss, z: torch.Tensor, y: torch.Tensor) -> Trace:
    """The derivatives as one graph. Raises Refusal where they cannot be had."""
    loss.to(z.dtype)
    values = [z, y, torch.zeros_like(z)]

    def flat(*tensors: torch.Tensor) -> list[torch.Tensor]:
        with exact(z.dtype):
            return derivatives(loss, *tensors)

    name = f"--loss: {loss.origin}"
    try:
        module = functional(flat, values, Places())
    except Refusal as refusal:
        line = str(refusal)
        raise Refusal(line if line.startswith(name) else f"{name}: {blamed(line)}") from None
    refuse_operations(module.graph, SimpleNamespace(origin=name, places=Places(), dtype=z.dtype))
    graph = cleaned(module)
    for node in graph.nodes:
        if node.target is aten._efficientzerotensor.default:  # has no storage, which most programs expect
            node.target, node.kwargs = aten.zeros.default, {**node.kwargs, "device": z.device}
    places = [node for node in graph.nodes if node.op == "placeholder"]
    inputs = dict(zip(("z", "y", "u"), places))
    lifted = lift_constants(module, graph, inputs)
    for name in lifted:
        inputs[f"buffer:{CONSTANT}{name}"] = inputs.pop(f"buffer:{name}")
    constants = {CONSTANT + name: value for name, value in lifted.items()}
    results = next(node for node in graph.nodes if node.op == "output").args[0]
    return Trace(graph, inputs, dict(zip(("l", "r", "s"), results)), constants, [])


def blamed(reason: str) -> str:
    """A reason that speaks of the loss, not of a module."""
    return reason.replace("the module cannot be traced", "it cannot be traced")


def functions_of(trace: Trace) -> dict[str, Function]:
    splitter = Splitter(trace)
    return {"loss": splitter.function(["l", "r"]), "loss_curvature": splitter.function(["s"])}
