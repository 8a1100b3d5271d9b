"""Layers as K-FAC sees them: what goes in and which gradient comes back, for every use of a layer."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Tap:
    """One use of a layer, y = W a + b at each of R positions (engine/model/taps.h)."""

    kind: str  # linear | convolution | embedding | norm
    weight: str
    bias: str | None
    input: torch.Tensor  # [N, R, in]: patches of a convolution, a norm's normalised input; indices [N, R]
    output: torch.Tensor
    tied: bool = False
    channels: int = -1  # the output's axis of channels

    def gradient(self, d: torch.Tensor) -> torch.Tensor:
        """The output's gradient as [N, R, out]."""
        return by_position(d, self.channels)


def by_position(x: torch.Tensor, channels: int = -1) -> torch.Tensor:
    """[N, R, C]."""
    x = x.movedim(channels, -1)
    return x.reshape(len(x), -1, x.shape[-1])


def linear(layer: nn.Linear, x):
    return "linear", by_position(x)


def convolution(layer: nn.Conv2d, x):
    if layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str) or x.dim() != 4:
        return None
    patches = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return "convolution", patches.transpose(1, 2)


def embedding(layer: nn.Embedding, x):
    plain = layer.max_norm is None and not layer.scale_grad_by_freq and layer.padding_idx is None
    return ("embedding", x) if plain and x.dim() == 2 else None


def layer_norm(layer: nn.LayerNorm, x):
    if len(layer.normalized_shape) != 1 or layer.weight is None:
        return None
    return "norm", by_position(F.layer_norm(x, layer.normalized_shape, None, None, layer.eps))


def group_norm(layer: nn.GroupNorm, x):
    if not layer.affine:
        return None
    return "norm", by_position(F.group_norm(x, layer.num_groups, None, None, layer.eps), 1)


KINDS = {
    nn.Linear: linear,
    nn.Conv2d: convolution,
    nn.Embedding: embedding,
    nn.LayerNorm: layer_norm,
    nn.GroupNorm: group_norm,
}


class TapRecorder:
    """Records every use of a layer of a known kind while it is entered.

    Downstream operations get a copy of the layer's output, so that one that works in place leaves the
    recorded output alone. `theta` holds the parameters under their names; a tied one has a single name. A use
    that is not of [samples, ...] (positions for all samples at once, rows of all samples in one dimension)
    says nothing about single samples and is passed over.
    """

    def __init__(self, module: nn.Module, theta: dict[str, torch.Tensor], samples: int):
        self.taps: list[Tap] = []
        self._samples = samples
        self._names = {id(p): name for name, p in module.named_parameters()}
        self._layers = [layer for layer in module.modules() if type(layer) in KINDS]
        self._values = {id(t): name for name, t in theta.items()}
        self._handles = []

    def __enter__(self):
        self._handles = [layer.register_forward_hook(self._record) for layer in self._layers]
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()

    def _name(self, parameter):
        """The name of a layer's parameter, which functional_call has replaced by a tensor of theta."""
        return self._values.get(id(parameter), self._names.get(id(parameter)))

    def _of_samples(self, output: torch.Tensor) -> bool:
        """Is it [samples, ...], rather than what torch.func.vmap shows of one sample?"""
        seen_by_vmap = torch._C._functorch.is_batchedtensor(output)
        return output.dim() > 1 and len(output) == self._samples and not seen_by_vmap

    def _record(self, layer, inputs, output):
        if not self._of_samples(output) or not layer.weight.numel():
            return output
        found = KINDS[type(layer)](layer, inputs[0])
        weight = self._name(layer.weight)
        if found is None or weight is None:
            return output
        bias = getattr(layer, "bias", None)
        kind, a = found
        bias = None if bias is None else self._name(bias)
        channels = 1 if isinstance(layer, nn.Conv2d | nn.GroupNorm) else -1
        self.taps.append(Tap(kind, weight, bias, a.detach(), output, channels=channels))
        return output.clone()


def distinct(taps: list[Tap], complete: list[bool]) -> tuple[dict[int, bool], list[str]]:
    """Taps that stand for all that a weight does, each with whether it is tied, and the weights without one.

    A weight used by one layer has factors if its tap is complete: nothing else uses it. A token embedding
    that is the output layer, too, is taken as the output layer, like that of the built-in networks.
    """
    kept, dropped = {}, []
    for weight in dict.fromkeys(tap.weight for tap in taps):
        uses = {tap.kind: i for i, tap in enumerate(taps) if tap.weight == weight}
        count = sum(tap.weight == weight for tap in taps)
        if count == 2 and uses.keys() == {"embedding", "linear"}:
            kept[uses["linear"]] = True
        elif count == 1 and complete[next(iter(uses.values()))]:
            kept[next(iter(uses.values()))] = False
        else:
            dropped.append(weight)
    return dict(sorted(kept.items())), dropped
