"""The user's module out of what training wrapped around it, and modules that cannot be exported, by name."""

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.optim.swa_utils import AveragedModel

from ritzflow.common.script_cli import Refusal

PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module without what torch.compile, DataParallel and AveragedModel put around it and its parts."""
    while (inner := wrapped(module)) is not None:
        module = inner
    if getattr(module, "_compiled_call_impl", None) is not None:  # of module.compile()
        module._compiled_call_impl = None
    for name, child in list(module.named_children()):
        if (plain := unwrapped(child)) is not child:
            setattr(module, name, plain)
    return module


def wrapped(module: nn.Module) -> nn.Module | None:
    if isinstance(module, torch._dynamo.OptimizedModule):
        return module._orig_mod
    return module.module if isinstance(module, PARALLEL) else None


def refuse_unsupported(module: nn.Module, origin: str) -> None:
    """Raises Refusal for layers and parameters that have no plain values, by their names."""
    for name, layer in module.named_modules():
        place = f"{origin}: layer '{name}' ({type(layer).__name__})" if name else f"{origin}: the module"
        if isinstance(layer, torch.jit.ScriptModule):
            raise Refusal(f"{place} is TorchScript, which is not traced again; hand out the Python module")
        kind = f"{type(layer).__module__}."
        if "quantized." in kind or kind.startswith("bitsandbytes."):
            raise Refusal(f"{place} is quantised: its weights have no curvature; hand out the full model")
        if kind.startswith("torch.distributed.fsdp."):
            raise Refusal(f"{place} is sharded by FSDP; hand out the module without it")
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        refuse_tensor(f"{origin}: '{name}'", tensor)


def refuse_tensor(place: str, tensor: torch.Tensor) -> None:
    if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
        raise Refusal(f"{place} is of a lazy layer, without a shape: call the module once where it is made")
    if tensor.layout != torch.strided:
        raise Refusal(
            f"{place} is sparse, which a package cannot hold: keep its indices and values as plain buffers "
            "(index_add, scatter_add), or the dense matrix"
        )
    if tensor.is_meta:
        raise Refusal(f"{place} is on the meta device, without values: make the module on the CPU")
    if type(tensor) not in (torch.Tensor, nn.Parameter, nn.Buffer):
        raise Refusal(f"{place} is a {type(tensor).__name__}, no plain tensor: hand out plain parameters")
    if tensor.is_complex() and isinstance(tensor, nn.Parameter):
        raise Refusal(
            f"{place} is complex; curvature is taken over real parameters: hold pairs [..., 2] and take "
            "torch.view_as_complex of them in forward"
        )
