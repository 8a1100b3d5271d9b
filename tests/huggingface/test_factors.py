"""Which parameters of models of transformers have Kronecker factors: those of all layers that K-FAC knows.

Run by `make test-models` with the packages of `make models-env`.
"""

import pytest
import torch

from small_models import SAMPLES, gpt2, lora, model_of, options, saved, transformers  # isort: skip
from test_products import MODELS

from ritzflow.export.exporter import Exporter

EXPERTS = "model.layers.0.mlp.experts"
WITHOUT = {  # parameters that are added, and experts held as one tensor of matrices
    "vit": {"vit.embeddings.cls_token", "vit.embeddings.position_embeddings"},
    "mixtral": {f"{EXPERTS}.gate_up_proj", f"{EXPERTS}.down_proj"},
}


def without_factors(settings, samples) -> set[str]:
    """Parameters that no tapped layer has, of a verified export."""
    settings.products = ["ggn", "kfac"]
    made = Exporter(model_of(settings), samples, settings)
    made.verified()
    layers = made.traced(torch.float64).taps
    covered = {name for i in made.taps for name in layers[i].parameters}
    return made.model.parameters.keys() - covered


@pytest.mark.parametrize("name", MODELS)
def test_all_layers_have_factors(name, tmp_path):
    make, kind = MODELS[name]
    saved(make(), tmp_path)
    assert without_factors(options(tmp_path), SAMPLES[kind]) == WITHOUT.get(name, set())


def test_the_matrices_of_an_adapter_have_factors(tmp_path):
    saved(gpt2(), tmp_path / "base")
    base = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    saved(lora(base, "CAUSAL_LM", ["c_attn", "c_fc"], fan_in_fan_out=True), tmp_path / "adapter")
    settings = options(tmp_path / "adapter", tmp_path / "base", trainable=True)
    assert without_factors(settings, SAMPLES["text"]) == set()
