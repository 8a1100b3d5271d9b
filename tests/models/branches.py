"""Networks whose branches meet: Inception with an auxiliary output in training, and a U-Net for pixels."""

from collections import namedtuple

import torch
import torch.nn.functional as F
from torch import nn

Outputs = namedtuple("Outputs", ["logits", "auxiliary"])


class Convolution(nn.Module):
    def __init__(self, channels, width, **options):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, bias=False, **options)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Branches of several sizes, joined along the channels."""

    def __init__(self, channels=1, width=2, classes=3):
        super().__init__()
        self.narrow = Convolution(channels, width, kernel_size=1)
        self.tall = Convolution(channels, width, kernel_size=(3, 1), padding=(1, 0))
        self.wide = Convolution(width, width, kernel_size=(1, 3), padding=(0, 1))
        self.pooled = Convolution(channels, width, kernel_size=1)
        self.auxiliary = nn.Linear(3 * width, classes)
        self.fc = nn.Linear(3 * width, classes)

    def joined(self, x):
        pooled = self.pooled(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([self.narrow(x), self.wide(self.tall(x)), pooled], 1)

    def forward(self, x):
        h = self.joined(2 * x - 1)
        auxiliary = self.auxiliary(h.amax((2, 3))) if self.training else None
        logits = self.fc(F.dropout(h.mean((2, 3)), training=self.training))
        return Outputs(logits, auxiliary) if self.training else logits


class Googlenet(Inception):
    """The same that returns both outputs always."""

    def forward(self, x):
        h = self.joined(x)
        return Outputs(self.fc(h.mean((2, 3))), self.auxiliary(h.amax((2, 3))))


class DoubleConvolution(nn.Sequential):
    def __init__(self, channels, width):
        super().__init__(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """Down, up by interpolation or a transposed convolution, and across; classes of pixels [N, C, H, W]."""

    def __init__(self, channels=1, width=2, classes=3, bilinear=False):
        super().__init__()
        self.down1, self.down2 = DoubleConvolution(channels, width), DoubleConvolution(width, width)
        self.up = None if bilinear else nn.ConvTranspose2d(width, width, 2, stride=2)
        self.across, self.out = DoubleConvolution(2 * width, width), nn.Conv2d(width, classes, 1)

    def forward(self, x):
        first = self.down1(x)
        h = self.down2(F.max_pool2d(first, 2))
        if self.up is None:
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=True)
        else:
            h = self.up(h)
        rows, columns = first.size(2) - h.size(2), first.size(3) - h.size(3)
        h = F.pad(h, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        return self.out(self.across(torch.cat([first, h], dim=1)))


def bilinear_unet():
    return UNet(bilinear=True)
