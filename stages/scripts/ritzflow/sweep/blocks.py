"""The blocks of a curvature matrix that a sweep measures one by one: a model's layers or modules."""

from typing import Any

from ritzflow.common.script_cli import InputError
from ritzflow.sweep.types import Config

MARK = "@"  # hessian@layers.0: the block of the operator on one layer's parameters


def layers(architecture: dict[str, Any]) -> list[str]:
    """Names of the layers of a built-in architecture, in the order of their parameters."""
    return {"mlp": _mlp, "cnn": _cnn, "transformer": _transformer}[architecture["kind"]](architecture)


def _mlp(architecture: dict[str, Any]) -> list[str]:
    return [f"layers.{i}" for i in range(len(architecture["hidden"]) + 1)]


def _cnn(architecture: dict[str, Any]) -> list[str]:
    parts = ["conv", "norm"] if architecture["norm"] == "group" else ["conv"]
    return [f"blocks.{i}.{part}" for i in range(len(architecture["channels"])) for part in parts] + ["head"]


def _transformer(architecture: dict[str, Any]) -> list[str]:
    parts = ("ln_1", "attn.qkv", "attn.proj", "ln_2", "mlp.fc", "mlp.proj")
    inner = [f"blocks.{i}.{part}" for i in range(architecture["layers"]) for part in parts]
    head = [] if architecture["tie_embeddings"] else ["head"]
    return ["token_embedding", "position_embedding", *inner, "ln_f", *head]


def modules(architecture: dict[str, Any]) -> list[str]:
    """Top-level modules: a block of layers, or a layer that stands alone."""
    return list(dict.fromkeys(".".join(name.split(".")[:2]) for name in layers(architecture)))


def suffixes(model: dict[str, Any], operator: dict[str, Any]) -> list[str]:
    """What follows the operator's name in the path of each of its cells; one empty text: the whole."""
    if operator.get("blocks") is None:
        return [""]
    names = layers if operator["blocks"] == "per_layer" else modules
    return [MARK + name for name in names(model["architecture"])]


def params_filter(suffix: str) -> list[str]:
    """The glob of a block's parameters."""
    return [suffix.removeprefix(MARK) + ".*"] if suffix else []


def check(config: Config, origin: str) -> None:
    """Raises InputError for blocks that are asked for where they have no meaning."""
    for name, operator in config["operators"].items():
        if operator.get("blocks") is None:
            continue
        place = f"{origin}: operators.{name}.blocks"
        if operator["kind"] in ("kfac", "ekfac"):
            raise InputError(f"{place}: {operator['kind']} is block-diagonal by itself; leave blocks out")
        if operator["params_filter"]:
            raise InputError(f"{place}: the blocks are the filters; leave params_filter out")
