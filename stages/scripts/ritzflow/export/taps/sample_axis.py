"""Where the samples are in what a layer is given: found by calling the module with twice as many.

Sequences, nodes and channels have axes of their own, which may be just as long, and may share the axis of the
samples (windows of images, rows of a reshaped sequence).
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class SampleAxis:
    """Axis `axis` of the positions goes over the samples, with `each` entries for every one."""

    positions: tuple[int, ...]
    samples: int
    axis: int = 0
    each: int = 1
    samples_first: bool = True

    def spread(self, t: torch.Tensor) -> torch.Tensor:
        return t

    def in_front(self, t: torch.Tensor) -> torch.Tensor:
        """[*positions, size] as [samples, R, size]."""
        sizes = (self.samples, self.each) if self.samples_first else (self.each, self.samples)
        t = t.unflatten(self.axis, sizes).movedim(self.axis + (not self.samples_first), 0)
        return t.reshape(self.samples, -1, t.shape[-1])


@dataclass(frozen=True)
class Shared:
    """All samples share the positions (entries of a table of positions): repeated for each, so that each has
    a gradient of its own."""

    positions: tuple[int, ...]
    samples: int

    def spread(self, t: torch.Tensor) -> torch.Tensor:
        """[*positions, size], their first axis perhaps of length 1, as [samples, ..., size]."""
        own = t[0] if self.positions[0] == 1 else t
        return own.expand(self.samples, *own.shape)

    def in_front(self, t: torch.Tensor) -> torch.Tensor:
        return t.reshape(self.samples, -1, t.shape[-1])


def axis_of(once: torch.Tensor, twice: torch.Tensor, samples: int) -> SampleAxis | None:
    """The axis of [*positions, size] that is twice as long for the same samples twice; of a module that takes
    one number of samples alone the first."""
    positions, doubled = tuple(once.shape[:-1]), tuple(twice.shape[:-1])
    if once is twice:
        return SampleAxis(positions, samples) if positions[:1] == (samples,) else None
    longer = [axis for axis, (size, of_twice) in enumerate(zip(positions, doubled)) if of_twice != size]
    if len(longer) != 1 or len(positions) != len(doubled):
        return None
    axis, size = longer[0], positions[longer[0]]
    if doubled[axis] != 2 * size or size % samples:
        return None
    first = size == samples or torch.allclose(twice.narrow(axis, 0, size), once, rtol=1e-5, atol=1e-6)
    return SampleAxis(positions, samples, axis, size // samples, first)
