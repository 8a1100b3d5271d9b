"""Small models of transformers and peft, exported from their folders, against dense float64 matrices.

Run by `make test-models` with the packages of `make models-env`.
"""

from unittest import mock

import pytest
import torch
from torch.func import functional_call

from small_models import SAMPLES, Products, bert, gpt2, lora, mixtral, options, saved, transformers, vit  # isort: skip
from dense import Reference
from problems import relative_error

MODELS = {
    "bert": (bert, "pairs"),
    "bert of tokens": (lambda: bert(transformers.BertForTokenClassification), "tokens"),
    "bert of spans": (lambda: bert(transformers.BertForQuestionAnswering, labels=2), "spans"),
    "vit": (vit, "images"),
    "mixtral": (mixtral, "text"),
    "gpt2 of sequences": (lambda: gpt2(transformers.GPT2ForSequenceClassification), "sequences"),
}


def reference(module, samples, names=None):
    """Dense matrices by plain autograd on the module as it was saved, over all parameters or those named."""
    module = module.double()
    module.set_experts_implementation("eager")
    values = {name: p for name, p in module.named_parameters() if names is None or name in names}
    x, y, weights = samples.batch(len(samples.targets))
    single = {"x"} == x.keys()
    positional = (x["x"].double() if x["x"].is_floating_point() else x["x"],) if single else ()
    named = {} if single else {name.removeprefix("x:"): t for name, t in x.items()}

    def forward(parts, _):
        with (
            mock.patch.object(torch, "float32", torch.float64),
            mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
            torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        ):
            output = functional_call(module, parts, positional, named, tie_weights=True)
        if "logits" in output:
            return output["logits"].flatten(0, -2)
        return torch.stack([output["start_logits"], output["end_logits"]], 1).flatten(0, 1)

    shapes = [(name, tuple(p.shape)) for name, p in values.items()]
    return Reference(
        shapes, forward, [p.detach() for p in values.values()], None, y, weights, "cross_entropy"
    )


def require_equal(products, right):
    assert relative_error(products.ggn(), right.ggn()) < 1e-9
    assert relative_error(products.hessian(), right.hessian()) < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_products_of_a_folder_equal_dense_matrices(name, tmp_path):
    make, kind = MODELS[name]
    module = saved(make(), tmp_path)
    products = Products(SAMPLES[kind], options(tmp_path))
    assert list(products.exporter.model.parameters) == [name for name, _ in module.named_parameters()]
    require_equal(products, reference(module, SAMPLES[kind]))


def test_products_over_an_adapter_equal_the_block_of_the_dense_matrix(tmp_path):
    saved(gpt2(), tmp_path / "base")
    base = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    module = saved(lora(base, "CAUSAL_LM", ["c_attn", "c_fc"], fan_in_fan_out=True), tmp_path / "adapter")
    products = Products(SAMPLES["text"], options(tmp_path / "adapter", tmp_path / "base", trainable=True))
    names = [name for name, p in module.named_parameters() if p.requires_grad]
    assert list(products.exporter.model.parameters) == names and len(names) == 4
    require_equal(products, reference(module, SAMPLES["text"], names))
