"""Weights as trainers write them: each layout as its trainer makes it, and how several are told apart."""

import argparse
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from trained_weights import (
    averaged,
    loaded,
    optimizer,
    prefixed,
    require_refused,
    require_trained,
    state,
    trained,
)


class Config:
    """A class of the user's, which no reader can import."""

    def __init__(self):
        self.width = 5


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


@pytest.mark.parametrize("name", LAYOUTS)
def test_weights_are_found_in_what_a_trainer_writes(name, tmp_path):
    content, line = LAYOUTS[name]
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(content(), path)
    module, said = loaded(path)
    require_trained(module)
    assert said == line.format(path=path)


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
