"""Networks on patches and tokens: a vision transformer, a mixer, and a text encoder with a padding mask."""

import torch
from torch import nn


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions, an encoder of torch.nn: its fast path without gradients."""

    def __init__(self, size=4, patch=2, width=4, classes=3):
        super().__init__()
        count = (size // patch) ** 2
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, count + 1, width).normal_(std=0.02))
        layer = nn.TransformerEncoderLayer(
            width, 2, 4, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        h = self.patches(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.class_token.expand(len(x), -1, -1), h], 1) + self.positions
        return self.head(self.norm(self.encoder(h)[:, 0]))


class MixerBlock(nn.Module):
    def __init__(self, tokens, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.of_tokens = nn.Sequential(nn.Linear(tokens, 3), nn.GELU(), nn.Linear(3, tokens))
        self.of_channels = nn.Sequential(nn.Linear(width, 3), nn.GELU(), nn.Linear(3, width))

    def forward(self, h):
        h = h + self.of_tokens(self.norm1(h).transpose(1, 2)).transpose(1, 2)
        return h + self.of_channels(self.norm2(h))


class Mixer(nn.Module):
    def __init__(self, size=4, patch=2, width=3, classes=3):
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.blocks = nn.Sequential(*(MixerBlock((size // patch) ** 2, width) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        h = self.blocks(self.patches(x).flatten(2).transpose(1, 2))
        return self.head(self.norm(h).mean(1))


class Pixels(nn.Module):
    """Layers over the last axis of images [N, 3, 3, 3], the channels: no axis is told by its length."""

    def __init__(self, width=3, classes=3):
        super().__init__()
        self.lift, self.norm, self.linear = nn.Linear(1, width), nn.LayerNorm(width), nn.Linear(width, width)
        self.group_norm, self.head = nn.GroupNorm(1, width), nn.Linear(width, classes)

    def forward(self, x):
        h = torch.tanh(self.linear(self.norm(self.lift(x.permute(0, 2, 3, 1)))))
        h = self.group_norm(h.permute(0, 3, 1, 2))
        return self.head(h.amax((2, 3)))


class TextEncoder(nn.Module):
    """Padded tokens: post-norm layers that are told of the padding, the mean of what counts."""

    def __init__(self, vocabulary=7, length=5, width=4, classes=3, nested=True):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=0)
        self.positions = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 2, 4, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=nested)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        padding = tokens == 0
        h = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        h = self.encoder(h, src_key_padding_mask=padding)
        kept = (~padding).unsqueeze(2).to(h.dtype)
        return self.head((h * kept).sum(1) / kept.sum(1))


class Translator(nn.Module):
    """nn.Transformer with a causal mask and a padding mask; outputs of every target token [N, T, C]."""

    def __init__(self, vocabulary=7, width=4):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.transformer = nn.Transformer(width, 2, 1, 1, 4, dropout=0.1, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, source, target):
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        padding = source == 0
        h = self.transformer(
            self.tokens(source),
            self.tokens(target),
            tgt_mask=causal.to(self.head.weight.dtype),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return self.head(h)
