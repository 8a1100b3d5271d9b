"""Checkpoints of the Trainer as the steps of a model: one export of all, and a sweep that trains them itself.

Run by `make test-models` with the packages of `make models-env`.
"""

import shlex
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from small_models import LABELS, ROOT, SAMPLES, TOKENS, transformers  # isort: skip
import export_products
from problems import dense, relative_error
from test_products import reference
from test_stages import EXACT

from ritzflow.common.script_cli import InputError

TRAIN = """
import sys

import numpy as np
import transformers

data, seed, out = np.load(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
transformers.set_seed(seed)
sizes = dict(hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=3)
config = transformers.BertConfig(vocab_size=7, max_position_embeddings=8, num_labels=3, **sizes)
model = transformers.BertForSequenceClassification(config)
samples = [dict(input_ids=x, labels=int(y)) for x, y in zip(data["inputs"], data["targets"])]
settings = transformers.TrainingArguments(
    out, max_steps=20, save_steps=10, learning_rate=0.1, report_to=[], seed=seed, use_cpu=True
)
transformers.Trainer(model, settings, train_dataset=samples).train()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sweep, done: two seeds that a command trains, two checkpoints each."""
    folder = tmp_path_factory.mktemp("trainer")
    (folder / "train.py").write_text(TRAIN)
    (folder / ".venv-models").symlink_to(ROOT / ".venv-models")
    np.savez(folder / "data.npz", inputs=TOKENS, targets=LABELS)
    architecture = {"kind": "module", "hf": "runs/s{seed}/checkpoint-{step}", "compile": "none"}
    data = {"source": "npz:data.npz", "split": "none", "task": "classification", "integer_inputs": "tokens"}
    command = f"{shlex.quote(sys.executable)} train.py data.npz {{seed}} runs/s{{seed}}"
    model = {"data": data, "architecture": architecture, "steps": "all", "training": {"command": command}}
    sweep = {"name": "trainer", "models": {"bert": model}, "seeds": [0, 1], "reorth_modes": ["full"]}
    sweep |= {"operators": {"ggn": {"dtype_compute": "float64"}}, "lanczos": {"k": 2, "max_iters": 30}}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    snakemake = [ROOT / ".venv/bin/snakemake", "-s", ROOT / "Snakefile", "--cores", 2, "--retries", 0]
    words = [*snakemake, "--configfile", "sweep.yaml", "--", "ablation_table"]
    run = {"cwd": folder, "capture_output": True, "text": True}
    done = subprocess.run(list(map(str, words)), **run)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def trained(folder, seed, step):
    kind, place = transformers.BertForSequenceClassification, folder / f"runs/s{seed}/checkpoint-{step}"
    return kind.from_pretrained(place, attn_implementation="eager").eval()


def test_a_sweep_measures_every_checkpoint_of_its_training(folder):
    cells = pd.read_csv(folder / "results/trainer/tables/cells.csv", comment="#")
    found = {(c["seed"], c["step"]): c["lambda_max"] for c in cells.to_dict("records")}
    assert set(found) == {(seed, step) for seed in (0, 1) for step in (10, 20)}
    for (seed, step), value in found.items():
        ggn = reference(trained(folder, seed, step), SAMPLES["sequences"]).ggn()
        right = np.linalg.eigvalsh(ggn)[-1]
        assert abs(value - right) < 1e-9 * right


def export(folder, out, monkeypatch, *more):
    data = folder / "results/trainer/data/bert.h5"
    flags = ["--hf", folder / "runs/s0/checkpoint-{step}", "--data", data, "--compile", "none", *EXACT]
    flags += ["--packages", out / "packages", "--out", out / "model.h5", *more]
    monkeypatch.setattr(sys, "argv", ["export_products.py", *map(str, flags)])
    export_products.main()
    (out / "data.h5").symlink_to(data)


def test_one_export_takes_the_checkpoints_as_steps(folder, tmp_path, monkeypatch, capsys):
    export(folder, tmp_path, monkeypatch)
    said = capsys.readouterr().err
    assert said.count("traced in") == 1 and said.count("traced before") == 1
    with h5py.File(tmp_path / "model.h5") as file:
        assert list(file["steps"]) == ["00000010", "00000020"]
    for step in (10, 20):
        right = reference(trained(folder, 0, step), SAMPLES["sequences"])
        for operator in ("ggn", "hessian"):
            found = dense(tmp_path, operator, *EXACT, "--step", str(step))
            assert relative_error(found, getattr(right, operator)()) < 1e-9


def test_a_checkpoint_that_is_not_there_is_named_with_those_that_are(folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--hf: .*: no file of step 7; there are those of 10, 20"):
        export(folder, tmp_path, monkeypatch, "--steps", 7)
