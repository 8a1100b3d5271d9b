"""Files and folders of weights: kinds of files, model.h5, shards, folders of trainers."""

import json

import h5py
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from trained_weights import loaded, optimizer, require_refused, require_trained, state, trained

from ritzflow.common import made_with
from ritzflow.export.module import modules
from ritzflow.export.package import model_file


def write_h5(tensors, path):
    with h5py.File(path, "w") as f:
        for name, value in tensors.items():
            f[f"steps/00000007/{name}"] = value.reshape(value.shape or (1,)).numpy()


FILES = {
    "weights.pt": torch.save,
    "weights.pth": torch.save,
    "pytorch_model.bin": torch.save,
    "epoch=3-step=400.ckpt": torch.save,
    "weights": torch.save,
    "old.pt": lambda tensors, path: torch.save(tensors, path, _use_new_zipfile_serialization=False),
    "weights.safetensors": save_file,
    "weights.tensors": save_file,
}


@pytest.mark.parametrize("name", FILES)
def test_the_kind_of_a_file_shows_in_its_contents(name, tmp_path):
    FILES[name](state(), tmp_path / name)
    module, said = loaded(tmp_path / name)
    require_trained(module)
    assert said == f"weights: {tmp_path / name}, 10 tensors"


def test_the_last_step_of_a_model_h5_is_read(tmp_path):
    module = nn.Linear(4, 3)
    right = {name: t.detach() for name, t in module.state_dict().items()}
    write_h5(right, tmp_path / "model.h5")
    found, _ = loaded(tmp_path / "model.h5", nn.Linear(4, 3))
    require_trained(found, right)


def test_an_exported_model_h5_gives_its_weights_back(tmp_path):
    values = model_file.Weights(modules.Model(trained(), "mine:net"))
    point = model_file.Point(values, {"constant.0": torch.ones(2)}, {}, {}, {})
    model_file.write_model(tmp_path / "model.h5", {0: point}, {}, "", {})
    require_trained(loaded(tmp_path / "model.h5")[0])
    earlier = model_file.Point(model_file.Weights(modules.Model(trained(2), "mine:net")), {}, {}, {}, {})
    model_file.write_model(tmp_path / "model.h5", {7: point, 3: earlier}, {}, "", {})
    require_trained(loaded(tmp_path / "model.h5")[0])


def shard(folder, tensors, stem, ending, write):
    """Two shards and their index, as save_pretrained() and accelerate write them."""
    names = sorted(tensors)
    parts = {f"{stem}-0000{i + 1}-of-00002.{ending}": names[i::2] for i in range(2)}
    for file, part in parts.items():
        write({name: tensors[name] for name in part}, folder / file)
    places = {name: file for file, part in parts.items() for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index))


FOLDERS = {
    "Accelerate": lambda folder: save_file(state(), folder / "model.safetensors"),
    "Accelerate, without safetensors": lambda folder: torch.save(state(), folder / "pytorch_model.bin"),
    "FSDP, gathered": lambda folder: torch.save(state(), folder / "pytorch_model_fsdp.bin"),
    "shards": lambda folder: shard(folder, state(), "model", "safetensors", save_file),
    "shards of pickles": lambda folder: shard(folder, state(), "pytorch_model", "bin", torch.save),
    "one file": lambda folder: torch.save({"model": state()}, folder / "last.ckpt"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_a_trainer_gives_its_weights(name, tmp_path):
    folder = tmp_path / "checkpoint-500"
    folder.mkdir()
    FOLDERS[name](folder)
    for other in ("optimizer.bin", "optimizer.pt", "scheduler.bin", "training_args.bin", "scaler.pt"):
        torch.save(optimizer(trained()), folder / other)
    torch.save({}, folder / "rng_state.pth")
    (folder / "random_states_0.pkl").write_bytes(b"")
    (folder / "trainer_state.json").write_text("{}")
    module, said = loaded(folder)
    require_trained(module)
    assert said.startswith(f"weights: {'model of ' if name == 'one file' else ''}{folder}/")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: None, "no weights in it; expected one of model.safetensors"),
        (lambda f: (f / "checkpoint-500").mkdir(), "it has the checkpoints checkpoint-500: name one"),
        (
            lambda f: (f / "__0_0.distcp").touch(),
            "a sharded checkpoint (.distcp); gather it first: python -m",
        ),
        (lambda f: (f / "zero_to_fp32.py").touch(), "a checkpoint of DeepSpeed; gather it first"),
        (lambda f: (f / "adapter_config.json").touch(), "an adapter of peft; export it by --hf"),
        (lambda f: [(f / n).touch() for n in ("a.pt", "b.pt")], "holds a.pt, b.pt: name the file"),
        (
            lambda f: [(f / n).touch() for n in ("model.safetensors", "pytorch_model.bin")],
            "holds model.safetensors, pytorch_model.bin: name the file",
        ),
    ],
)
def test_a_folder_without_one_set_of_weights_says_what_it_has(make, message, tmp_path):
    make(tmp_path)
    require_refused(tmp_path, message)


def test_the_files_that_were_read_are_noted(tmp_path, monkeypatch):
    noted = []
    monkeypatch.setattr(made_with, "note", lambda path: noted.append(path.name))
    shard(tmp_path, state(), "model", "safetensors", save_file)
    (tmp_path / "optimizer.bin").touch()
    loaded(tmp_path)
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    assert noted == ["model.safetensors.index.json", *shards]


def test_a_shard_alone_or_missing_is_named(tmp_path):
    shard(tmp_path, state(), "model", "safetensors", save_file)
    require_refused(tmp_path / "model-00001-of-00002.safetensors", "one of 2 shards; name their folder")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    require_refused(tmp_path, "the shard model-00002-of-00002.safetensors is missing")
