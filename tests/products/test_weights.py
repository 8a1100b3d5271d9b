"""Weights as trainers write them: each layout as its trainer makes it, and what does not fit, by name."""

import argparse
import json
import pickle
import subprocess
import sys
from collections import OrderedDict, defaultdict
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from exports import ROOT
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

sys.path.insert(0, str(ROOT / "stages" / "scripts"))

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module import modules
from ritzflow.export.package import model_file
from ritzflow.export.weights import weights


class Net(nn.Module):
    """Linear layers, batch norm, a buffer of its own that is not stored, and one that is."""

    def __init__(self, outputs=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh())
        self.head = nn.Linear(5, outputs)
        self.register_buffer("scale", torch.tensor(0.5))
        self.register_buffer("mask", torch.ones(5), persistent=False)

    def forward(self, x):
        return self.head(self.scale * self.mask * self.stem(x))


class Config:
    """A class of the user's, which no reader can import."""

    def __init__(self):
        self.width = 5


def trained(seed=1) -> Net:
    torch.manual_seed(seed)
    net = Net()
    net.stem[1].running_mean.uniform_(-1, 1)
    return net


def state(net=None) -> dict:
    return {name: t.clone() for name, t in (net or trained()).state_dict().items()}


def optimizer(net) -> dict:
    """The state dictionary of an optimizer after a step."""
    adam = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 4)).sum().backward()
    adam.step()
    return adam.state_dict()


def prefixed(prefix: str, tensors: dict) -> dict:
    return {prefix + name: t for name, t in tensors.items()}


def lightning() -> dict:
    """As Trainer.save_checkpoint() writes it, for a LightningModule with the network as `net`."""
    return {
        "epoch": 3,
        "global_step": 400,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": OrderedDict(prefixed("net.", state())),
        "loops": {"fit_loop": {"epoch_loop.batch_progress": {"total": {"ready": 400}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(0.1)}},
        "optimizer_states": [optimizer(trained())],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"width": 5, "path": Path("runs")},
    }


def imagenet_example() -> dict:
    """As the ImageNet script of pytorch/examples writes it."""
    return {
        "epoch": 3,
        "arch": "resnet18",
        "state_dict": prefixed("module.", state()),
        "best_acc1": np.float64(0.9),
        "optimizer": optimizer(trained()),
    }


def nanogpt() -> dict:
    """Of a compiled model, with the run's settings."""
    return {
        "model": prefixed("_orig_mod.", state()),
        "optimizer": optimizer(trained()),
        "model_args": {"n_layer": 1},
        "iter_num": 400,
        "best_val_loss": torch.tensor(0.1),
        "config": {"out_dir": "out"},
    }


def with_objects() -> dict:
    """With arguments, a configuration, a path and numpy values: objects that weights_only refuses."""
    extra = {"args": argparse.Namespace(width=5), "config": Config(), "history": defaultdict(int)}
    return {"model_state_dict": state(), **extra, "best": np.float32(0.1), "curve": np.ones(3)}


def averaged(net) -> AveragedModel:
    return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))


def names_of_parts() -> dict:
    """Parallel and compiled parts of a network, as AlexNet's and VGG's features in the ImageNet example."""
    return {name.replace("stem.", "stem.module._orig_mod."): t for name, t in state().items()}


LAYOUTS = {
    "state dict": (state, "weights: {path}, 10 tensors"),
    "ImageNet example": (
        imagenet_example,
        "weights: state_dict of {path}, prefix module. removed, 10 tensors",
    ),
    "nanoGPT": (nanogpt, "weights: model of {path}, prefix _orig_mod. removed, 10 tensors"),
    "Lightning": (lightning, "weights: state_dict of {path}, prefix net. removed, 10 tensors"),
    "tutorial": (
        lambda: {"epoch": 3, "model_state_dict": state(), "optimizer_state_dict": optimizer(trained())},
        "weights: model_state_dict of {path}, 10 tensors",
    ),
    "with objects": (with_objects, "weights: model_state_dict of {path}, 10 tensors"),
    "net": (lambda: {"net": state(), "acc": 0.9}, "weights: net of {path}, 10 tensors"),
    "nested": (lambda: {"state": {"ema": state()}}, "weights: state.ema of {path}, 10 tensors"),
    "averaged": (
        lambda: averaged(trained()).state_dict(),
        "weights: {path}, prefix module. removed, 10 tensors",
    ),
    "averaged and compiled in parallel": (
        lambda: {"ema_state_dict": prefixed("module.module._orig_mod.", state())},
        "weights: ema_state_dict of {path}, prefix module.module._orig_mod. removed, 10 tensors",
    ),
    "parts": (names_of_parts, "weights: {path}, names of wrappers removed, 10 tensors"),
    "sharded training, gathered": (
        lambda: {"state_dict": prefixed("_forward_module.net._fsdp_wrapped_module.", state())},
        "weights: state_dict of {path}, prefix _forward_module.net._fsdp_wrapped_module. removed, 10 tensors",
    ),
    "before PyTorch 0.4": (
        lambda: {name: t for name, t in state().items() if "num_batches" not in name},
        "weights: {path}, 9 tensors",
    ),
    "own buffer": (lambda: state() | {"mask": torch.ones(5)}, "weights: {path}, 10 tensors"),
}


def loaded(path, module=None, **options):
    """The module with the weights at a path, and the line that says what was read."""
    model = modules.Model(module or Net(), "mine:net")
    return model.module, weights.load_weights(model, path, **options)


def require_refused(path, *texts, module=None, **options):
    """The weights are refused, and the message has the texts."""
    with pytest.raises((InputError, Refusal)) as refusal:
        loaded(path, module, **options)
    for text in texts:
        assert text in str(refusal.value)


def require_trained(module, right=None):
    for name, value in (right or state()).items():
        assert torch.equal(module.state_dict()[name], value), name


@pytest.mark.parametrize("name", LAYOUTS)
def test_weights_are_found_in_what_a_trainer_writes(name, tmp_path):
    content, line = LAYOUTS[name]
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(content(), path)
    module, said = loaded(path)
    require_trained(module)
    assert said == line.format(path=path)


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


def test_weights_and_their_average_are_told_apart_by_a_key(tmp_path):
    path, mean = tmp_path / "c.pt", averaged(trained(2))
    torch.save({"model": state(), "ema": mean.state_dict()}, path)
    require_refused(path, "'model', 'ema' all fit the module: choose by --weights-key")
    require_trained(loaded(path, key="model")[0])
    module, said = loaded(path, key="ema")
    require_trained(module, state(trained(2)))
    assert said == f"weights: ema of {path}, prefix module. removed, 10 tensors"
    require_refused(path, "no tensors under 'mean' (--weights-key); there are 'model', 'ema'", key="mean")


def test_networks_in_one_dictionary_are_told_apart_by_a_prefix(tmp_path):
    path = tmp_path / "c.ckpt"
    both = prefixed("online_model.", state()) | prefixed("ema_model.", state(trained(2)))
    torch.save({"state_dict": both | {"initted": torch.tensor([True])}}, path)
    require_refused(path, "the prefixes 'ema_model.', 'online_model.' all fit the module: choose by --prefix")
    module, said = loaded(path, prefix="ema_model.")
    require_trained(module, state(trained(2)))
    assert said == f"weights: state_dict of {path}, prefix ema_model. removed, 10 tensors"
    require_refused(path, "no name in it is one of the module's; its names are 'online_model", prefix="mean.")


def test_a_prefix_that_was_asked_for_leaves_the_rest_alone(tmp_path):
    path = tmp_path / "c.ckpt"
    torch.save({"state_dict": prefixed("net.", state()) | {"criterion.weight": torch.ones(3)}}, path)
    require_refused(path, "not in the module: criterion.weight (--no-strict passes over them)")
    require_trained(loaded(path, prefix="net.")[0])
    module, said = loaded(path, strict=False)
    require_trained(module)
    assert said.endswith("prefix net. removed, 10 tensors, passed over: criterion.weight")


def renamed(tensors: dict, old: str, new: str) -> dict:
    return {name.replace(old, new): t for name, t in tensors.items()}


MISFITS = {
    "missing": (lambda s: s.pop("head.bias"), "missing: head.bias"),
    "missing statistics": (lambda s: s.pop("stem.1.running_var"), "missing: stem.1.running_var"),
    "misspelt": (
        lambda s: s.update({"hed.bias": s.pop("head.bias")}),
        "missing: head.bias; did you mean 'hed.bias'?; not in the module: hed.bias",
    ),
    "another shape": (
        lambda s: s.update({"head.bias": torch.ones(7)}),
        "of another shape: head.bias has [7], the module's [3]",
    ),
    "extra": (lambda s: s.update(extra=torch.ones(1)), "not in the module: extra (--no-strict"),
    "another own buffer": (lambda s: s.update(mask=torch.zeros(5)), "not in the module: mask"),
    "many extra": (
        lambda s: s.update({f"x{i}": torch.ones(1) for i in range(7)}),
        "not in the module: x0, x1, x2, x3 and 3 more",
    ),
    "complex": (lambda s: s.update({"head.bias": torch.ones(3) * 1j}), "'head.bias' is complex"),
    "quantised": (
        lambda s: s.update({"head.bias": torch.ones(3, dtype=torch.int8)}),
        "'head.bias' is quantised (int8), which has no curvature",
    ),
    "float8": (
        lambda s: s.update({"head.bias": torch.ones(3).to(torch.float8_e4m3fn)}),
        "'head.bias' is quantised (float8_e4m3fn)",
    ),
    "another kind": (
        lambda s: s.update({"head.bias": torch.ones(3, dtype=torch.int64)}),
        "'head.bias' has the type int64, the module's float32",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(name, tmp_path):
    change, message = MISFITS[name]
    tensors = state()
    change(tensors)
    torch.save(tensors, tmp_path / "w.pt")
    module = Net()
    before = state(module)
    require_refused(tmp_path / "w.pt", message, module=module)
    require_trained(module, before)


def test_missing_tensors_are_refused_whatever_strictness(tmp_path):
    tensors = state()
    del tensors["head.bias"]
    torch.save(tensors, tmp_path / "w.pt")
    require_refused(tmp_path / "w.pt", "missing: head.bias", strict=False)


def test_a_head_of_another_number_of_classes_is_named(tmp_path):
    torch.save({"state_dict": state(Net(outputs=7))}, tmp_path / "w.pt")
    shapes = "head.weight has [7, 5], the module's [3, 5]"
    require_refused(tmp_path / "w.pt", "'state_dict' does not fit the module; of another shape:", shapes)


@pytest.mark.parametrize("name", ["head.bias", "stem.1.running_mean"])
def test_values_that_are_no_numbers_are_named(name):
    module = trained()
    module.state_dict()[name][0] = float("nan")
    with pytest.raises(InputError, match=f"'{name}' holds NaN"):
        weights.refuse_not_finite(modules.Model(module, "mine:net"))


def test_a_buffer_may_hold_infinity():
    module = trained()
    module.mask[0] = -float("inf")
    weights.refuse_not_finite(modules.Model(module, "mine:net"))


def test_a_tied_weight_may_be_stored_under_either_name(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.head = nn.Embedding(6, 4), nn.Linear(4, 6, bias=False)
            self.head.weight = self.tokens.weight

    for name in ("tokens.weight", "head.weight"):
        save_file({name: torch.full((6, 4), 2.0)}, tmp_path / "w.safetensors")
        module, _ = loaded(tmp_path / "w.safetensors", Tied())
        assert module.tokens.weight is module.head.weight and module.head.weight.eq(2).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_weights_are_widened_exactly(dtype, tmp_path):
    short = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state().items()}
    save_file(short, tmp_path / "w.safetensors")
    module, said = loaded(tmp_path / "w.safetensors")
    assert said.endswith(f"10 tensors, {str(dtype)[6:]} widened to float32")
    require_trained(module, {name: t.float() if t.is_floating_point() else t for name, t in short.items()})


def test_weights_in_float64_are_not_rounded(tmp_path):
    right = state(trained().double())
    right["head.weight"] += 1e-12
    torch.save(right, tmp_path / "w.pt")
    require_trained(loaded(tmp_path / "w.pt")[0], right)


class Exploit:
    """Runs a program where it is unpickled."""

    def __reduce__(self):
        return (subprocess.call, (["touch", "exploited"],))


class Lookup:
    """Looks a function up where it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("exploited"),))


WHOLE = (
    "a whole pickled module (",
    "Net); ",
    "weights_only=False); torch.save(module.state_dict(), 'weights.pt')",
)


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (trained, WHOLE),
        (lambda: {"model": trained(), "epoch": 3}, ["'model' is a whole pickled module"]),
        (lambda: [torch.ones(1)], ["holds list; expected module.state_dict()"]),
        (lambda: {"epoch": 3}, ["no tensors by name in it"]),
        (lambda: {"shadow_params": list(state().values())}, ["no tensors by name in it"]),
        (lambda: {"model": Exploit()}, ["no tensors by name in it"]),
        (lambda: {"model": Lookup()}, ["holds objects, dictionaries or lists of classes of its own"]),
    ],
)
def test_a_pickle_runs_no_code(content, messages, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content(), tmp_path / "w.pt")
    require_refused(tmp_path / "w.pt", *messages)
    assert not (tmp_path / "exploited").exists()


def test_an_old_pickle_with_objects_names_their_class(tmp_path):
    content = {"model": state(), "args": argparse.Namespace(width=5)}
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    require_refused(tmp_path / "w.pt", "holds 'argparse.Namespace', which only running code can read")


def test_torchscript_and_damaged_files_are_named(tmp_path):
    torch.jit.save(torch.jit.trace(nn.Linear(4, 3), torch.ones(1, 4)), tmp_path / "script.pt")
    require_refused(tmp_path / "script.pt", "a TorchScript archive; save weights alone")
    torch.save(state(), tmp_path / "w.pt")
    whole = (tmp_path / "w.pt").read_bytes()
    for name, part in {
        "half.pt": whole[: len(whole) // 2],
        "empty.pt": b"",
        "text.pt": b"no weights",
        "protocol.pt": pickle.dumps(state()),
    }.items():
        (tmp_path / name).write_bytes(part)
        require_refused(tmp_path / name, "not a file of torch.save, in its own pickle protocol")
    require_refused(tmp_path / "nothing.pt", "no such file or folder")
