"""Every layer of torch.nn: how it is made, the shape that it takes, and those that an export refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import nn

WIDEST = 12  # dense matrices grow with the square of what a layer gives


@dataclass
class Layer:
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]  # of a sample
    call: Callable = lambda layer, h: layer(h)
    usual: bool = False  # tried in every run


class Net(nn.Module):
    """4 -> layer -> 3 with a smooth layer in front."""

    def __init__(self, layer: Layer):
        super().__init__()
        self.shape, self.call = layer.shape, layer.call
        self.first, self.layer = nn.Linear(4, prod(layer.shape)), layer.make().eval()
        with torch.no_grad():
            width = self.between(torch.randn(2, 4)).shape[1]
        self.last = nn.Linear(width, 3)

    def between(self, x):
        h = torch.tanh(self.first(x)).reshape(len(x), *self.shape)
        return flat(self.call(self.layer, h))

    def forward(self, x):
        return self.last(self.between(x))


def flat(h: torch.Tensor) -> torch.Tensor:
    """[N, at most WIDEST]: means of neighbours, so that every element counts."""
    h = h.reshape(len(h), -1)
    return h if h.shape[1] <= WIDEST else F.adaptive_avg_pool1d(h.unsqueeze(1), WIDEST).squeeze(1)


def first_of(layer, h):
    """Of layers that give their state, too."""
    return layer(h)[0]


def halves(layer, h):
    return layer(*h.chunk(2, 1))


def tokens(layer, h):
    return layer((h.abs() * 7).long() % 5)


def attend(layer, h):
    return layer(h, h, h)[0]


def plain(names: str, *shape, usual=(), **arguments) -> dict[str, Layer]:
    return {
        name: Layer(lambda name=name: getattr(nn, name)(**arguments), shape, usual=name in usual)
        for name in names.split()
    }


def of_dimensions(name: str, *arguments, usual: int = 0) -> dict[str, Layer]:
    """`name` in one, two and three dimensions, on two channels."""
    return {
        f"{name}{d}d": Layer(
            lambda d=d: getattr(nn, f"{name}{d}d")(*arguments), (2, *[4] * d), usual=d == usual
        )
        for d in (1, 2, 3)
    }


def unpool(d: int) -> Layer:
    pool = getattr(nn, f"MaxPool{d}d")(2, return_indices=True)
    return Layer(lambda: getattr(nn, f"MaxUnpool{d}d")(2), (2, *[4] * d), lambda layer, h: layer(*pool(h)))


def upsample(mode: str, d: int) -> dict[str, Layer]:
    return {f"Upsample({mode})": Layer(lambda: nn.Upsample(scale_factor=2, mode=mode), (2, *[3] * d))}


def embedding(**arguments) -> Layer:
    return Layer(lambda: nn.Embedding(5, 3, **arguments), (4,), tokens, usual=True)


def bag(mode: str) -> Layer:
    return Layer(lambda: nn.EmbeddingBag(5, 3, mode=mode), (4,), tokens, usual=True)


def recurrent(name: str) -> dict[str, Layer]:
    kind, cell = getattr(nn, name), getattr(nn, f"{name}Cell")
    both = {"num_layers": 2, "bidirectional": True}
    return {
        name: Layer(lambda: kind(3, 4, batch_first=True), (2, 3), first_of, usual=name == "LSTM"),
        f"{name}(bidirectional)": Layer(lambda: kind(3, 4, batch_first=True, **both), (2, 3), first_of),
        f"{name}Cell": Layer(lambda: cell(6, 4), (6,), lambda layer, h: flat_state(layer(h))),
    }


def flat_state(state):
    return state[0] if isinstance(state, tuple) else state


def transformer(layer, **arguments):
    return layer(4, 2, dim_feedforward=8, batch_first=True, **arguments)


LAYERS: dict[str, Layer] = {
    **plain(
        "CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh Identity LeakyReLU LogSigmoid LogSoftmax "
        "Mish PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmin Softplus Softshrink Softsign Tanh "
        "Tanhshrink GLU Dropout AlphaDropout FeatureAlphaDropout Flatten",
        6,
        usual=("Hardsigmoid", "RReLU", "PReLU"),
    ),
    "Threshold": Layer(lambda: nn.Threshold(0.1, 0.0), (6,)),
    **plain("Softmax2d Dropout2d", 2, 2, 2),
    **plain("Dropout1d", 2, 3),
    **plain("Dropout3d", 2, 2, 2, 2),
    **of_dimensions("Conv", 2, 2, 3, usual=2),
    **of_dimensions("ConvTranspose", 2, 2, 2, usual=1),
    **of_dimensions("BatchNorm", 2, usual=2),
    **of_dimensions("InstanceNorm", 2),
    **of_dimensions("MaxPool", 2, usual=2),
    **of_dimensions("AvgPool", 2),
    **of_dimensions("AdaptiveAvgPool", 2),
    **of_dimensions("AdaptiveMaxPool", 2),
    **of_dimensions("LPPool", 2, 2),
    **of_dimensions("ConstantPad", 1, 0.5),
    **of_dimensions("ZeroPad", 1),
    **of_dimensions("ReflectionPad", 1),
    **of_dimensions("ReplicationPad", 1),
    **of_dimensions("CircularPad", 1, usual=1),
    **{f"MaxUnpool{d}d": unpool(d) for d in (1, 2, 3)},
    "FractionalMaxPool2d": Layer(lambda: nn.FractionalMaxPool2d(2, output_size=2), (2, 4, 4)),
    "FractionalMaxPool3d": Layer(lambda: nn.FractionalMaxPool3d(2, output_size=2), (2, 4, 4, 4)),
    **plain("SyncBatchNorm", 2, 4, num_features=2),
    **plain("LayerNorm RMSNorm", 6, normalized_shape=6, usual=("LayerNorm",)),
    "GroupNorm": Layer(lambda: nn.GroupNorm(2, 4), (4, 3), usual=True),
    **plain("LocalResponseNorm", 4, 3, size=2),
    **plain("CrossMapLRN2d", 4, 3, 3, size=2),
    "Linear": Layer(lambda: nn.Linear(6, 4), (6,)),
    "Bilinear": Layer(lambda: nn.Bilinear(3, 3, 4), (6,), halves),
    "CosineSimilarity": Layer(nn.CosineSimilarity, (6,), halves),
    "PairwiseDistance": Layer(nn.PairwiseDistance, (6,), halves),
    "Embedding": embedding(),
    "Embedding(padding_idx)": embedding(padding_idx=0),
    "Embedding(sparse)": embedding(sparse=True),
    "Embedding(max_norm)": embedding(max_norm=0.5),
    "Embedding(scale_grad_by_freq)": embedding(scale_grad_by_freq=True),
    "EmbeddingBag(sum)": bag("sum"),
    "EmbeddingBag(mean)": bag("mean"),
    "EmbeddingBag(max)": bag("max"),
    **plain("PixelShuffle", 4, 2, 2, upscale_factor=2),
    **plain("PixelUnshuffle", 2, 2, 2, downscale_factor=2),
    **plain("ChannelShuffle", 4, 2, 2, groups=2),
    **{
        name: layer
        for mode in ("nearest", "bilinear", "bicubic", "area")
        for name, layer in upsample(mode, 2).items()
    },
    **upsample("linear", 1),
    **upsample("trilinear", 3),
    **plain("UpsamplingNearest2d UpsamplingBilinear2d", 2, 3, 3, scale_factor=2),
    **plain("Fold", 8, 4, output_size=(3, 3), kernel_size=2),
    **plain("Unfold", 2, 3, 3, kernel_size=2),
    **plain("Unflatten", 6, dim=1, unflattened_size=(2, 3)),
    **recurrent("RNN"),
    **recurrent("LSTM"),
    **recurrent("GRU"),
    "LSTM(proj_size)": Layer(lambda: nn.LSTM(3, 4, proj_size=2, batch_first=True), (2, 3), first_of),
    "MultiheadAttention": Layer(
        lambda: nn.MultiheadAttention(4, 2, batch_first=True), (3, 4), attend, usual=True
    ),
    "TransformerEncoderLayer": Layer(lambda: transformer(nn.TransformerEncoderLayer), (3, 4)),
    "TransformerEncoder": Layer(
        lambda: nn.TransformerEncoder(transformer(nn.TransformerEncoderLayer), 2), (3, 4)
    ),
    "TransformerDecoderLayer": Layer(
        lambda: transformer(nn.TransformerDecoderLayer), (3, 4), lambda layer, h: layer(h, h)
    ),
    "TransformerDecoder": Layer(
        lambda: nn.TransformerDecoder(transformer(nn.TransformerDecoderLayer), 1),
        (3, 4),
        lambda layer, h: layer(h, h),
    ),
    "Transformer": Layer(
        lambda: transformer(nn.Transformer, num_encoder_layers=1, num_decoder_layers=1),
        (3, 4),
        lambda layer, h: layer(h, h),
    ),
    "AdaptiveLogSoftmaxWithLoss": Layer(
        lambda: nn.AdaptiveLogSoftmaxWithLoss(6, 8, [2, 5]), (6,), lambda layer, h: layer.log_prob(h)
    ),
    "weight_norm": Layer(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), (6,), usual=True),
    "spectral_norm": Layer(lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4)), (6,)),
    "orthogonal": Layer(lambda: nn.utils.parametrizations.orthogonal(nn.Linear(6, 4)), (6,)),
}

REFUSED = {
    "FractionalMaxPool2d": "draws random numbers",
    "FractionalMaxPool3d": "draws random numbers",
    "CrossMapLRN2d": "cannot be traced.*out=",
    "Embedding(max_norm)": "changes a buffer or parameter in place",
    "Embedding(scale_grad_by_freq)": "has no right first derivative",
    "EmbeddingBag(max)": "EmbeddingBag of mode max cannot be differentiated twice",
}

# Of torch.nn beside losses, bases and layers that are lazy.
NOT_LAYERS = {
    "Container",
    "DataParallel",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss2d",
    "ParameterDict",
    "ParameterList",
    "Sequential",
}
