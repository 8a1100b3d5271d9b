"""The user's module with its weights: its parameters, its buffers, and what is refused before tracing."""

import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import torch
from script_cli import InputError, Refusal, nearest
from torch import nn

from products.logits import Layout, tensor_of


@dataclass
class Model:
    """A module as a pure function of its parameters. Tied parameters count once, under their first name."""

    module: nn.Module
    origin: str  # what the user named it
    layout: Layout = field(default_factory=Layout)

    def logits(self, output) -> torch.Tensor:
        """The logits [rows, C] in what the module returns."""
        return self.layout.rows(tensor_of(output))

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        return {name: p.detach() for name, p in self.module.named_parameters()}

    @property
    def buffers(self) -> dict[str, torch.Tensor]:
        return {name: b.detach() for name, b in self.module.named_buffers()}

    @property
    def dtype(self) -> torch.dtype:
        return next(p.dtype for p in self.module.parameters() if p.is_floating_point())

    def tied(self) -> list[list[str]]:
        """Groups of names that are one tensor."""
        names: dict[int, list[str]] = {}
        for name, p in self.module.named_parameters(remove_duplicate=False):
            names.setdefault(id(p), []).append(name)
        return [group for group in names.values() if len(group) > 1]

    def to(self, dtype: torch.dtype) -> "Model":
        """The same model with its floating-point parameters and buffers in another type (in place)."""
        self.module.to(dtype)
        return self


def load_module(place: str, arguments: dict) -> Model:
    """The nn.Module that `package.module:function` returns for `arguments`."""
    name, colon, function = place.partition(":")
    if not colon or not name or not function:
        raise InputError(f"--module: '{place}' is not of the form package.module:function")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"--module: {name}: {error}; searched from the current folder and PYTHONPATH"
        ) from None
    make = getattr(found, function, None)
    if make is None:
        raise InputError(f"--module: {name} has no '{function}'{nearest(function, dir(found))}")
    try:
        module = make(**arguments)
    except TypeError as error:
        raise InputError(f"--kwargs: {place}: {error}") from None
    if not isinstance(module, nn.Module):
        raise InputError(f"--module: {place} returned {type(module).__name__}, expected an nn.Module")
    return Model(module, place)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from a .safetensors file, a .pt state dict, or the last step of a model.h5."""
    if not path.is_file():
        raise InputError(f"--weights: {path}: no such file")
    readers = {
        ".safetensors": read_safetensors,
        ".pt": read_state_dict,
        ".pth": read_state_dict,
        ".h5": read_h5,
    }
    reader = readers.get(path.suffix)
    if reader is None:
        raise InputError(f"--weights: {path}: expected a file that ends in {', '.join(readers)}")
    return reader(path)


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"--weights: {path}: not a safetensors file ({error})") from None


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the pickle does
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"--weights: {path}: not a state dict that loads without running code ({line})"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise InputError(
            f"--weights: {path}: expected a state dict (names to tensors) as of torch.save(m.state_dict())"
        )
    return dict(state)


def read_h5(path: Path) -> dict[str, torch.Tensor]:
    try:
        with h5py.File(path) as file:
            group = file[f"steps/{max(file['steps'])}"]
            state = {name: torch.from_numpy(data[()]) for name, data in group.items()}
            state |= {name: torch.from_numpy(data[()]) for name, data in file.get("buffers", {}).items()}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"--weights: {path}: not a model.h5 with a step ({error})") from None
    return state


def load_weights(model: Model, path: Path) -> None:
    """Puts the file's tensors into the module. Raises InputError on a name or shape that does not fit."""
    state = read_weights(path)
    known = model.module.state_dict()
    for name, tensor in state.items():
        if name not in known:
            raise InputError(f"--weights: {path}: the module has no '{name}'{nearest(name, known)}")
        if tensor.shape != known[name].shape:
            shapes = f"{list(tensor.shape)}, the module's has {list(known[name].shape)}"
            raise InputError(f"--weights: {path}: '{name}' has shape {shapes}")
        if tensor.is_complex():
            raise Refusal(f"--weights: {path}: '{name}' is complex; curvature is taken over real parameters")
    aliases = {name: group for group in model.tied() for name in group}
    for name in known:
        if not state.keys() & set(aliases.get(name, [name])):
            raise InputError(f"--weights: {path}: '{name}' is missing{nearest(name, state)}")
    model.module.load_state_dict(state, strict=False)


def refuse_random_or_coupled(model: Model) -> None:
    """Refuses what makes the loss of a sample depend on chance or on the rest of its batch."""
    for name, layer in model.module.named_modules():
        place = f"{model.origin}: layer '{name}' ({type(layer).__name__})"
        if (
            isinstance(layer, nn.modules.batchnorm._NormBase)
            and layer.training
            and not isinstance(layer, nn.modules.instancenorm._InstanceNorm)
        ):
            raise Refusal(f"{place} is batch normalisation in training mode: call .eval() on the module")
        if isinstance(layer, nn.modules.dropout._DropoutNd) and layer.training and layer.p > 0:
            raise Refusal(f"{place} drops at random in training mode: call .eval() on the module")
    for name, p in model.module.named_parameters():
        if p.is_complex():
            raise Refusal(f"{model.origin}: parameter '{name}' is complex; curvature is taken over real ones")
