"""Convolutions as linear layers: what each position of the output is a linear map of."""

import torch
import torch.nn.functional as F


def along_axes(value, axes: int) -> list[int]:
    """A setting of a convolution for each axis."""
    values = [value] if isinstance(value, int) else list(value)
    return values * axes if len(values) == 1 else values


def padding_of(padding, kernel: list[int], dilation: list[int]) -> list[tuple[int, int]]:
    """Zeros before and after along each axis, of a number or word."""
    if padding == "same":
        totals = [step * (size - 1) for size, step in zip(kernel, dilation)]
        return [(total // 2, total - total // 2) for total in totals]
    widths = [0] * len(kernel) if padding == "valid" else along_axes(padding, len(kernel))
    return [(width, width) for width in widths]


def windows(x, kernel, stride, padding, dilation) -> torch.Tensor:
    """[B, C, *in] -> [B, *out, C, *kernel]; negative padding cuts off."""
    x = F.pad(x, [width for pair in reversed(padding) for width in pair])
    for axis, (size, step, apart) in enumerate(zip(kernel, stride, dilation), 2):
        x = x.unfold(axis, apart * (size - 1) + 1, step)[..., ::apart]
    return x.movedim(1, len(kernel) + 1)


def patches(x, kernel, stride, padding, dilation) -> torch.Tensor:
    """Of a convolution [B, *out, C prod(kernel)], elements in the weight's order."""
    axes = len(kernel)
    stride, dilation = along_axes(stride, axes), along_axes(dilation, axes)
    found = windows(x, kernel, stride, padding_of(padding, kernel, dilation), dilation)
    return found.flatten(-axes - 1)


def spread(x: torch.Tensor, stride: list[int]) -> torch.Tensor:
    """With stride - 1 zeros between neighbours along each axis of [B, C, *in]."""
    for axis, step in enumerate(stride, 2):
        x = F.pad(x.movedim(axis, -1).unsqueeze(-1), [0, step - 1]).flatten(-2)
        x = x[..., : x.shape[-1] - step + 1].movedim(-1, axis)
    return x


def transposed_patches(x, kernel, stride, padding, output_padding, groups, dilation) -> torch.Tensor:
    """Of a transposed convolution [B, *out, groups prod(kernel) C/groups]."""
    axes = len(kernel)
    stride, padding, dilation = (along_axes(value, axes) for value in (stride, padding, dilation))
    reach = [step * (size - 1) - width for size, width, step in zip(kernel, padding, dilation)]
    around = [(width, width + more) for width, more in zip(reach, along_axes(output_padding, axes))]
    found = windows(spread(x, stride), kernel, [1] * axes, around, dilation)
    found = found.flip(list(range(-axes, 0))).unflatten(-axes - 1, (groups, -1))
    return found.movedim(-axes - 1, -1).flatten(-axes - 2)
