"""Layers of every kind that K-FAC knows, side by side in one module: each sees 8 features of a sample, as an
image, a sequence, or as they are, and adds to the logits."""

import torch
from torch import nn


class Conv1D(nn.Module):
    """The linear layer of GPT-2, with its weight as [in, out]."""

    def __init__(self, out, features):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(features, out)), nn.Parameter(torch.randn(out))

    def forward(self, x):
        y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return y.view(*x.shape[:-1], -1)


class RootMeanSquare(nn.Module):
    """A norm with a scale alone, as language models write it."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6))


class Affine(nn.Module):
    """y = x o scale + shift, without a norm."""

    def __init__(self, width):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.randn(width)), nn.Parameter(torch.randn(width))

    def forward(self, x):
        return x * self.scale + self.shift


class Attention(nn.MultiheadAttention):
    """Of one tensor, with itself or with others; sequences first, as PyTorch has it."""

    def forward(self, query, key=None, value=None):
        return super().forward(query, query if key is None else key, query if value is None else value)[0]


class Recurrent(nn.Module):
    """A recurrent layer from a state that depends on the sample."""

    def __init__(self, kind, *sizes, **options):
        super().__init__()
        self.layer = getattr(nn, kind)(*sizes, **options)

    def forward(self, x):
        states = [torch.sin(width * x.mean((0, -1)))[None, :, None].repeat(1, 1, width) for width in (2, 2)]
        return self.layer(x, tuple(states) if isinstance(self.layer, nn.LSTM) else states[0])[0]


class Cell(nn.Module):
    """The same of one step."""

    def __init__(self, kind):
        super().__init__()
        self.layer = getattr(nn, kind)(8, 2)

    def forward(self, x):
        state = torch.sin(x[:, :2])
        output = self.layer(x, (state, x[:, 2:4]) if isinstance(self.layer, nn.LSTMCell) else state)
        return output[0] if isinstance(output, tuple) else output


def as_it_is(layer, h):
    return layer(h)


def shaped(*shape):
    """Samples of this shape."""
    return lambda layer, h: layer(h.reshape(len(h), *shape))


def sequence_first(length):
    """[length, samples, width], and back."""
    return lambda layer, h: layer(h.reshape(len(h), length, -1).transpose(0, 1)).transpose(0, 1)


def halves(layer, h):
    return layer(h[:, :4], h[:, 4:])


def others(layer, h):
    """Attention of one token to one other by keys and values of their own."""
    return layer(h[None, :, :4], h[None, :, 4:], h[None, :, 2:6])[0]


def narrower(layer, h):
    return layer(h[None, :, :4], h[None, :, :3], h[None, :, 3:5])[0]


def tokens(layer, h):
    return layer((7 * h[:, :2].abs()).long() % 3)


def twice(layer, h):
    return layer(torch.tanh(layer(h)))


def in_rows(layer, h):
    """Positions of all samples in one axis."""
    return layer(h.reshape(-1, 4))


def in_columns(layer, h):
    """The same, the positions of a sample apart."""
    y = layer(h.reshape(len(h), 2, 4).transpose(0, 1).reshape(-1, 4))
    return y.reshape(2, len(h), -1).transpose(0, 1)


ONE_POSITION = {
    "linear": (lambda: nn.Linear(8, 2), as_it_is),
    "without_bias": (lambda: nn.Linear(8, 2, bias=False), as_it_is),
    "conv1d": (lambda: nn.Conv1d(4, 2, 2), shaped(4, 2)),
    "conv2d": (lambda: nn.Conv2d(2, 2, 2), shaped(2, 2, 2)),
    "conv3d": (lambda: nn.Conv3d(1, 2, 2), shaped(1, 2, 2, 2)),
    "grouped": (lambda: nn.Conv1d(4, 4, 2, groups=2), shaped(4, 2)),
    "depthwise": (lambda: nn.Conv2d(2, 2, 2, groups=2, bias=False), shaped(2, 2, 2)),
    "transposed1d": (lambda: nn.ConvTranspose1d(4, 3, 2, padding=1), shaped(4, 2)),
    "transposed2d": (lambda: nn.ConvTranspose2d(2, 3, 2, padding=1), shaped(2, 2, 2)),
    "transposed3d": (lambda: nn.ConvTranspose3d(1, 2, 2, padding=1), shaped(1, 2, 2, 2)),
    "transposed_groups": (lambda: nn.ConvTranspose1d(4, 4, 2, padding=1, groups=2), shaped(4, 2)),
    "gpt2": (lambda: Conv1D(3, 8), as_it_is),
    "bilinear": (lambda: nn.Bilinear(4, 4, 2), halves),
    "attention": (lambda: Attention(8, 2), sequence_first(1)),
    "attention_to_others": (lambda: Attention(4, 2), others),
    "attention_of_widths": (lambda: Attention(4, 2, kdim=3, vdim=2), narrower),
    "lstm": (lambda: Recurrent("LSTM", 8, 2), sequence_first(1)),
    "lstm_cell": (lambda: Cell("LSTMCell"), as_it_is),
    "gru": (lambda: Recurrent("GRU", 8, 2), sequence_first(1)),
    "gru_cell": (lambda: Cell("GRUCell"), as_it_is),
    "rnn": (lambda: Recurrent("RNN", 8, 2, nonlinearity="relu"), sequence_first(1)),
    "rnn_cell": (lambda: Cell("RNNCell"), as_it_is),
    "layer_norm": (lambda: nn.LayerNorm(8), as_it_is),
    "layer_norm_scale": (lambda: nn.LayerNorm(8, bias=False), as_it_is),
    "rms_norm": (lambda: nn.RMSNorm(4), shaped(2, 4)),
    "root_mean_square": (lambda: RootMeanSquare(8), as_it_is),
    "affine": (lambda: Affine(8), as_it_is),
    "batch_norm": (lambda: nn.BatchNorm1d(4), shaped(4, 2)),
    "batch_norm2d": (lambda: nn.BatchNorm2d(2), shaped(2, 2, 2)),
    "group_norm": (lambda: nn.GroupNorm(2, 4), shaped(4, 2)),
    "instance_norm": (lambda: nn.InstanceNorm1d(2, affine=True), shaped(2, 4)),
    "prelu": (lambda: nn.PReLU(), as_it_is),
    "prelu_of_channels": (lambda: nn.PReLU(2), shaped(2, 4)),
}
SEVERAL_POSITIONS = {
    "linear": (lambda: nn.Linear(4, 2), shaped(2, 4)),
    "rows": (lambda: nn.Linear(4, 2), in_rows),
    "columns": (lambda: nn.Linear(4, 2), in_columns),
    "images": (lambda: nn.Linear(2, 3), shaped(2, 2, 2)),
    "twice": (lambda: nn.Linear(8, 8), twice),
    "sequence": (lambda: nn.Linear(4, 3), sequence_first(2)),
    "conv1d": (lambda: nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular"), shaped(2, 4)),
    "same": (lambda: nn.Conv1d(2, 2, 2, padding="same"), shaped(2, 4)),
    "conv2d": (lambda: nn.Conv2d(2, 2, 2, stride=(2, 1), padding=(1, 0), dilation=(1, 1)), shaped(2, 2, 2)),
    "conv3d": (lambda: nn.Conv3d(1, 2, 2, padding=(1, 0, 1)), shaped(1, 2, 2, 2)),
    "dilated": (lambda: nn.Conv1d(1, 2, 3, dilation=2, stride=2, padding=1), shaped(1, 8)),
    "grouped": (lambda: nn.Conv1d(4, 4, 2, groups=2, padding=1), shaped(4, 2)),
    "transposed1d": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1), shaped(2, 4)),
    "transposed2d": (
        lambda: nn.ConvTranspose2d(2, 2, (3, 2), stride=(2, 1), padding=(1, 0)),
        shaped(2, 2, 2),
    ),
    "transposed_dilated": (lambda: nn.ConvTranspose1d(4, 4, 2, dilation=2, groups=2), shaped(4, 2)),
    "gpt2": (lambda: Conv1D(3, 4), shaped(2, 4)),
    "embedding": (lambda: nn.Embedding(3, 2, padding_idx=1), tokens),
    "batch_norm": (lambda: nn.BatchNorm1d(4), shaped(4, 2)),
}


class Zoo(nn.Module):
    def __init__(self, layers: dict):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.calls = {name: call for name, (_, call) in layers.items()}
        self.layers = nn.ModuleDict({name: make() for name, (make, _) in layers.items()})
        with torch.no_grad():
            for name, y in self.outputs(torch.randn(2, 4)).items():
                self.register_buffer(f"to_logits_{name}", torch.randn(y.shape[1], 3) / y.shape[1])
        for name, buffer in self.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 2)

    def outputs(self, x) -> dict:
        h = torch.tanh(self.first(x))
        return {name: self.calls[name](layer, h).reshape(len(h), -1) for name, layer in self.layers.items()}

    def forward(self, x):
        return sum(
            torch.tanh(y) @ self.get_buffer(f"to_logits_{name}") for name, y in self.outputs(x).items()
        )


def one_position():
    return Zoo(ONE_POSITION).eval()


def several_positions():
    return Zoo(SEVERAL_POSITIONS).eval()


class Steps(nn.Module):
    """A recurrent layer over four steps of two features."""

    def __init__(self, kind="LSTM", **options):
        super().__init__()
        self.first, self.layer = nn.Linear(4, 8), getattr(nn, kind)(2, 3, batch_first=True, **options)
        self.last = nn.Linear(24 if self.layer.bidirectional else 12, 3)

    def forward(self, x):
        return self.last(self.layer(torch.tanh(self.first(x)).reshape(-1, 4, 2))[0].reshape(len(x), -1))


def steps(**arguments):
    return Steps(**arguments)
