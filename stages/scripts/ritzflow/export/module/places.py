"""Where in the user's module an operation is called: the layer and the line of source."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ritzflow.common.locations import SCRIPTS

TORCH = Path(torch.__file__).resolve().parent
DATA: Any = torch.Tensor.data
STOPS = (torch.Tensor.detach, torch.Tensor.detach_, torch.detach, DATA.__get__)


def users_line(frames: Sequence[traceback.FrameSummary]) -> str:
    """`mine.py:31`, the innermost line that is neither PyTorch's nor ours; empty where there is none."""
    for frame in reversed(frames):
        path = Path(frame.filename).resolve()
        if path.is_file() and TORCH not in path.parents and SCRIPTS not in path.parents:
            return f"{path.name}:{frame.lineno}"
    return ""


def line_of(error: BaseException) -> str:
    """` (mine.py:31)`: the user's line that an exception passed through."""
    line = users_line(traceback.extract_tb(error.__traceback__))
    return f" ({line})" if line else ""


def base_name(operation: str) -> str:
    """`hardsigmoid` of aten::hardsigmoid_, aten.hardsigmoid.default and hardsigmoid_backward."""
    name = operation.replace("::", ".").removeprefix("aten.").split(".")[0]
    return name.removesuffix("_data").removesuffix("_backward").strip("_")


class Detaches(TorchFunctionMode):
    """Calls `note` where a user's code stops a gradient: PyTorch itself detaches what it keeps."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in STOPS and SCRIPTS not in Path(sys._getframe(1).f_code.co_filename).parents:
            self._note(".detach()")
        return func(*args, **(kwargs or {}))


class Places(TorchDispatchMode):
    """Notes the first layer and line that call each operation, while a module runs within `of_module`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: dict[str, str] = {}
        self._entered: list[str] = []

    @contextmanager
    def of_module(self, module: nn.Module) -> Iterator[None]:
        handles = []
        for name, layer in module.named_modules():
            kind = type(layer).__name__
            place = f"layer '{name}' ({kind})" if name else f"the module ({kind})"
            handles.append(
                layer.register_forward_pre_hook(lambda *_, place=place: self._entered.append(place))
            )
            handles.append(layer.register_forward_hook(lambda *_: self._leave(), always_call=True))
        try:
            with Detaches(self._note), self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _leave(self) -> None:
        self._entered.pop()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._note(base_name(str(func)))
        if not torch.is_grad_enabled():
            self._note("torch.no_grad()")
        return func(*args, **(kwargs or {}))

    def _note(self, name: str) -> None:
        if name not in self.found and self._entered:
            line = users_line(traceback.extract_stack())
            self.found[name] = self._entered[-1] + (f", {line}" if line else "")

    def of(self, operation: str) -> str:
        """` in layer 'body.2' (Hardsigmoid), mine.py:31`; empty where the operation was not seen."""
        return self.at(base_name(operation))

    def at(self, name: str) -> str:
        return f" in {self.found[name]}" if name in self.found else ""
