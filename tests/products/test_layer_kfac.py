"""Kronecker factors of every kind of layer, as the dense matrices that the operator applies.

With one sample and one position of a layer, and for a norm always, A (x) G is the layer's block of the
Gauss-Newton matrix itself, element by element. With several positions it is compared with its definition,
from derivatives of each layer's output by its parameters, which know nothing of patches and layouts.
"""

import json
import re
import sys

import export_products
import h5py
import numpy as np
import pytest
import torch
from exports import run
from small_export import exporter, samples_of
from torch import nn
from uses_of_layers import require_eigenvalues

from tests.models import layer_zoo

N = 3


def write_data(path, samples: int):
    torch.manual_seed(2)
    with h5py.File(path, "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": "classification"})
        f.attrs["num_classes"] = 3
        f["inputs"], f["targets"] = torch.randn(samples, 4).numpy(), np.arange(samples) % 3


def exported(folder, name: str, samples: int, **arguments) -> nn.Module:
    """The files of a module, with random parameters; gives it in float64."""
    torch.manual_seed(1)
    module = getattr(layer_zoo, name)(**arguments)
    with torch.no_grad():
        for p in module.parameters():
            p += 0.3 * torch.randn_like(p)
    torch.save(module.state_dict(), folder / "weights.pt")
    write_data(folder / "data.h5", samples)
    flags = ("--module", f"tests.models.layer_zoo:{name}", "--kwargs", json.dumps(arguments))
    flags += ("--weights", folder / "weights.pt", "--data", folder / "data.h5", "--out", folder / "model.h5")
    flags += ("--packages", folder / "packages", "--compile", "none", "--dtype-compute", "float64")
    flags += ("--products", "kfac", "--micro-batch", min(samples, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export_products", *map(str, flags)])
        export_products.main()
    return module.double()


def require_done(done):
    assert done.returncode == 0, done.stderr


def collect(folder, *flags):
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--dtype-compute", "float64")
    require_done(run("collect-kfac", *files, "--out", folder / "kfac.h5", *flags))
    with h5py.File(folder / "kfac.h5") as f:
        return list(f.attrs["missing"])


def dense(folder, operator: str) -> np.ndarray:
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--dtype-compute", "float64")
    more = ("--kfac", folder / "kfac.h5") if operator in ("kfac", "ekfac") else ()
    out = folder / f"operator_{operator}.h5"
    require_done(run("build-operator", *files, "--operator", operator, *more, "--out", out))
    require_done(run("dense-operator", out, folder / "dense.h5"))
    with h5py.File(folder / "dense.h5") as f:
        return f["matrix"][...]


def inputs_of(folder):
    with h5py.File(folder / "data.h5") as f:
        return torch.from_numpy(f["inputs"][...]).double(), torch.from_numpy(f["targets"][...])


def gauss_newton(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    z = module(x)[0]
    p = z.detach().softmax(0)
    rows = [torch.autograd.grad(value, list(module.parameters()), retain_graph=True) for value in z]
    jacobian = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows])
    return (jacobian.T @ (torch.diag(p) - torch.outer(p, p)) @ jacobian).numpy()


# Parameters of which equal parts along the first axis belong to layers of their own.
PARTS = {
    "layers.grouped.": 2,
    "layers.depthwise.": 2,
    "layers.transposed_groups.": 2,
    "layers.transposed_dilated.": 2,
    "layers.attention_to_others.in_proj_": 3,
    "layers.attention_of_widths.in_proj_": 3,
}


def blocks_of(name: str, count: int) -> list[str]:
    """The layers that parts of a parameter belong to, weight and bias of a layer to the same."""
    layer = re.sub(r"[._](weight|bias)", "", name)
    if count == 3:
        return [layer.replace("in_proj", f"{word}_proj") for word in "qkv"]
    return [f"{layer}[{i}]" for i in range(count)] if count > 1 else [layer]


def blocks(module: nn.Module) -> np.ndarray:
    """The layer that each element of the flat vector belongs to."""
    found = []
    for name, p in module.named_parameters():
        count = next((count for prefix, count in PARTS.items() if name.startswith(prefix)), 1)
        for block in blocks_of(name, count):
            found += [block] * (p.numel() // count)
    return np.array(found)


def block_diagonal(matrix: np.ndarray, module: nn.Module) -> np.ndarray:
    of = blocks(module)
    return np.where(of[:, None] == of[None, :], matrix, 0)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def require_blocks(found: np.ndarray, expected: np.ndarray, module: nn.Module):
    of = blocks(module)
    wrong = {name: error(found[of == name], expected[of == name]) for name in dict.fromkeys(of)}
    assert max(wrong.values()) < 1e-10, {name: e for name, e in wrong.items() if not e < 1e-10}


def test_factors_of_one_sample_and_position_are_blocks_of_the_gauss_newton_matrix(tmp_path):
    module = exported(tmp_path, "one_position", 1)
    assert collect(tmp_path) == []
    expected = block_diagonal(gauss_newton(module, inputs_of(tmp_path)[0]), module)
    for operator in ("kfac", "ekfac"):
        require_blocks(dense(tmp_path, operator), expected, module)


CHANNELS_FIRST = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.BatchNorm1d
POSITIONS_FIRST = ("sequence", "columns")


def by_sample(y: torch.Tensor, name: str, layer: nn.Module) -> torch.Tensor:
    """A layer's output as [N, R, out]."""
    y = y.movedim(1, -1) if isinstance(layer, CHANNELS_FIRST) else y
    if name in POSITIONS_FIRST:
        return y.reshape(-1, N, y.shape[-1]).transpose(0, 1)
    return y.reshape(N, -1, y.shape[-1])


def residuals(z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradients of the samples' losses, each times the root of its share."""
    return (z.detach().softmax(1) - nn.functional.one_hot(targets, 3)) / len(z) ** 0.5


def jacobians(layer: nn.Module, inputs, name: str) -> torch.Tensor:
    """d y[n, r, o] / d its parameters, [N, R, out, P]."""
    y, parameters = by_sample(layer(*(t.detach() for t in inputs)), name, layer), list(layer.parameters())
    rows = [torch.autograd.grad(value, parameters, retain_graph=True) for value in y.reshape(-1)]
    return torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows]).reshape(*y.shape, -1)


def definition(layer: nn.Module, j: torch.Tensor, g: torch.Tensor, approximation: str) -> torch.Tensor:
    """K-FAC's block on a layer's parameters: sum over positions of J' G J / (N R), J = e_o (x) a."""
    if isinstance(layer, nn.BatchNorm1d):  # scale and shift: the block itself
        own = torch.einsum("nrop,nro->np", j, g)
        return own.T @ own
    g = g * j.ne(0).any(-1)  # the entry of an embedding for padding has no gradient
    if approximation == "reduce" and not isinstance(layer, nn.Embedding):
        j, g = j.mean(1, keepdim=True), g.sum(1, keepdim=True)
    moment = torch.einsum("nro,nrq->oq", g, g)
    return torch.einsum("nrop,oq,nrqs->ps", j, moment, j) / (len(j) * j.shape[1])


@pytest.mark.parametrize("approximation", ["expand", "reduce"])
def test_factors_of_several_positions_equal_their_definition(several, approximation):
    folder, module = several
    assert collect(folder, "--fisher-type", "empirical", "--kfac-approx", approximation) == []
    layers = {"first": module.first, **module.layers}
    uses = {name: [] for name in layers}
    hooks = [
        layer.register_forward_hook(lambda _, inputs, y, name=name: uses[name].append((inputs, y)))
        for name, layer in layers.items()
    ]
    x, targets = inputs_of(folder)
    z = module(x)
    for hook in hooks:
        hook.remove()
    matrices = []
    for name, layer in layers.items():
        outputs = [y for _, y in uses[name]]
        found = torch.autograd.grad(z, outputs, residuals(z, targets), retain_graph=True)
        g = torch.cat([by_sample(d, name, layer) for d in found], 1)
        j = torch.cat([jacobians(layer, inputs, name) for inputs, _ in uses[name]], 1)
        matrices.append(definition(layer, j, g, approximation))
    expected = torch.block_diag(*matrices).detach().numpy()
    require_blocks(dense(folder, "kfac"), block_diagonal(expected, module), module)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    return folder, exported(folder, "several_positions", N)


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


class Table(nn.Module):
    """Features times entries of a table that all samples share, or that each looks up."""

    def __init__(self, lead: tuple[int, ...] | None, form=lambda entries: entries):
        super().__init__()
        self.lead, self.form = lead, form
        self.table, self.last = nn.Embedding(2, 2), nn.Linear(4, 3)

    def forward(self, x):
        lead = (len(x),) if self.lead is None else self.lead
        entries = self.form(self.table(torch.arange(2).expand(*lead, 2)))
        return self.last(torch.tanh(x.reshape(-1, 2, 2) * entries).flatten(1))


def seen_by_taps(module: nn.Module, capsys) -> tuple[dict, str]:
    """Inputs and output gradients of the layers that are tapped, by name, and what was said."""
    torch.manual_seed(0)
    for p in module.parameters():
        nn.init.normal_(p)
    made = exporter(module, samples_of(torch.randn(3, 4)), products=["ggn", "kfac"])
    made.verified()
    found, _, runner = made.split(torch.float64)
    runner.slots |= {"x": made.x["x"].double()}
    w = torch.randn(3, 3, dtype=torch.float64)
    runner.run("primal")
    a = runner.run("taps")[: len(found.taps)] if found.taps else []
    d = runner.run("taps_vjp", w=w) if found.taps else []
    return {tap.name: pair for tap, *pair in zip(found.taps, a, d)}, capsys.readouterr().err


@pytest.mark.parametrize("lead", [(), (1,)])
def test_entries_that_all_samples_share_count_for_each(capsys, lead):
    shared, _ = seen_by_taps(Table(lead), capsys)
    own, _ = seen_by_taps(Table(None), capsys)
    assert set(shared) == set(own) == {"table", "last"}
    for name in own:
        for found, expected in zip(shared[name], own[name]):
            assert torch.allclose(found, expected, rtol=1e-12, atol=1e-14)


class Ways(nn.Module):
    """Parameters that are not, or not only, weights of layers that K-FAC knows."""

    def __init__(self):
        super().__init__()
        self.known, self.penalised, self.normalised = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.normalised = nn.utils.parametrizations.weight_norm(self.normalised)
        self.table, self.overlapping = nn.Parameter(torch.randn(2, 2)), nn.Linear(4, 4)

    def forward(self, x):
        h = torch.tanh(self.penalised(self.known(x))) @ self.penalised.weight.square()
        h = torch.tanh(self.normalised(h)).reshape(-1, 2, 2) + self.table
        h = torch.tanh(self.overlapping(h.flatten(1)))
        return nn.functional.linear(h, self.overlapping.weight[:3])


def test_parameters_that_are_no_weights_of_layers_alone_are_named(capsys):
    tapped, said = seen_by_taps(Ways(), capsys)
    assert set(tapped) == {"known"}
    assert (
        "no Kronecker factors for table, penalised.weight, penalised.bias, normalised.bias, "
        "normalised.parametrizations.weight.original0, normalised.parametrizations.weight.original1, "
        "overlapping.weight, overlapping.bias: not all" in said
    )


def test_a_table_whose_shape_is_needed_as_it_is_is_named(capsys):
    tapped, said = seen_by_taps(Table((), lambda entries: entries.t().t()), capsys)
    assert set(tapped) == {"last"}
    assert "no Kronecker factors for table.weight" in said
