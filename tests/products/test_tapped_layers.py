"""Which layers have Kronecker factors: those whose parameters are weights alone; the others are named."""

import pytest
import torch
from small_export import exporter, samples_of
from torch import nn


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
