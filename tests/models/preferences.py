"""Direct preference optimisation: a language model, its frozen reference, and the objective of both."""

import torch
import torch.nn.functional as F
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self, vocabulary=6, width=3):
        super().__init__()
        self.tokens, self.head = nn.Embedding(vocabulary, width), nn.Linear(width, vocabulary)

    def forward(self, tokens):
        h = self.tokens(tokens)
        return self.head(torch.tanh(h.cumsum(1)))


class WithReference(nn.Module):
    def __init__(self):
        super().__init__()
        self.policy, self.reference = LanguageModel(), LanguageModel().requires_grad_(False)

    def forward(self, tokens):
        return self.policy(tokens)


def log_probability(model, tokens):
    logs = model(tokens[:, :-1]).log_softmax(-1)
    return logs.gather(2, tokens[:, 1:, None]).sum((1, 2))


def preference(module, inputs, targets):
    """-log sigmoid of how much more the policy prefers the chosen sequence than the reference does."""
    chosen, rejected = (
        log_probability(module.policy, tokens) - log_probability(module.reference, tokens)
        for tokens in (inputs["chosen"], inputs["rejected"])
    )
    return -F.logsigmoid(0.5 * (chosen - rejected))


def with_reference():
    return WithReference()
