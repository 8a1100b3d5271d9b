"""Wrong derivatives are refused with their place, also inside networks with kinks; kinks are not."""

import pytest
import torch
import torch.nn.functional as F
from small_export import Calls, verified
from torch import nn

from ritzflow.common.script_cli import Refusal
from ritzflow.export.losses.objectives import fresh
from ritzflow.export.module.places import Detaches


class Sine(torch.autograd.Function):
    """sin(x); its derivatives are the subclasses' concern."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()


class Right(Sine):
    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class WrongFirst(Sine):
    @staticmethod
    def backward(ctx, g):
        return 1.01 * g * ctx.saved_tensors[0].cos()


class WrongSecond(Sine):
    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].detach().cos()


class MissingSecond(Sine):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


def operation(name, second):
    """sin(x) as an operation of its own; `second`: is its first derivative known to depend on x?"""
    made = torch.library.custom_op(
        f"soundness::{name}", lambda x: x.sin(), mutates_args=(), schema="(Tensor x) -> Tensor"
    )
    made.register_fake(torch.empty_like)

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x if second else x.detach()).cos()

    made.register_autograd(backward, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs))
    return made


single = torch.library.custom_op(
    "soundness::single", lambda x: x.float().double(), mutates_args=(), schema="(Tensor x) -> Tensor"
)
single.register_fake(torch.empty_like)
single.register_autograd(lambda ctx, g: g.clone(), setup_context=lambda *_, **__: None)


def scaled_gradient(x):
    if x.requires_grad:
        x.register_hook(lambda g: 2 * g)
    return x


def without_gradient(x):
    with torch.no_grad():
        factor = x.sigmoid()
    return x * factor


FAULTS = {
    "a wrong first derivative": (WrongFirst.apply, r"autograd.Function WrongFirst"),
    "a wrong second derivative": (WrongSecond.apply, r"Hessian product .* see autograd.Function WrongSecond"),
    "no second derivative": (MissingSecond.apply, r"autograd.Function MissingSecond"),
    "a straight-through estimator": (
        lambda x: x + (x.round() - x).detach(),
        r"`\.detach\(\)` in layer '1' \(Calls\), test_soundness.py:\d+",
    ),
    "part of the derivative left out": (without_gradient, r"`torch.no_grad\(\)` in layer '1.*test_soundness"),
    "a hook on gradients": (scaled_gradient, "hooks on gradients"),
    "an operation with a wrong second derivative": (
        operation("stopped", second=False),
        r"soundness.stopped.default in layer '1.*, \w+.py:\d+ has no right second derivative",
    ),
    "float32 inside": (single, "soundness.single.default in layer '1.* has no right first derivative"),
}


def network(kind: str, between: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return {
        "smooth": lambda: nn.Sequential(nn.Linear(4, 6), between, nn.Linear(6, 3)),
        "relu": lambda: nn.Sequential(
            nn.Linear(4, 40), between, nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3)
        ),
        "zero head": lambda: nn.Sequential(nn.Linear(4, 6), between, nn.ReLU(), zero(nn.Linear(6, 3))),
    }[kind]()


def zero(layer):
    for p in layer.parameters():
        nn.init.zeros_(p)
    return layer


@pytest.mark.parametrize("kind", ["smooth", "relu", "zero head"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_derivative_is_refused_with_its_place(name, kind):
    function, reason = FAULTS[name]
    with pytest.raises(Refusal, match=reason):
        verified(network(kind, Calls(function)), torch.randn(5, 4))


def test_a_layer_with_a_right_derivative_of_its_own_is_accepted():
    for function in (Right.apply, operation("right", second=True)):
        assert set(verified(network("relu", Calls(function)), torch.randn(5, 4))) == {"z", "u", "g", "h"}


def test_a_wrong_second_derivative_does_not_matter_without_the_hessian():
    for function in (WrongSecond.apply, operation("first", second=False)):
        assert set(verified(network("relu", Calls(function)), torch.randn(5, 4), products=["ggn"])) == set(
            "zug"
        )


class Block(nn.Module):
    """A residual block with batch normalisation and activations in place."""

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x):
        return F.relu(x + self.body(x), inplace=True)


def perceptron(activation):
    return nn.Sequential(nn.Linear(4, 60), activation, nn.Linear(60, 60), activation, nn.Linear(60, 3))


def resnet():
    stem = (nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*stem, Block(4), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))


def with_dead_units(net):
    net[0].bias.data[::2] = -100
    return net


def without_biases(net):
    for name, p in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(p)
    return net


PIECEWISE_SMOOTH = {
    "relu": lambda: (perceptron(nn.ReLU()), torch.randn(9, 4)),
    "leaky relu": lambda: (perceptron(nn.LeakyReLU(0.1)), torch.randn(9, 4)),
    "dead units": lambda: (with_dead_units(perceptron(nn.ReLU())), torch.randn(9, 4)),
    "zero inputs, all units at their kink": lambda: (
        without_biases(perceptron(nn.ReLU())),
        torch.zeros(9, 4),
    ),
    "unit vectors": lambda: (without_biases(perceptron(nn.ReLU6())), torch.eye(4)),
    "a head of zeros": lambda: (
        nn.Sequential(perceptron(nn.ReLU()), zero(nn.Linear(3, 3))),
        torch.randn(9, 4),
    ),
    "residual": lambda: (resnet(), torch.randn(5, 1, 8, 8)),
    "residual, blank images": lambda: (without_biases(resnet()), torch.zeros(5, 1, 8, 8)),
}


@pytest.mark.parametrize("name", PIECEWISE_SMOOTH)
def test_a_kink_is_no_fault(name):
    torch.manual_seed(3)
    module, inputs = PIECEWISE_SMOOTH[name]()
    verified(module.eval(), inputs)


def test_a_kink_is_no_fault_of_first_derivatives():
    torch.manual_seed(3)
    verified(perceptron(nn.ReLU()), torch.randn(9, 4), products=["ggn"])


def test_a_detach_of_our_own_is_not_said_to_be_the_users():
    found, x = [], torch.ones(2)
    with Detaches(found.append):
        fresh(x)
        assert found == []
        x.detach()
    assert found == [".detach()"]
