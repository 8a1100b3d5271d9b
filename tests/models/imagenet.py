"""Networks for images of 3 x 224 x 224 and 1,000 classes: ResNet-18 and a small vision transformer."""

import torch
from torch import nn

from tests.models.residual_nets import BasicBlock


def resnet18():
    stem = (
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    )
    stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    blocks = [BasicBlock(*sizes) for a, b, s in stages for sizes in ((a, b, s), (b, b))]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class VitTiny(nn.Module):
    """16 x 16 patches of 224 x 224 images, width 192, three heads, 12 layers: 5.7 million parameters."""

    def __init__(self, width=192, heads=3, layers=12):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, stride=16)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, 197, width).normal_(std=0.02))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x):
        h = self.patches(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.class_token.expand(len(x), -1, -1), h], 1) + self.positions
        return self.head(self.norm(self.encoder(h))[:, 0])
