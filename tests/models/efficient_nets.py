"""Convolutional networks of few operations: MobileNetV3, EfficientNet, ShuffleNet and ConvNeXt, small."""

import torch
import torch.nn.functional as F
from torch import nn


def normed(channels, width, size=1, stride=1, groups=1, activation=nn.SiLU):
    """Convolution, batch normalisation, activation."""
    layers = [
        nn.Conv2d(channels, width, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))


class SqueezeExcitation(nn.Module):
    """Scales of the channels from their means."""

    def __init__(self, channels, squeezed, activation, scale):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation, self.scale = activation(), scale()

    def forward(self, x):
        means = F.adaptive_avg_pool2d(x, 1)
        return self.scale(self.fc2(self.activation(self.fc1(means)))) * x


def stochastic_depth(x, rate, training):
    """A branch that is left out at random in training, a sample at a time."""
    if not training or rate == 0:
        return x
    kept = torch.empty([len(x)] + [1] * (x.dim() - 1), dtype=x.dtype).bernoulli_(1 - rate)
    return x * kept / (1 - rate)


class InvertedResidual(nn.Module):
    """Wider, a convolution of each channel alone, narrow again."""

    def __init__(self, channels, width, activation, gates, rate=0.0):
        super().__init__()
        self.body = nn.Sequential(
            normed(channels, width, activation=activation),
            normed(width, width, 3, groups=width, activation=activation),
            SqueezeExcitation(width, 2, *gates),
            normed(width, channels, activation=None),
        )
        self.rate = rate

    def forward(self, x):
        return x + stochastic_depth(self.body(x), self.rate, self.training)


class Inverted(nn.Module):
    """MobileNetV3 or EfficientNet, by its activation and gates."""

    def __init__(self, activation, gates, rate=0.0, classes=3):
        super().__init__()
        self.stem = normed(1, 2, 3, 2, activation=activation)
        self.block = InvertedResidual(2, 4, activation, gates, rate)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(
            nn.Linear(2, 4), activation(inplace=True), nn.Dropout(0.2, inplace=True), nn.Linear(4, classes)
        )

    def forward(self, x):
        return self.head(self.pool(self.block(self.stem(x))).flatten(1))


class ShuffleNet(nn.Module):
    """One half of the channels passes by the other's convolutions; then they are mixed."""

    def __init__(self, width=4, classes=3):
        super().__init__()
        half = width // 2
        self.stem = normed(1, width, 3, 2, activation=nn.ReLU)
        self.branch = nn.Sequential(
            normed(half, half, activation=nn.ReLU),
            normed(half, half, 3, groups=half, activation=None),
            normed(half, half, activation=nn.ReLU),
        )
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        kept, changed = self.stem(x).chunk(2, dim=1)
        h = torch.cat((kept, self.branch(changed)), 1)
        n, c, height, width = h.size()
        h = h.view(n, 2, c // 2, height, width).transpose(1, 2).contiguous().view(n, -1, height, width)
        return self.fc(h.mean([2, 3]))


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of an image."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width, rate=0.1):
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 3, padding=1, groups=width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.layer_scale = nn.Parameter(1e-6 * torch.ones(width))
        self.rate = rate

    def forward(self, x):
        h = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        h = self.layer_scale * self.down(F.gelu(self.up(h)))
        return x + stochastic_depth(h.permute(0, 3, 1, 2), self.rate, self.training)


class ConvNeXt(nn.Module):
    def __init__(self, width=3, classes=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 2, stride=2), LayerNorm2d(width, eps=1e-6))
        self.block, self.norm = ConvNeXtBlock(width), LayerNorm2d(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = x.to(memory_format=torch.channels_last)
        return self.head(self.norm(self.block(self.stem(x)).mean((2, 3), keepdim=True)).flatten(1))


def mobilenet():
    return Inverted(nn.Hardswish, (nn.ReLU, nn.Hardsigmoid))


def efficientnet():
    return Inverted(nn.SiLU, (nn.SiLU, nn.Sigmoid), rate=0.2)
