"""The user's module: its parameters, and what it holds beside them."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module.inputs import Slots, arguments, described, first, samples_in
from ritzflow.export.module.logits import Layout, tensor_of
from ritzflow.export.module.objects import first_line, found_object
from ritzflow.export.module.places import Places, line_of
from ritzflow.export.module.precision import exact, in_type
from ritzflow.export.module.wrappers import refuse_unsupported, unwrapped


@dataclass
class Model:
    """A module as a pure function of its parameters. Tied parameters count once, under their first name."""

    module: nn.Module
    origin: str  # what the user named it
    places: Places = field(default_factory=Places)  # of its operations, once there was a forward pass
    layout: Layout = field(default_factory=Layout)
    constants: set[str] = field(default_factory=set)  # parameters that are taken as buffers

    def __post_init__(self) -> None:
        self._layers = list(self.module.modules())
        self._unregistered: dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]] = {}

    def logits(self, output: Any) -> torch.Tensor:
        """The logits [rows, C] in what the module returns."""
        return self.layout.rows(tensor_of(output))

    def called(self, x: Slots) -> torch.Tensor:
        """The logits [rows, C] for these inputs."""
        positional, named = arguments(x)
        return self.logits(self.module(*positional, **named))

    def values(self, x: Slots) -> torch.Tensor:
        """The same as numbers alone; gradients stay on, since a module may differentiate inside."""
        return self.called(x).detach()

    def output_of(self, x: Slots) -> Any:
        """What the module returns for inputs of the data. Raises InputError where it fails, Refusal."""
        positional, named = arguments(x)
        try:
            with exact(self.dtype):
                return self.module(*positional, **named)
        except Refusal:
            raise
        except Exception as error:  # whatever the user's code raises
            line = str(error).splitlines()[0] if str(error) else type(error).__name__
            place = f"{described(x)} of the data{line_of(error)}"
            raise InputError(f"{self.origin}: fails on {place}: {line}") from None

    def samples_taken(self, x: Slots, wanted: int) -> int:
        """`wanted` samples of these, or all where the module can only take all."""
        try:
            self.called(first(x, wanted))
        except Exception:  # whatever the user's code raises
            return samples_in(x)
        return min(wanted, samples_in(x))

    @property
    def variables(self) -> dict[str, nn.Parameter]:
        """What curvature is taken over."""
        return {name: p for name, p in self.module.named_parameters() if name not in self.constants}

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        return {name: p.detach() for name, p in self.variables.items()}

    @property
    def buffers(self) -> dict[str, torch.Tensor]:
        """What else the module holds: its buffers, and the parameters that are constant."""
        found = {name: p for name, p in self.module.named_parameters() if name in self.constants}
        return {name: b.detach() for name, b in (found | dict(self.module.named_buffers())).items()}

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
        """The same model with its real and complex tensors in another type (in place): parameters, buffers,
        and those that a layer holds without calling them so, as `self.scale = torch.tensor(...)` does."""
        self.module._apply(partial(in_type, dtype=dtype))  # Module.to makes complex buffers real
        for number, layer in enumerate(self._layers):
            for name, value in vars(layer).items():
                if type(value) is torch.Tensor and not value.requires_grad:
                    moved, given = self._unregistered.get((number, name), (None, value))
                    given = given if value is moved else value  # unless the module has changed it since
                    vars(layer)[name] = in_type(given, dtype)
                    self._unregistered[number, name] = vars(layer)[name], given
        return self

    def choose_variables(self, trainable: bool) -> str:
        """Takes all parameters, or those with requires_grad; says what becomes of frozen ones."""
        named = dict(self.module.named_parameters())
        frozen = [name for name, p in named.items() if p.is_floating_point() and not p.requires_grad]
        self.constants = {name for name, p in named.items() if not p.is_floating_point()}
        if trainable:
            self.constants |= set(frozen)
        if not self.variables:
            which = " with requires_grad (--trainable)" if trainable and named else ""
            raise Refusal(f"{self.origin}: no parameters{which}, over which curvature could be taken")
        if not frozen:
            return ""
        count = f"{len(frozen)} of {len(named)} parameters are frozen (requires_grad=False)"
        if trainable:
            return f"{count} and taken as constants"
        return f"{count} and count all the same; --trainable takes them as constants"

    def widen(self) -> str:
        """Moves a module of half precision, or of several types, to one in which it is exact; says so."""
        tensors = (*self.module.parameters(), *self.module.buffers())
        types = {t.dtype for t in tensors if t.is_floating_point()}
        wide = torch.float64 if torch.float64 in types else torch.float32
        if types <= {wide}:
            return ""
        self.to(wide)
        names = (str(t).removeprefix("torch.") for t in (*types, wide))
        return f"{self.origin}: {', '.join(sorted(set(names) - {str(wide)[6:]}))} widened to {str(wide)[6:]}"


def load_module(place: str, arguments: dict[str, Any]) -> Model:
    """The nn.Module that `package.module:function` returns for `arguments`."""
    make = found_object(place, "--module")
    try:
        module = make(**arguments)
    except TypeError as error:
        raise InputError(f"--kwargs: {place}: {error}{line_of(error)}") from None
    except Exception as error:
        raise InputError(f"--module: {place}: {first_line(error)}{line_of(error)}") from None
    if not isinstance(module, nn.Module):
        raise InputError(f"--module: {place} returned {type(module).__name__}, expected an nn.Module")
    module = unwrapped(module)
    refuse_unsupported(module, place)
    return Model(module, place)
