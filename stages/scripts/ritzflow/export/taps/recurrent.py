"""Recurrent layers step by step, by their linear maps and functions of PyTorch that are differentiable."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Maps = tuple[Tensor, Tensor | None, Tensor | None]
State = tuple[Tensor, Tensor | None]  # h, and c of an LSTM
Step = Callable[[Tensor, Tensor, Any, Maps], State]


def lstm_step(x: Tensor, h: Tensor, c: Any, maps: Maps) -> State:
    """x: what the input gives to the gates; maps: weights of the state, its biases, of the output."""
    weight, bias, projection = maps
    i, f, g, o = (x + F.linear(h, weight, bias)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if projection is None else F.linear(h, projection)), c


def gru_step(x: Tensor, h: Tensor, _: object, maps: Maps) -> State:
    weight, bias, _ = maps
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), F.linear(h, weight, bias).chunk(3, -1)
    z, n = (xz + hz).sigmoid(), (xn + (xr + hr).sigmoid() * hn).tanh()
    return n + z * (h - n), None


def rnn_step(activation: Callable[[Tensor], Tensor]) -> Step:
    return lambda x, h, _, maps: (activation(x + F.linear(h, *maps[:2])), None)


def run(
    step: Step,
    x: Tensor,
    h: Tensor,
    c: Tensor | None,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    backward: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """One direction of one layer over x [T, N, in]: all outputs and the last state."""
    biases = biases or [None, None]
    maps = (weights[1], biases[1], weights[2] if len(weights) > 2 else None)
    gates, outputs = F.linear(x, weights[0], biases[0]).unbind(0), []
    for x_t in reversed(gates) if backward else gates:
        h, c = step(x_t, h, c, maps)
        outputs.append(h)
    return torch.stack(outputs[::-1] if backward else outputs), h, c


def layers(
    step: Step,
    input: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    weights: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, list[Any]]:
    """All layers and directions; the weights of each: of input and state, their biases, of the output."""
    directions = 2 if bidirectional else 1
    each = len(weights) // (num_layers * directions)
    x, h_last, c_last = (input.transpose(0, 1) if batch_first else input), [], []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            i = layer * directions + direction
            own = list(weights[i * each : (i + 1) * each])
            biases = own[2:4] if has_biases else []
            maps = own[:2] + own[2 + len(biases) :]
            c = None if c0 is None else c0[i]
            output, h, c = run(step, x, h0[i], c, maps, biases, direction == 1)
            outputs.append(output)
            h_last.append(h)
            c_last.append(c)
        x = torch.cat(outputs, -1)
    return (x.transpose(0, 1) if batch_first else x), torch.stack(h_last), c_last


def lstm(
    input: Tensor,
    hx: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    output, h, c = layers(lstm_step, input, *hx, weights, has_biases, num_layers, bidirectional, batch_first)
    return output, h, torch.stack(c)


def of_one_state(step: Step) -> Callable[..., Any]:
    def function(
        input: Tensor,
        hx: Tensor,
        weights: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        return layers(step, input, hx, None, weights, has_biases, num_layers, bidirectional, batch_first)[:2]

    return function


def lstm_cell(
    input: Tensor,
    hx: tuple[Tensor, Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> State:
    return lstm_step(F.linear(input, w_ih, b_ih), *hx, (w_hh, b_hh, None))


def cell_of_one_state(step: Step) -> Callable[..., Any]:
    def function(
        input: Tensor,
        hx: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        return step(F.linear(input, w_ih, b_ih), hx, None, (w_hh, b_hh, None))[0]

    return function


tanh_step, relu_step = rnn_step(torch.tanh), rnn_step(torch.relu)
LAYERS = {
    torch.lstm: lstm,
    torch.gru: of_one_state(gru_step),
    torch.rnn_tanh: of_one_state(tanh_step),
    torch.rnn_relu: of_one_state(relu_step),
}
CELLS = {
    torch.lstm_cell: lstm_cell,
    torch.gru_cell: cell_of_one_state(gru_step),
    torch.rnn_tanh_cell: cell_of_one_state(tanh_step),
    torch.rnn_relu_cell: cell_of_one_state(relu_step),
}


def stepwise(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Callable[..., Any] | None:
    """What does the same as a call of a recurrent function step by step; none for others."""
    if function in CELLS:
        return CELLS[function]
    padded = function in LAYERS and isinstance(arguments[2], list | tuple) and isinstance(arguments[3], bool)
    trained = padded and arguments[5] and arguments[6]  # dropout
    return LAYERS[function] if padded and not trained else None
