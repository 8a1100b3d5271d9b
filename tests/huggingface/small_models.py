"""Small random models of transformers and peft in folders, and the dense matrices of their exports."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers", reason="run by `make test-models`")
peft = pytest.importorskip("peft", reason="run by `make test-models`")
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "products")]

from exports import ROOT  # noqa: E402

sys.path.insert(0, str(ROOT / "stages" / "scripts"))

from export_products import loaded  # noqa: E402

from ritzflow.export.exporter import Exporter  # noqa: E402
from ritzflow.export.module import data  # noqa: E402
from ritzflow.export.trace import eager  # noqa: E402

SMALL = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 3}
RANDOM = np.random.default_rng(0)
TOKENS, LABELS = RANDOM.integers(0, 7, (4, 5)), RANDOM.integers(0, 3, 4)
MASK = (np.arange(5) < RANDOM.integers(2, 6, (4, 1))).astype(np.int64)
PAIRS = {"input_ids": TOKENS * MASK, "attention_mask": MASK, "token_type_ids": 1 * (np.arange(5) > 2) * MASK}

SAMPLES = {
    "sequences": data.Samples(TOKENS, LABELS, None, "classification", 3),
    "spans": data.Samples(PAIRS, RANDOM.integers(0, 5, (4, 2)), None, "classification", 5),
    "pairs": data.Samples(PAIRS, LABELS, None, "classification", 3),
    "tokens": data.Samples(TOKENS, RANDOM.integers(0, 3, (4, 5)), None, "classification", 3),
    "images": data.Samples(
        RANDOM.standard_normal((4, 1, 4, 4)).astype("f4"), LABELS, None, "classification", 3
    ),
    "text": data.Samples(TOKENS, RANDOM.integers(0, 7, (4, 5)), None, "language_modeling", 7),
}


def bert(kind=transformers.BertForSequenceClassification, labels=3):
    """Position, token-type and word embeddings, the last with a padding index; dropout off in evaluation."""
    return kind(transformers.BertConfig(vocab_size=7, max_position_embeddings=8, num_labels=labels, **SMALL))


def vit():
    """A class token, patches by a strided convolution."""
    settings = {"image_size": 4, "patch_size": 2, "num_channels": 1, "num_labels": 3}
    return transformers.ViTForImageClassification(transformers.ViTConfig(**settings, **SMALL))


def mixtral():
    """Two of three experts for each token, grouped queries, rotary positions."""
    experts = {"num_local_experts": 3, "num_experts_per_tok": 2, "num_key_value_heads": 1}
    settings = {"vocab_size": 7, "max_position_embeddings": 8}
    return transformers.MixtralForCausalLM(transformers.MixtralConfig(**settings, **experts, **SMALL))


def gpt2(kind=transformers.GPT2LMHeadModel):
    """Learned positions, tied embeddings, dropout that is off in evaluation mode."""
    settings = {"vocab_size": 7, "n_embd": 4, "n_layer": 1, "n_head": 2, "n_positions": 8, "num_labels": 3}
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    return kind(transformers.GPT2Config(**settings, **ids))


def lora(base, task, targets, **options):
    """An adapter of low rank on a frozen base."""
    return peft.get_peft_model(base, peft.LoraConfig(r=2, task_type=task, target_modules=targets, **options))


def saved(module, folder):
    """The module, random values in what is trained, written by save_pretrained()."""
    torch.manual_seed(4)
    with torch.no_grad():
        for p in filter(lambda p: p.requires_grad, module.parameters()):
            p += 0.3 * torch.randn_like(p)
    module.save_pretrained(folder)
    return module.eval()


def options(folder, base=None, trainable=False):
    settings = {"loss": "cross_entropy", "micro_batch": 4, "compile": "none", "products": ["ggn", "hessian"]}
    return SimpleNamespace(
        hf=folder,
        hf_base=base,
        trainable=trainable,
        verify="float64",
        class_axis=None,
        whole_batch=False,
        **settings,
    )


def model_of(settings):
    """The model of a folder as an export takes it."""
    return loaded(settings, settings.hf)


class Products:
    """The traced products of a folder's model on samples, verified, as dense matrices."""

    def __init__(self, samples, settings):
        self.exporter = Exporter(model_of(settings), samples, settings)
        self.exporter.verified()
        _, _, self.runner = self.exporter.split(torch.float64)
        model, (x, y, weights) = self.exporter.model, samples.batch(settings.micro_batch)
        self.eager = eager.Eager(model, "cross_entropy", x, y, weights / weights.sum())
        self.z, *_ = self.runner.run("primal")

    def of_each_direction(self, product):
        shapes = [p.shape for p in self.exporter.model.parameters.values()]
        count = sum(shape.numel() for shape in shapes)
        rows = []
        for row in torch.eye(count, dtype=torch.float64).split(1):
            pieces = row[0].split([shape.numel() for shape in shapes])
            v = [piece.reshape(shape).contiguous() for piece, shape in zip(pieces, shapes)]
            rows.append(torch.cat([t.reshape(-1) for t in product(v)]))
        return torch.stack(rows).numpy()

    def ggn(self):
        def product(v):
            (u,) = self.runner.run("jvp", v=v)
            return self.runner.run("vjp", w=self.eager.on_logits(self.z, u))

        return self.of_each_direction(product)

    def hessian(self):
        self.runner.run("hvp_primal", r=self.eager.on_logits(self.z))

        def product(v):
            u, *_ = self.runner.run("hvp_jvp", v=v)
            return self.runner.run("hvp_vjp", s=self.eager.on_logits(self.z, u))

        return self.of_each_direction(product)
