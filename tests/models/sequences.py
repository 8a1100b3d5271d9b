"""Recurrent classifiers of padded token sequences: an LSTM by its last steps, a GRU in both directions."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class Classifier(nn.Module):
    """The state after the last token that counts; token 0 is padding."""

    def __init__(self, vocabulary=7, width=3, classes=3, packed=False):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm, self.fc = nn.LSTM(width, width, batch_first=True), nn.Linear(width, classes)
        self.packed = packed

    def forward(self, tokens):
        lengths, h = (tokens != 0).sum(1), self.embedding(tokens)
        if self.packed:
            packed = pack_padded_sequence(h, lengths.cpu(), batch_first=True, enforce_sorted=False)
            return self.fc(self.lstm(packed)[1][0][-1])
        steps, _ = self.lstm(h)
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, steps.size(2))
        return self.fc(steps.gather(1, last).squeeze(1))


class Bidirectional(nn.Module):
    """Sequence first, two layers, both ends joined."""

    def __init__(self, vocabulary=7, width=2, classes=3):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, width, num_layers=2, dropout=0.3, bidirectional=True)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, tokens):
        _, state = self.gru(self.embedding(tokens.t()))
        return self.fc(torch.cat([state[-2], state[-1]], 1))


class Cells(nn.Module):
    """A loop over the steps with a cell, teacher forcing off: outputs of every step [N, T, C]."""

    def __init__(self, vocabulary=7, width=3):
        super().__init__()
        self.embedding, self.cell = nn.Embedding(vocabulary, width), nn.LSTMCell(width, width)
        self.fc = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        h = c = torch.zeros(len(tokens), self.cell.hidden_size, dtype=self.fc.weight.dtype)
        outputs = []
        for step in self.embedding(tokens).unbind(1):
            h, c = self.cell(step, (h, c))
            outputs.append(self.fc(h))
        return torch.stack(outputs, 1)


def packed_lstm():
    return Classifier(packed=True)
