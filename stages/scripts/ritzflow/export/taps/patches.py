"""Convolutions as linear layers: what each position of the output is a linear map of."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

Sizes = int | Sequence[int]  # of all axes, or of each
Padding = str | Sizes


def along_axes(value: Padding, axes: int) -> list[int]:
    """A setting of a convolution for each axis."""
    values = [value] if isinstance(value, int) else [int(size) for size in value]
    return values * axes if len(values) == 1 else values


def padding_of(padding: Padding, kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Zeros before and after along each axis, of a number or word."""
    if padding == "same":
        totals = [step * (size - 1) for size, step in zip(kernel, dilation)]
        return [(total // 2, total - total // 2) for total in totals]
    widths = [0] * len(kernel) if padding == "valid" else along_axes(padding, len(kernel))
    return [(width, width) for width in widths]


def windows(
    x: torch.Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> torch.Tensor:
    """[B, C, *in] -> [B, *out, C, *kernel]; negative padding cuts off."""
    x = F.pad(x, [width for pair in reversed(padding) for width in pair])
    for axis, (size, step, apart) in enumerate(zip(kernel, stride, dilation), 2):
        x = x.unfold(axis, apart * (size - 1) + 1, step)[..., ::apart]
    return x.movedim(1, len(kernel) + 1)


def patches(
    x: torch.Tensor,
    kernel: Sequence[int],
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> torch.Tensor:
    """Of a convolution [B, *out, C prod(kernel)], elements in the weight's order."""
    axes = len(kernel)
    steps, apart = along_axes(stride, axes), along_axes(dilation, axes)
    found = windows(x, kernel, steps, padding_of(padding, kernel, apart), apart)
    return found.flatten(-axes - 1)


def spread(x: torch.Tensor, stride: list[int]) -> torch.Tensor:
    """With stride - 1 zeros between neighbours along each axis of [B, C, *in]."""
    for axis, step in enumerate(stride, 2):
        x = F.pad(x.movedim(axis, -1).unsqueeze(-1), [0, step - 1]).flatten(-2)
        x = x[..., : x.shape[-1] - step + 1].movedim(-1, axis)
    return x


def transposed_patches(
    x: torch.Tensor,
    kernel: Sequence[int],
    stride: Sizes,
    padding: Padding,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> torch.Tensor:
    """Of a transposed convolution [B, *out, groups prod(kernel) C/groups]."""
    axes = len(kernel)
    steps, widths, apart = (along_axes(value, axes) for value in (stride, padding, dilation))
    reach = [step * (size - 1) - width for size, width, step in zip(kernel, widths, apart)]
    around = [(width, width + more) for width, more in zip(reach, along_axes(output_padding, axes))]
    found = windows(spread(x, steps), kernel, [1] * axes, around, apart)
    found = found.flip(list(range(-axes, 0))).unflatten(-axes - 1, (groups, -1))
    return found.movedim(-axes - 1, -1).flatten(-axes - 2)
