"""Is the first axis of what a layer gives that of the samples? Sequences, nodes and channels have one, too,
and it may be as long."""

import torch

from products.tensors import like
from products.verify import Runner


def keeps_samples_apart(runner: Runner, samples: int) -> list[bool]:
    """For each tap: what comes back from the logits of one sample is about that sample's part of it alone."""
    r = runner.slots["r"]
    rows, apart = len(r) // samples, []
    runner.run("primal")
    runner.run("taps")
    for sample in sorted({0, samples - 1}):
        w = torch.zeros_like(r)
        w[sample * rows : (sample + 1) * rows] = like([r[:rows]], 2)[0]
        others = [i for i in range(samples) if i != sample]
        apart.append([not d[others].any() for d in runner.run("taps_vjp", w=w)])
    return [all(tap) for tap in zip(*apart)]
