"""Evaluation mode: a sample's loss depends neither on chance nor on the rest of its batch."""

import inspect
from collections import Counter

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ritzflow.common.script_cli import Refusal

RATES = ("p", "dropout")  # attributes of layers that do nothing in training where these are 0


def evaluation_mode(module: nn.Module) -> str:
    """Puts the module into evaluation mode; says which layers that changed, if any."""
    changed = Counter(type(layer).__name__ for layer in module.modules() if layer.training and differs(layer))
    module.eval()
    for layer in module.modules():
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
            layer.sparse = False  # the same gradient as a plain tensor
    if not changed:
        return ""
    names = ", ".join(f"{count} {name}" for name, count in changed.items())
    return f"taken in evaluation mode, where these differ from training: {names}"


def differs(layer: nn.Module) -> bool:
    """Does the layer's own code ask whether it is in training, and would it do anything else then?"""
    rates = [getattr(layer, rate) for rate in RATES if isinstance(getattr(layer, rate, None), int | float)]
    if rates and not any(rates):
        return False
    classes = [kind for kind in type(layer).__mro__ if issubclass(kind, nn.Module) and kind is not nn.Module]
    functions = (inspect.unwrap(f) for kind in classes for f in vars(kind).values() if inspect.isfunction(f))
    return any("training" in f.__code__.co_names for f in functions)


def refuse_batch_statistics(module: nn.Module, origin: str) -> None:
    """Raises Refusal for batch normalisation that has no running statistics to go by."""
    for name, layer in module.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is None:
            raise Refusal(
                f"{origin}: layer '{name}' ({type(layer).__name__}, track_running_stats=False) normalises by "
                "the batch: a sample's loss depends on the others; --whole-batch takes all samples as one"
            )
