"""Convolutional networks with batch normalisation: ResNet, VGG and DenseNet, small."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


def convolution(channels, width, size=3, stride=1):
    return nn.Conv2d(channels, width, size, stride, size // 2, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, channels, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(convolution(channels, width, 1, stride), nn.BatchNorm2d(width))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    expansion = 2

    def __init__(self, channels, width, stride=1):
        super().__init__()
        wide = width * self.expansion
        self.body = nn.Sequential(
            convolution(channels, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            convolution(width, width, 3, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            convolution(width, wide, 1),
            nn.BatchNorm2d(wide),
        )
        self.downsample = nn.Sequential(convolution(channels, wide, 1, stride), nn.BatchNorm2d(wide))

    def forward(self, x):
        return F.relu(self.body(x).add_(self.downsample(x)), inplace=True)


class ResNet(nn.Module):
    """A stem with max pooling, a stage of each width, the mean over the image."""

    def __init__(self, block, widths=(2, 3), classes=3):
        super().__init__()
        self.stem = nn.Sequential(
            convolution(1, 2, 3, 2), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        stages, channels = [], 2
        for i, width in enumerate(widths):
            stages.append(block(channels, width, 1 + i))
            channels = width * block.expansion
        self.stages = nn.Sequential(*stages)
        self.pool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(channels, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.stages(self.stem(x))), 1))


class Vgg(nn.Module):
    """Plain convolutions, and a classifier with dropout."""

    def __init__(self, plan=(2, "M", 3, "M"), classes=3):
        super().__init__()
        layers, channels = [], 1
        for width in plan:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        self.features, self.pool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            nn.Linear(4 * channels, 5), nn.ReLU(True), nn.Dropout(0.5), nn.Linear(5, classes)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


class DenseLayer(nn.Module):
    """New features from all before, the first half of which is run again in the backward pass."""

    def __init__(self, channels, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, 2 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(2 * growth), convolution(2 * growth, growth)

    def bottleneck(self, *features):
        return self.conv1(F.relu(self.norm1(torch.cat(features, 1)), inplace=True))

    def forward(self, features):
        if any(f.requires_grad for f in features):
            h = checkpoint(self.bottleneck, *features, use_reentrant=False)
        else:
            h = self.bottleneck(*features)
        h = self.conv2(F.relu(self.norm2(h), inplace=True))
        return F.dropout(h, p=0.2, training=self.training)


class DenseNet(nn.Module):
    def __init__(self, growth=2, layers=2, classes=3):
        super().__init__()
        self.stem = convolution(1, 2)
        self.layers = nn.ModuleList(DenseLayer(2 + i * growth, growth) for i in range(layers))
        self.norm, self.head = nn.BatchNorm2d(2 + layers * growth), nn.Linear(2 + layers * growth, classes)

    def forward(self, x):
        features = [self.stem(x)]
        for layer in self.layers:
            features.append(layer(features))
        h = F.relu(self.norm(torch.cat(features, 1)), inplace=True)
        return self.head(F.adaptive_avg_pool2d(h, 1).flatten(1))


def basic_resnet():
    return ResNet(BasicBlock)


def bottleneck_resnet():
    return ResNet(Bottleneck)
