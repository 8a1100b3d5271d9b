"""What people's modules do beside calling layers: exported and right, or refused for its reason."""

import pytest
import torch
import torch.nn.functional as F
from small_export import errors_against_dense, exporter, samples_of
from torch import nn
from torch.nn.utils import parametrizations

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module import modules
from ritzflow.export.package.model_file import Weights


class Net(nn.Module):
    """4 -> 3 with something in front and something in between."""

    def __init__(self, between=lambda net, h: h, before=lambda x: x, width=4):
        super().__init__()
        self.first, self.last = nn.Linear(4, width), nn.Linear(width, 3)
        self.between, self.before = between, before

    def forward(self, x):
        return self.last(self.between(self, torch.tanh(self.first(self.before(x)))))


def centred(x):
    x -= 0.5
    x /= 2
    return x


class Cached(Net):
    """A mask that is made at the first call."""

    mask = None

    def forward(self, x):
        if self.mask is None or len(self.mask) != x.shape[1]:
            self.mask = torch.linspace(0, 1, x.shape[1], dtype=x.dtype)
        return super().forward(x * self.mask)


class Slopes(Net):
    """Tensors that are no buffers, as slopes of ALiBi or frequencies of positions often are."""

    def __init__(self, **options):
        super().__init__(**options)
        self.slopes = 2.0 ** -torch.arange(1, 5)

    def forward(self, x):
        return super().forward((x - MEAN[None]) * self.slopes[None, :] / 3)


MEAN = torch.tensor([0.1, 0.2, 0.3, 0.4])


def energy_curvatures(net, h):
    """The diagonal of a Hessian by features, as Lagrangian networks and residuals of equations take it."""
    return torch.func.vmap(torch.func.hessian(lambda t: net.last(t).tanh().sum()))(h).diagonal(0, 1, 2)


def solved(net, h):
    """A Gaussian process: the solve reads one triangle of its factor."""
    kernel = net.first.weight @ net.first.weight.T + torch.eye(4, dtype=h.dtype)
    return torch.cholesky_solve(h[:, :, None], torch.linalg.cholesky(kernel)).squeeze(2)


class Spectral(Net):
    """Fourier modes times weights, as neural operators have them, and a rotation by complex numbers."""

    def __init__(self):
        super().__init__()
        self.modes = nn.Parameter(torch.randn(2, 2))
        self.register_buffer("turn", torch.polar(torch.ones(3), torch.arange(3.0)), persistent=False)
        self.phases = torch.polar(torch.ones(2), torch.arange(2.0))

    def forward(self, x):
        modes = torch.fft.rfft(torch.tanh(self.first(x)))
        changed = torch.zeros_like(modes)
        changed[:, :2] = modes[:, :2] * torch.view_as_complex(self.modes)
        turned = torch.view_as_complex(x.reshape(-1, 2, 2)) * self.phases.conj()
        h = torch.fft.irfft(changed + modes * self.turn, n=4) + torch.view_as_real(turned).flatten(1)
        return self.last(h) + modes.abs().sum(1, keepdim=True)


class Density(Net):
    """torch.distributions, which look at the values of their arguments."""

    def forward(self, x):
        z = super().forward(x)
        prior = torch.distributions.MultivariateNormal(torch.zeros(3), torch.eye(3))
        return (
            z + torch.distributions.Normal(z, 1 + z.square()).log_prob(x[:, :3]) + prior.log_prob(z)[:, None]
        )


class Remembering(Net):
    """A state that a call leaves to the next one."""

    state = 0.0

    def forward(self, x):
        z = super().forward(x + self.state)
        self.state = z.detach().mean()
        return z


class Empty(nn.Module):
    """A layer without inputs."""

    def __init__(self):
        super().__init__()
        self.first, self.empty, self.last = nn.Linear(4, 3), nn.Linear(0, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)) + self.empty(x[:, :0]))


RIGHT = {
    "inputs changed in place": lambda: Net(before=centred),
    "an activation in place on the inputs": lambda: Net(before=nn.ReLU(inplace=True)),
    "a mask made at the first call": Cached,
    "tensors that are no buffers": Slopes,
    "a Hessian by torch.func": lambda: Net(energy_curvatures),
    "a solve by a Cholesky factor": lambda: Net(solved),
    "complex numbers": Spectral,
    "densities of torch.distributions": Density,
    "a matrix exponential": lambda: parametrizations.orthogonal(nn.Linear(4, 3), orthogonal_map="matrix_exp"),
    "vmap over samples": lambda: Net(lambda net, h: torch.func.vmap(net.first)(h)),
    "distances to centres": lambda: Net(lambda net, h: torch.cdist(h, net.first.weight)),
    "distances among weights": lambda: Net(lambda net, h: h * F.pdist(net.first.weight).sum()),
    "targets of ones": lambda: Net(
        lambda net, h: h * F.soft_margin_loss(h, torch.ones_like(h), reduction="none")
    ),
    "a layer without inputs": Empty,
}


@pytest.mark.parametrize("name", RIGHT)
def test_it_is_exported_and_right(name):
    torch.manual_seed(0)
    x = torch.randn(5, 4)
    samples = samples_of(x.clone())
    made = exporter(RIGHT[name](), samples, micro_batch=4, products=["ggn", "hessian", "kfac"])
    made.summary()
    made.verified()
    assert (samples.inputs == x.numpy()).all()
    assert max(errors_against_dense(made).values()) < 1e-9
    assert "w" not in made.split(torch.float64)[1]["jvp"].inputs  # has no value while J v is taken


def test_a_constant_made_in_the_forward_pass_has_the_type_of_the_products():
    torch.manual_seed(0)
    net = Net(before=lambda x: centred(x * torch.linspace(0.1, 0.9, 4)))
    exporter(net, samples_of(torch.randn(3, 4))).verified()


def test_tensors_that_are_no_buffers_have_the_type_of_the_products_and_their_own_values():
    module = Slopes(before=lambda x: x @ torch.diag(module.slopes))
    module.offset = torch.tensor(0.1, dtype=torch.float64)
    model = modules.Model(module, "mine:slopes")
    for dtype in (torch.float64, torch.float32, torch.float64):
        model.to(dtype)
        assert module(torch.ones(2, 4, dtype=dtype)).dtype == module.offset.dtype == dtype
    assert module.offset == 0.1


def test_a_complex_buffer_has_the_type_of_the_products_and_is_stored_as_pairs():
    module = Spectral()
    imaginary = module.turn.imag.clone()
    model = modules.Model(module, "mine:spectral")
    for dtype in (torch.float64, torch.float32):
        model.to(dtype)
        assert module.turn.real.dtype == module.phases.real.dtype == dtype
    assert (module.turn.imag == imaginary).all()
    assert (Weights(model).buffers["turn"][:, 1] == imaginary.numpy()).all()


def test_a_function_behind_torch_compile_is_taken_as_it_was_written():
    torch.manual_seed(0)
    made = exporter(Net(lambda net, h: torch.compile(torch.sin)(h)), samples_of(torch.randn(3, 4)))
    made.verified()


REFUSED = {
    "NaN behind torch.where": (
        lambda net, h: torch.where(h > 0, h.sqrt(), torch.zeros_like(h)),
        "the traced gradient holds NaN or infinity: so has the derivative of a square root",
    ),
    "an assertion on values": (
        lambda net, h: h if torch.isfinite(h).all() else 0 * h,
        r"an `if`, `assert`, `float\(\)` or `.item\(\)` on a tensor's value, .*\(test_own_ways.py:\d+\)",
    ),
    "numpy": (lambda net, h: h + torch.from_numpy(h.detach().numpy()), r"`.numpy\(\)` takes values out"),
    "least squares": (
        lambda net, h: torch.linalg.lstsq(h[:, :, None], h[:, :, None])[0][:, 0] + h,
        "linalg_lstsq.default gives a result whose shape depends on values",
    ),
    "a derivative that PyTorch does not have": (
        lambda net, h: h * torch.igamma(1 + h.detach().abs(), 1 + h.abs()),
        "derivative for 'igamma: input' is not implemented",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_for_its_reason(name):
    between, reason = REFUSED[name]
    torch.manual_seed(0)
    with pytest.raises(Refusal, match=reason):
        exporter(Net(between), samples_of(torch.randn(3, 4))).verified()


def test_a_state_that_is_kept_between_calls_is_refused():
    with pytest.raises(Refusal, match="gives another output when it is called again with the same inputs"):
        exporter(Remembering(), samples_of(torch.randn(3, 4))).summary()
