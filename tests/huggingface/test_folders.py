"""Folders of transformers and peft: every weight is the folder's, or the folder is refused by name."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from small_models import SAMPLES, bert, gpt2, lora, mixtral, model_of, options, saved, transformers  # isort: skip
from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.exporter import Exporter


def change_weights(folder, change, name="model.safetensors"):
    tensors = load_file(folder / name)
    change(tensors)
    save_file(tensors, folder / name, metadata={"format": "pt"})


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def require_refused(settings, *texts):
    """The folder is refused, and the message has the texts."""
    with pytest.raises((InputError, Refusal)) as refusal:
        model = model_of(settings)
        Exporter(model, SAMPLES["sequences"], settings).summary()
    for text in texts:
        assert text in str(refusal.value)


REFUSED = {
    "without a head": (
        lambda f: change_weights(f, lambda s: [s.pop(n) for n in list(s) if "classifier" in n]),
        "missing, and would be random: classifier.bias, classifier.weight",
    ),
    "without a layer": (
        lambda f: change_weights(f, lambda s: [s.pop(n) for n in list(s) if "intermediate" in n]),
        "missing, and would be random: bert.encoder.layer.0.intermediate.dense.bias",
    ),
    "of more layers": (
        lambda f: change_config(f, num_hidden_layers=2),
        "missing, and would be random: bert.encoder.layer.1.attention",
    ),
    "with more than the model": (
        lambda f: change_weights(f, lambda s: s.update(extra=torch.ones(1))),
        "tensors that the model does not have: extra",
    ),
    "of more classes": (
        lambda f: change_config(f, id2label={str(i): str(i) for i in range(5)}),
        "of another shape: classifier.bias has [3], the model's [5]",
    ),
    "not numbers": (
        lambda f: change_weights(f, lambda s: s["classifier.bias"].fill_(torch.nan)),
        "parameter 'classifier.bias' holds NaN or infinity",
    ),
    "of no class": (
        lambda f: change_config(f, architectures=None),
        "expected the one class that save_pretrained",
    ),
    "of an unknown class": (
        lambda f: change_config(f, architectures=["BertForSequenceClasification"]),
        "no BertForSequenceClasification; did you mean 'BertForSequenceClassification'?",
    ),
    "with code": (
        lambda f: change_config(f, architectures=["Mine"], auto_map={"AutoModel": "mine.Mine"}),
        "Mine is code of the folder's own (trust_remote_code), which is not run",
    ),
    "quantised": (
        lambda f: change_config(f, quantization_config={"quant_method": "gptq", "bits": 4}),
        "the weights are quantised",
    ),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), "config.json: not JSON"),
    "nothing": (
        lambda f: (f / "config.json").unlink(),
        "no config.json; expected a folder of save_pretrained()",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_is_not_the_whole_model_is_refused_by_name(name, tmp_path):
    saved(bert(), tmp_path)
    change, text = REFUSED[name]
    change(tmp_path)
    require_refused(options(tmp_path), text)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: bert(transformers.BertModel),
            "returns last_hidden_state, pooler_output, but no logits",
        ),
        (
            lambda: bert(transformers.BertForQuestionAnswering, labels=2),
            "logits have shape [4, 2, 5], but the data need [4, 3]",
        ),
    ],
)
def test_a_model_without_logits_says_what_it_returns(make, text, tmp_path):
    saved(make(), tmp_path)
    require_refused(options(tmp_path), text)


@pytest.mark.parametrize("make", [bert, gpt2, mixtral])
def test_the_weights_are_those_of_the_folder(make, tmp_path, capsys):
    right = {name: p.detach().clone() for name, p in saved(make(), tmp_path).named_parameters()}
    model = model_of(options(tmp_path))
    assert all(torch.equal(p, right[name]) for name, p in model.parameters.items())
    kind = type(model.module).__name__
    assert f"weights: {kind} of {tmp_path}, {len(right)} parameters" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_values_keep_their_digits(dtype, tmp_path):
    right = saved(bert().to(dtype), tmp_path).state_dict()
    model = model_of(options(tmp_path))
    assert model.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert all(torch.equal(p, right[name].to(p.dtype)) for name, p in model.parameters.items())


def adapter(folder, heads=None):
    """A base without its head and an adapter with one, in two folders."""
    saved(bert(transformers.BertModel), folder / "base")
    base = transformers.BertForSequenceClassification.from_pretrained(folder / "base", num_labels=3)
    return saved(lora(base, "SEQ_CLS", ["query"], modules_to_save=heads), folder / "adapter")


def adapted(folder, **arguments):
    return options(folder / "adapter", folder / "base", **arguments)


def test_the_weights_of_an_adapter_are_those_of_its_folders(tmp_path, capsys):
    module = adapter(tmp_path)
    change_config(tmp_path / "base", id2label={str(i): str(i) for i in range(3)})
    model = model_of(adapted(tmp_path, trainable=True))
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    assert model.parameters.keys() == trained.keys()
    assert all(torch.equal(p, trained[name]) for name, p in model.parameters.items())
    base = load_file(tmp_path / "base" / "model.safetensors")
    stored = {
        name.replace(".base_layer", "").removeprefix("base_model.model.bert."): t
        for name, t in model.buffers.items()
    }
    assert all(torch.equal(stored[name], t) for name, t in base.items())
    assert "LORA of" in capsys.readouterr().err
    again = model_of(adapted(tmp_path, trainable=True))
    assert all(torch.equal(t, again.buffers[name]) for name, t in model.buffers.items())


BROKEN = {
    "missing": (lambda s: s.pop(next(n for n in s if "lora_A" in n)), "missing, and would be random: "),
    "extra": (
        lambda s: s.update({"base_model.model.extra.weight": torch.ones(1)}),
        "tensors that the adapter does not have",
    ),
    "without a head": (
        lambda s: [s.pop(n) for n in list(s) if "classifier" in n],
        "missing, and would be random: classifier.bias, classifier.weight",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_adapter_that_is_not_whole_is_refused_by_name(name, tmp_path):
    adapter(tmp_path)
    change_config(tmp_path / "base", id2label={str(i): str(i) for i in range(3)})
    change, text = BROKEN[name]
    change_weights(tmp_path / "adapter", change, "adapter_model.safetensors")
    require_refused(adapted(tmp_path), text)


def test_an_adapter_without_its_base_is_refused(tmp_path):
    adapter(tmp_path)
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": "company/model"}))
    require_refused(
        options(tmp_path / "adapter"), "its base 'company/model' is not a folder here; name one by --hf-base"
    )
    require_refused(
        options(tmp_path / "base", base=tmp_path / "base"), "is not an adapter (no adapter_config.json)"
    )
