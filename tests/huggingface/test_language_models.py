"""Small language models of transformers, exported from their folders, against dense float64 matrices.

Run by `make test-models` with the packages of `make models-env`, compiled as well where RITZFLOW_COMPILE_ALL
is set.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers", reason="run by `make test-models`")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "products"))

from exports import EXPORT, ROOT, Case, make_reference, run, write_data  # noqa: E402
from problems import dense, relative_error  # noqa: E402

VOCABULARY = 7
PARTS = ("eigenvalues", "eigenvectors")
COMPILE = ("none", "aoti") if os.environ.get("RITZFLOW_COMPILE_ALL") else ("none",)
CASE = Case("language model", "language_modeling", (5,), VOCABULARY, masked=True, samples=5)


def llama():
    """Grouped queries, tied embeddings, rotary positions, SwiGLU."""
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=6,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=16,
        tie_word_embeddings=True,
    )
    return transformers.LlamaForCausalLM(config)


def gpt2():
    """Learned positions, layer norm, biases, dropout that is off in evaluation mode."""
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=8,
        n_layer=1,
        n_head=2,
        n_positions=16,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel(config)


MODELS = {"llama": llama, "gpt2": gpt2}


def in_double(module):
    """The module's logits in float64 alone: Llama casts norms, softmax and rotations to float32."""

    def forward(*arguments, **options):
        with (
            mock.patch.object(torch, "float32", torch.float64),
            mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
        ):
            return plain(*arguments, **options)

    plain = module.forward
    module.config.use_cache = False
    module.forward = forward
    return module


def export(folder, *flags):
    files = ("--hf", folder / "hf", "--data", folder / "data.h5", "--out", folder / "model.h5")
    command = [sys.executable, EXPORT, *files, "--packages", folder / "packages", *flags]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=1800)


class Made:
    """A model's folder, data and exported products, and the dense reference."""

    def __init__(self, folder, name, how):
        self.folder, self.name = folder, name
        torch.manual_seed(4)
        module = MODELS[name]().eval()
        with torch.no_grad():
            for p in module.parameters():
                p += 0.3 * torch.randn_like(p)  # no parameter at a special value
        module.save_pretrained(folder / "hf")
        data = write_data(CASE, folder / "data.h5")
        self.module, self.inputs = in_double(module.double()), data["inputs"]
        self.reference = make_reference(self.module, CASE, data)
        flags = ("--micro-batch", 3, "--compile", how, "--dtype-compute", "float32", "float64")
        done = export(folder, *flags)
        assert done.returncode == 0, done.stderr
        self.log = done.stderr


@pytest.fixture(scope="module", params=[(name, how) for name in MODELS for how in COMPILE], ids="-".join)
def made(request, tmp_path_factory):
    return Made(tmp_path_factory.mktemp("-".join(request.param)), *request.param)


@pytest.mark.parametrize("operator", ["hessian", "ggn", "empirical_fisher"])
def test_operators_of_a_language_model_equal_their_dense_matrices(made, operator):
    expected = getattr(made.reference, operator)()
    found = dense(made.folder, operator, "--dtype-compute", "float64")  # 3 + 2, the last one filled up
    assert relative_error(found, expected) < 1e-10
    assert relative_error(dense(made.folder, operator), expected) < 1e-4


def test_nothing_of_a_float64_package_computes_in_float32(made):
    assert "computes in float32" not in made.log
    manifests = [json.loads(path.read_bytes()) for path in made.folder.glob("packages/*/manifest.json")]
    assert sorted((m["dtype"], m["computes_in_float32"]) for m in manifests) == [
        ("float32", True),
        ("float64", False),
    ]


def test_tied_embeddings_of_a_folder_are_one_parameter(made):
    with h5py.File(made.folder / "model.h5") as f:
        names = list(f.attrs["parameter_order"])
        spec = json.loads(f.attrs["spec"])
    assert "lm_head.weight" not in names and len(names) == len(set(names))
    assert spec["architecture"]["module"].startswith("transformers:")


def moments(made):
    """A and G of every linear layer by its weight's name, from hooks; one backward pass a token."""
    module, reference = made.module, made.reference
    names = {id(p): name.removesuffix(".weight") for name, p in module.named_parameters()}
    seen = {}

    def record(layer, inputs, output):
        seen[names[id(layer.weight)]] = inputs[0], output

    hooks = [
        layer.register_forward_hook(record)
        for layer in module.modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    z = module(made.inputs)["logits"]
    for hook in hooks:
        hook.remove()
    terms = reference.w.reshape(z.shape[:2])
    r = torch.softmax(z, -1) - torch.nn.functional.one_hot(reference.y.reshape(z.shape[:2]), VOCABULARY)
    cotangents = [torch.zeros_like(z) for _ in range(z.shape[1])]
    for t, cotangent in enumerate(cotangents):
        cotangent[:, t] = (r * terms.sqrt()[..., None])[:, t].detach()
    found = {}
    for name, (a, output) in seen.items():
        gradients = [torch.autograd.grad(z, output, c, retain_graph=True)[0] for c in cotangents]
        right = (
            torch.einsum("nri,nr,nrj->ij", a, terms, a),
            sum(torch.einsum("nri,nrj->ij", g, g) for g in gradients),
        )
        found[name] = [m.detach().numpy() for m in right]
    return found


def test_factors_of_linear_layers_equal_those_from_hooks(made):
    files = ("--data", made.folder / "data.h5", "--model", made.folder / "model.h5")
    flags = ("--fisher-type", "empirical", "--dtype-compute", "float64", "--out", made.folder / "kfac.h5")
    done = run("collect-kfac", *files, *flags)
    assert done.returncode == 0, done.stderr
    with h5py.File(made.folder / "kfac.h5") as f:
        for name, pair in moments(made).items():
            for side, right in zip("ag", pair):
                values, vectors = (f[f"layers/{name}/{side}_{part}"][...] for part in PARTS)
                assert relative_error(vectors @ np.diag(values) @ vectors.T, right) < 1e-10, (name, side)


def test_a_folder_without_a_model_is_an_error(tmp_path):
    (tmp_path / "hf").mkdir()
    write_data(CASE, tmp_path / "data.h5")
    done = export(tmp_path)
    assert done.returncode == 2 and "no config.json; expected a folder of save_pretrained()" in done.stderr
