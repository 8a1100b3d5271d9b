"""A function as a list of operator calls, which C++ gives to LibTorch's dispatcher one by one.

    {"inputs": n, "registers": m, "calls": [{"op": "aten::mm", "overload": "", "arguments": [...],
     "results": [register, ...], "free": [register, ...]}, ...], "outputs": [register, ...]}

Registers 0 .. n - 1 are the inputs. An argument is a register {"r": 3}, a number, a truth value, text, null,
or a list of those, one for each argument of the operator's schema; types, layouts and memory formats are the
integers that LibTorch numbers them by. `free` names registers that no later call reads.
"""

import operator
from collections.abc import Iterator
from typing import Any

import torch

from ritzflow.common.script_cli import Refusal

DTYPES = {
    torch.uint8: 0,
    torch.int8: 1,
    torch.int16: 2,
    torch.int32: 3,
    torch.int64: 4,
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.complex64: 9,
    torch.complex128: 10,
    torch.bool: 11,
    torch.bfloat16: 15,
}
MEMORY_FORMATS = {torch.contiguous_format: 0, torch.preserve_format: 1, torch.channels_last: 2}


def listed(graph: torch.fx.Graph) -> dict[str, Any]:
    """The calls of a graph whose nodes are operators and items of their results."""
    registers: dict[torch.fx.Node, list[int]] = {}
    count, calls, inputs, outputs = 0, [], 0, []
    for node in graph.nodes:
        if node.op == "placeholder":
            registers[node], count, inputs = [count], count + 1, inputs + 1
        elif node.op == "output":
            outputs = [registers[result][0] for result in node.args[0]]
        elif node.target is operator.getitem:
            registers[node] = [registers[node.args[0]][node.args[1]]]
        else:
            value = node.meta["val"]
            results = len(value) if isinstance(value, tuple | list) else 1
            registers[node] = list(range(count, count + results))
            count += results
            calls.append(call(node, registers))
    mark_last_uses(calls, set(outputs) | set(range(inputs)))
    return {"inputs": inputs, "registers": count, "calls": calls, "outputs": outputs}


def call(node: torch.fx.Node, registers: dict[Any, Any]) -> dict[str, Any]:
    operation: Any = node.target
    schema = operation._schema
    arguments = []
    for i, argument in enumerate(schema.arguments):
        if i < len(node.args) and not argument.kwarg_only:
            value = node.args[i]
        else:
            value = node.kwargs.get(
                argument.name, argument.default_value if argument.has_default_value() else None
            )
        arguments.append(encoded(value, registers))
    return {
        "op": schema.name,
        "overload": schema.overload_name,
        "arguments": arguments,
        "results": registers[node],
    }


def encoded(value: Any, registers: dict[Any, Any]) -> Any:
    """An argument as JSON."""
    if isinstance(value, torch.fx.Node):
        return {"r": registers[value][0]}
    if isinstance(value, list | tuple):
        return [encoded(item, registers) for item in value]
    if isinstance(value, torch.dtype):
        return DTYPES[value]
    if isinstance(value, torch.memory_format):
        return MEMORY_FORMATS[value]
    if isinstance(value, torch.layout):
        return 0
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, float):
        return {"float": value.hex()}
    if value is None or isinstance(value, bool | int | str):
        return value
    raise Refusal(f"an operation has an argument of type {type(value).__name__}, which cannot be stored")


def run(listing: dict[str, Any], inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The results of listed calls, as C++ carries them out."""
    registers = dict(enumerate(inputs))
    for entry in listing["calls"]:
        namespace, name = entry["op"].split("::")
        function = getattr(getattr(getattr(torch.ops, namespace), name), entry["overload"] or "default")
        given = [(argument, decoded(value, registers)) for argument, value in paired(function, entry)]
        named = {argument.name: value for argument, value in given if argument.kwarg_only}
        result = function(*(value for argument, value in given if not argument.kwarg_only), **named)
        results = result if isinstance(result, tuple | list) else [result]
        registers |= dict(zip(entry["results"], results, strict=True))
        for register in entry["free"]:
            del registers[register]
    return [registers[register] for register in listing["outputs"]]


def paired(function: Any, entry: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    return zip(function._schema.arguments, entry["arguments"], strict=True)


def decoded(value: Any, registers: dict[Any, Any]) -> Any:
    """An argument from its JSON."""
    if isinstance(value, dict):
        return registers[value["r"]] if "r" in value else float.fromhex(value["float"])
    return [decoded(item, registers) for item in value] if isinstance(value, list) else value


def mark_last_uses(calls: list[dict[str, Any]], kept: set[int]) -> None:
    """Adds to each call the registers that it is the last to touch."""
    seen = set(kept)
    for entry in reversed(calls):
        touched = set(read_by(entry["arguments"])) | set(entry["results"])
        entry["free"] = sorted(touched - seen)
        seen |= touched


def read_by(value: Any) -> Any:
    """The registers in an encoded argument."""
    if isinstance(value, dict):
        return [value["r"]] if "r" in value else []
    if isinstance(value, list):
        return [register for item in value for register in read_by(item)]
    return []
