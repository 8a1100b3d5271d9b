"""Functions of PyTorch that are linear in a parameter, as layers that K-FAC knows.

Each takes the arguments of its function and gives a Use, or none where it is no such layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ritzflow.export.taps.patches import Padding, Sizes, patches, transposed_patches


def as_it_is(t: torch.Tensor) -> torch.Tensor:
    return t


def channels_last(t: torch.Tensor) -> torch.Tensor:
    return t.movedim(1, -1)


@dataclass
class Use:
    """One call of a function that is y = W a + b at each position; `rows` turns y into [*positions, out]."""

    kind: str  # linear | convolution | embedding | norm
    # Gives [*positions, in]; indices [*positions] where they are not below 0; of a norm [*positions, out].
    input: Callable[[], torch.Tensor]
    weight: torch.Tensor  # [out, ...] as a view of the parameter, of the first group
    bias: torch.Tensor | None = None
    rows: Callable[[torch.Tensor], torch.Tensor] = as_it_is
    groups: int = 1  # layers side by side, with their own parts of inputs and outputs


def linear(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Use | None:
    return Use("linear", lambda: input, weight, bias) if weight.dim() == 2 else None


def product(input: torch.Tensor, other: torch.Tensor) -> Use | None:
    return Use("linear", lambda: input, other.t()) if input.dim() > 1 and other.dim() == 2 else None


def matrix_product(input: torch.Tensor, mat2: torch.Tensor) -> Use | None:
    return product(input, mat2)


def sum_with_product(
    input: torch.Tensor, mat1: torch.Tensor, mat2: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> Use | None:
    if beta != 1 or alpha != 1:
        return None
    return Use("linear", lambda: mat1, mat2.t(), input if input.shape == mat2.shape[1:] else None)


def bilinear(
    input1: torch.Tensor, input2: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> Use | None:
    def pairs() -> torch.Tensor:
        return (input1.unsqueeze(-1) * input2.unsqueeze(-2)).flatten(-2)

    return Use("linear", pairs, weight, bias)


def convolution(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Use | None:
    if input.dim() != weight.dim():
        return None  # without a sample axis
    out = len(weight) // groups

    def seen() -> torch.Tensor:
        return patches(input, weight.shape[2:], stride, padding, dilation)

    return Use("convolution", seen, weight[:out], first(bias, out), channels_last, groups)


def transposed_convolution(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Sizes = 1,
    padding: Padding = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Use | None:
    if input.dim() != weight.dim():
        return None

    def seen() -> torch.Tensor:
        kernel = weight.shape[2:]
        return transposed_patches(input, kernel, stride, padding, output_padding, groups, dilation)

    matrix = weight[: len(weight) // groups].movedim(0, -1)
    return Use("convolution", seen, matrix, first(bias, weight.shape[1]), channels_last, groups)


def first(bias: torch.Tensor | None, count: int) -> torch.Tensor | None:
    return None if bias is None else bias[:count]


def embedding(
    weight: torch.Tensor,
    indices: torch.Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Use | None:
    if scale_grad_by_freq:
        return None

    def used() -> torch.Tensor:
        return indices if padding_idx < 0 else torch.where(indices == padding_idx, -1, indices)

    return Use("embedding", used, weight)


def layer_norm(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Use | None:
    if len(normalized_shape) != 1:
        return None
    return scaled(lambda: F.layer_norm(input, normalized_shape, None, None, eps), weight, bias)


def rms_norm(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    eps: float | None = None,
) -> Use | None:
    if len(normalized_shape) != 1:
        return None
    return scaled(lambda: F.rms_norm(input, normalized_shape, None, eps), weight)


def group_norm(
    input: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Use | None:
    return scaled(lambda: F.group_norm(input, num_groups, None, None, eps), weight, bias, channels_last)


def batch_norm(
    input: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Use | None:
    if training:
        return None

    def same() -> torch.Tensor:
        return F.batch_norm(input, running_mean, running_var, None, None, False, momentum, eps)

    return scaled(same, weight, bias, channels_last)


def instance_norm(
    input: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Use | None:
    if use_input_stats and running_mean is not None:
        return None

    def same() -> torch.Tensor:
        statistics = (running_mean, running_var)
        return F.instance_norm(input, *statistics, None, None, use_input_stats, momentum, eps)

    return scaled(same, weight, bias, channels_last)


def scaled(
    input: Callable[[], torch.Tensor],
    weight: torch.Tensor | None,
    bias: torch.Tensor | None = None,
    rows: Callable[[torch.Tensor], torch.Tensor] = as_it_is,
) -> Use | None:
    """y = weight o input + bias; of a norm without a weight there is nothing to know."""
    return None if weight is None else Use("norm", lambda: rows(input()), weight, bias, rows)


def scale(input: torch.Tensor, other: torch.Tensor) -> Use | None:
    """A vector times what it is broadcast over, whichever comes first."""
    pair = vector_and_rest(input, other)
    return scaled(lambda: pair[1], pair[0]) if pair else None


def shift(input: torch.Tensor, other: torch.Tensor, *, alpha: float = 1) -> Use | None:
    """A vector added to what it is broadcast over: a scale of ones."""
    pair = vector_and_rest(input, other) if alpha == 1 else None
    return scaled(lambda: torch.ones_like(pair[1]), pair[0]) if pair else None


def vector_and_rest(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    for vector, rest in ((a, b), (b, a)):
        both = isinstance(vector, torch.Tensor) and isinstance(rest, torch.Tensor)
        if both and vector.dim() == 1 < rest.dim() and rest.shape[-1] == len(vector):
            return vector, rest
    return None


def prelu(input: torch.Tensor, weight: torch.Tensor) -> Use | None:
    rows = channels_last if len(weight) > 1 else lambda t: t.unsqueeze(-1)
    return scaled(lambda: input.clamp(max=0), weight, None, rows)


KINDS: dict[Any, Callable[..., Use | None]] = {
    F.linear: linear,
    torch.matmul: product,
    torch.mm: matrix_product,
    torch.Tensor.matmul: product,
    torch.Tensor.mm: matrix_product,
    torch.addmm: sum_with_product,
    torch.Tensor.addmm: sum_with_product,
    torch.bilinear: bilinear,
    torch.conv1d: convolution,
    torch.conv2d: convolution,
    torch.conv3d: convolution,
    torch.conv_transpose1d: transposed_convolution,
    torch.conv_transpose2d: transposed_convolution,
    torch.conv_transpose3d: transposed_convolution,
    torch.embedding: embedding,
    torch.layer_norm: layer_norm,
    torch.rms_norm: rms_norm,
    torch.group_norm: group_norm,
    torch.batch_norm: batch_norm,
    torch.instance_norm: instance_norm,
    torch.mul: scale,
    torch.Tensor.mul: scale,
    torch.add: shift,
    torch.Tensor.add: shift,
    torch.prelu: prelu,
}
