"""What a module is called with, as slots of a trace.

x              its only positional argument, a sample a row
x:<name>       an argument by name, a sample a row
shared:<name>  an argument by name that all samples share, the same in every call
"""

from typing import Any

import torch

Slots = dict[str, torch.Tensor]


def is_input(slot: str) -> bool:
    return slot == "x" or slot.startswith(("x:", "shared:"))


def is_shared(slot: str) -> bool:
    return slot.startswith("shared:")


def inputs_of(slots: Slots) -> Slots:
    """The slots that a module is called with."""
    return {name: value for name, value in slots.items() if is_input(name)}


def arguments(slots: Slots) -> tuple[tuple[Any, ...], Slots]:
    """The same as positional and keyword arguments: copies, which a module may change."""
    given = {name: value.clone() for name, value in inputs_of(slots).items()}
    named = {name.split(":", 1)[1]: value for name, value in given.items() if ":" in name}
    return ((given["x"],) if "x" in given else ()), named


def samples_in(slots: Slots) -> int:
    """Samples of the micro-batch in `slots`."""
    return next(len(value) for name, value in slots.items() if name == "x" or name.startswith("x:"))


def first(slots: Slots, count: int) -> Slots:
    """The same for the first samples alone."""
    return {name: value if is_shared(name) else value[:count] for name, value in slots.items()}


def typed(slots: Slots, dtype: torch.dtype) -> Slots:
    """The same with real tensors in another type."""
    return {name: t.to(dtype) if t.is_floating_point() else t for name, t in slots.items()}


def described(slots: Slots) -> str:
    """Names and shapes, for messages: "inputs [4, 7]", "input_ids [4, 16], mask [4, 16]"."""
    names = {name: "inputs" if name == "x" else name.split(":", 1)[1] for name in slots}
    return ", ".join(f"{names[name]} {list(value.shape)}" for name, value in slots.items())
