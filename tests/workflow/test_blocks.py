"""Names of layers, as the blocks of a sweep need them, against the parameters that train-model writes."""

import json
import subprocess
import sys

import h5py
import pytest
from scripts_under_test import ROOT, SCRIPTS

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import blocks, sweep_config

MODELS = {
    "mlp": ("digits", {"kind": "mlp", "hidden": [4, 3]}),
    "linear": ("digits", {"kind": "mlp", "hidden": [], "bias": False}),
    "cnn": ("digits", {"kind": "cnn", "channels": [4, 8], "norm": "group", "groups": 2}),
    "plain_cnn": ("digits", {"kind": "cnn", "channels": [4]}),
    "tied": ("python_topics", {"kind": "transformer", "d_model": 4}),
    "untied": ("python_topics", {"kind": "transformer", "d_model": 4, "tie_embeddings": False}),
}
TRAINING = {"steps": 0, "learning_rate": 0.1}


def resolved(source, architecture, **operator):
    model = {"data": {"source": source, "samples": 20}, "architecture": architecture, "training": TRAINING}
    return sweep_config.resolve({"name": "s", "models": {"m": model}, "operators": {"ggn": operator}}, "f")


@pytest.mark.parametrize("name", MODELS)
def test_layers_are_those_of_the_trained_model(name, tmp_path):
    source, architecture = MODELS[name]
    full = resolved(source, architecture)["models"]["m"]["architecture"]
    data, spec, model = tmp_path / "data.h5", tmp_path / "spec.json", tmp_path / "model.h5"
    prepare = [sys.executable, SCRIPTS / "prepare_data.py", "--source", source, "--samples", "20"]
    subprocess.run([*prepare, "--out", data], check=True)
    spec.write_text(json.dumps({"architecture": full, "training": TRAINING}))
    train = [ROOT / "build" / "bin" / "train-model", "--data", data, "--spec", spec, "--seed", "0"]
    subprocess.run([*train, "--out", model, "--quiet"], check=True)
    with h5py.File(model) as file:
        parameters = file.attrs["parameter_order"]
    assert list(dict.fromkeys(p.rpartition(".")[0] for p in parameters)) == blocks.layers(full)


def test_modules_are_blocks_of_layers_and_single_layers():
    full = resolved(*MODELS["untied"])["models"]["m"]["architecture"]
    assert blocks.modules(full) == [
        "token_embedding", "position_embedding", "blocks.0", "blocks.1", "ln_f", "head"
    ]  # fmt: skip


def test_blocks_of_a_block_diagonal_or_filtered_operator_are_refused():
    for operator in ({"kind": "kfac"}, {"params_filter": ["layers.0.*"]}):
        with pytest.raises(InputError, match=r"operators\.ggn\.blocks"):
            resolved(*MODELS["mlp"], blocks="per_layer", **operator)
