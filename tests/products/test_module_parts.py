"""What modules compute in ways of their own: checkpointing, packed sequences, padding, frozen parts."""

import numpy as np
import pytest
import torch
from small_modules import LABELS, exporter, net
from torch import nn
from torch.utils.checkpoint import checkpoint

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module import data, modules


class Recomputed(nn.Module):
    """A part that is computed anew in the backward pass, which saves memory."""

    def __init__(self, reentrant):
        super().__init__()
        torch.manual_seed(0)
        self.part, self.head, self.reentrant = net(nn.Tanh()), nn.Linear(3, 3), reentrant

    def forward(self, x):
        return self.head(checkpoint(self.part, x, use_reentrant=self.reentrant))


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_changes_no_product(reentrant):
    model = modules.Model(Recomputed(reentrant), "mine:recomputed")
    plain = nn.Sequential(*model.module.part, model.module.head)
    found, right = (exporter(m).verified() for m in (model, modules.Model(plain, "mine:plain")))
    assert found == right


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.GRU(1, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x[..., None], torch.tensor([4, 3, 2]), batch_first=True)
        return self.head(self.layer(packed)[1][-1])


def test_packed_sequences_are_refused_by_name():
    with pytest.raises(Refusal, match="pack_padded_sequence depends on the lengths in the data"):
        exporter(modules.Model(Packed(), "mine:packed")).summary()


class Words(nn.Module):
    """Tokens with a padding index, which the data have, too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head = nn.Embedding(4, 5, padding_idx=0), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.words(x)).sum(1))


def test_the_row_of_a_padding_index_is_a_constant():
    tokens = data.Samples(np.array([[1, 0, 2], [3, 1, 0], [2, 2, 0]]), LABELS, None, "classification", 3)
    model = modules.Model(Words(), "mine:words")
    made = exporter(model, samples=tokens)
    made.verified()
    _, _, runner = made.split(torch.float64)
    z, *_ = runner.run("primal")
    (row,) = (
        g for name, g in zip(model.parameters, runner.run("vjp", w=torch.ones_like(z))) if "words" in name
    )
    assert row[0].eq(0).all() and row[1:].ne(0).all()


class Wrapped(nn.Module):
    """What `change` makes of the logits of three tokens."""

    def __init__(self, change):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head, self.change = nn.Embedding(4, 5), nn.Linear(5, 4), change

    def forward(self, tokens, targets=None):
        return self.change(self.head(self.words(tokens)))


TEXT = data.Samples(
    np.array([[1, 0, 2], [3, 1, 0]]), np.array([[0, 2, 1], [1, 0, 3]]), None, "language_modeling", 4
)
OUTPUTS = {
    "one position": (lambda z: (z[:, -1:], None), "nanoGPT's does without targets: wrap it: --module names"),
    "no logits": (
        lambda z: {"features": z, "pooled": z},
        "the module returns features, pooled, but no logits; wrap",
    ),
    "loss first": (lambda z: (z.sum(), z), "logits have shape [], but the data need [2, 3, 4]"),
    "nothing": (lambda z: None, "the module returns NoneType where its logits should be; wrap it"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_without_the_logits_of_every_token_says_what_to_do(name):
    change, text = OUTPUTS[name]
    with pytest.raises((InputError, Refusal)) as refusal:
        exporter(modules.Model(Wrapped(change), "mine:gpt"), samples=TEXT).summary()
    assert text in str(refusal.value)


@pytest.mark.parametrize(
    "change", [lambda z: (z, None), lambda z: [z, z.sum()], lambda z: {"logits": z, "h": z}]
)
def test_the_logits_are_the_first_of_several_outputs_or_named_so(change):
    made = exporter(modules.Model(Wrapped(change), "mine:gpt"), samples=TEXT)
    assert made.summary() == exporter(modules.Model(Wrapped(lambda z: z), "x"), samples=TEXT).summary()


class Adapted(nn.Module):
    """A frozen, tied table with a trainable low-rank part, a whole number as a parameter, and a buffer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.base, self.again = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.again.weight = self.base.weight
        self.base.weight.requires_grad_(False)
        self.a, self.b = nn.Linear(4, 2, bias=False), nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.tensor(2), requires_grad=False)
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x):
        return self.b(self.a(self.again(torch.tanh(self.base(x + self.shift))))) * self.scale


def test_trainable_parameters_alone_are_varied_on_request():
    model = modules.Model(Adapted(), "mine:adapted")
    line = model.choose_variables(trainable=True)
    assert line == "1 of 5 parameters are frozen (requires_grad=False) and taken as constants"
    assert list(model.parameters) == ["a.weight", "b.weight", "b.bias"]
    assert model.buffers.keys() == {"base.weight", "scale", "shift"}
    made = exporter(model)
    made.verified()
    slots = made.traces[torch.float64].inputs
    assert {"buffer:base.weight", "buffer:scale", "theta:a.weight"} <= slots.keys()
    assert "theta:base.weight" not in slots


def test_all_parameters_count_by_default_and_frozen_ones_are_said_to():
    model = modules.Model(Adapted(), "mine:adapted")
    line = model.choose_variables(trainable=False)
    assert line.endswith(
        "are frozen (requires_grad=False) and count all the same; --trainable takes them as constants"
    )
    assert list(model.parameters) == ["base.weight", "a.weight", "b.weight", "b.bias"]
    assert modules.Model(net(nn.Tanh()), "mine:net").choose_variables(trainable=False) == ""


def test_a_module_without_trainable_parameters_is_refused():
    module = net(nn.Tanh()).requires_grad_(False)
    with pytest.raises(Refusal, match=r"no parameters with requires_grad \(--trainable\)"):
        modules.Model(module, "mine:net").choose_variables(trainable=True)
    with pytest.raises(Refusal, match="mine:tanh: no parameters, over which"):
        modules.Model(nn.Tanh(), "mine:tanh").choose_variables(trainable=False)
