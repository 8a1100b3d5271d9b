"""Kronecker factors of recurrent layers are those of their linear maps, written out step by step."""

import h5py
import pytest
import torch
from kfac_of_layers import N, collect, exported, inputs_of, residuals
from torch import nn
from uses_of_layers import require_eigenvalues


def lstm(x, h, c):
    i, f, g, o = (x + h).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru(x, h, state):
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), h.chunk(3, -1)
    z, n = torch.sigmoid(xz + hz), torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return (1 - z) * n + z * state, state


def rnn(x, h, c):
    return torch.tanh(x + h), c


class ByHand:
    """One direction of a recurrent layer; keeps inputs and outputs of its two linear maps."""

    def __init__(self, step, layer: nn.Module, suffix: str):
        self.step, self.p, self.suffix = step, dict(layer.named_parameters()), suffix
        self.seen = {"ih": [], "hh": []}

    def map(self, kind: str, a: torch.Tensor) -> torch.Tensor:
        y = a @ self.p[f"weight_{kind}_{self.suffix}"].T + self.p[f"bias_{kind}_{self.suffix}"]
        self.seen[kind].append((a, y))
        return y

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        h = state = torch.zeros(len(x), 3, dtype=x.dtype)
        outputs = []
        for x_t in x.unbind(1):
            new, state = self.step(self.map("ih", x_t), self.map("hh", h), h if self.step is gru else state)
            h = new
            outputs.append(h)
        return torch.stack(outputs, 1)

    def factors(self, kind: str, z: torch.Tensor, r: torch.Tensor):
        """A, with a 1 for the bias, and G over samples and steps."""
        a = torch.stack([a for a, _ in self.seen[kind]], 1)
        a = torch.cat([a, torch.ones_like(a[..., :1])], 2).flatten(0, 1)
        g = torch.cat(torch.autograd.grad(z, [y for _, y in self.seen[kind]], r, retain_graph=True))
        return a.T @ a / len(a), g.T @ g


@pytest.mark.parametrize(
    ("kind", "step", "directions"), [("LSTM", lstm, 2), ("GRU", gru, 1), ("RNN", rnn, 1)]
)
def test_factors_of_recurrent_layers_are_those_of_their_linear_maps(tmp_path, kind, step, directions):
    arguments = {"kind": kind} | ({"bidirectional": True} if directions == 2 else {})
    module = exported(tmp_path, "steps", N, **arguments)
    assert collect(tmp_path, "--fisher-type", "empirical") == []
    x, targets = inputs_of(tmp_path)
    h = torch.tanh(module.first(x)).reshape(N, 4, 2)
    runs = [ByHand(step, module.layer, suffix) for suffix in ("l0", "l0_reverse")[:directions]]
    outputs = [runs[0](h)] + [run(h.flip(1)).flip(1) for run in runs[1:]]
    z = module.last(torch.cat(outputs, -1).reshape(N, -1))
    assert torch.allclose(z, module(x), rtol=1e-12)
    with h5py.File(tmp_path / "kfac.h5") as f:
        for run_ in runs:
            for side in ("ih", "hh"):
                expected = {
                    f"layer.weight_{side}_{run_.suffix}": run_.factors(side, z, residuals(z, targets))
                }
                require_eigenvalues(f, expected)
