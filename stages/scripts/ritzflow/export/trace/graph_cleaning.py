"""A traced graph made fit for packages: nothing superfluous, its tensors inputs, its results real."""

from typing import Any

import torch

from ritzflow.export.module.tensors import as_real
from ritzflow.export.trace.nodes import called, is_free

aten = torch.ops.aten
NO_EFFECT = (aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default)


def cleaned(module: torch.fx.GraphModule) -> torch.fx.Graph:
    """The graph without operations that have no effect, equal subexpressions, and what nothing uses."""
    from torch._functorch.compile_utils import fx_graph_cse

    graph = module.graph
    for node in list(graph.nodes):
        if node.target in NO_EFFECT or is_plain_copy(node):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    graph = fx_graph_cse(graph)
    graph.eliminate_dead_code()
    return graph


def is_plain_copy(node: Any) -> bool:
    """A clone of the same layout: nothing is written in place any more."""
    if node.target is not aten.clone.default:
        return False
    old, new = node.args[0].meta["val"], node.meta["val"]
    return old.stride() == new.stride() and old.storage_offset() == 0 and old.is_contiguous()


def lift_constants(
    module: torch.fx.GraphModule, graph: torch.fx.Graph, inputs: dict[str, Any]
) -> dict[str, torch.Tensor]:
    """Turns tensors that the graph holds into inputs, like buffers."""
    constants: dict[str, torch.Tensor] = {}
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        name = f"constant.{len(constants)}"
        value = getattr(module, node.target).detach()
        constants[name] = as_real(value)
        with graph.inserting_before(next(iter(graph.nodes))):
            place = graph.placeholder(name.replace(".", "_"))
        place.meta["val"] = constants[name]
        inputs[f"buffer:{name}"] = place
        if value.is_complex():
            place = called(graph, node, aten.view_as_complex.default, place)
        node.replace_all_uses_with(place)
        graph.erase_node(node)
    return constants


def keep_as_real(graph: torch.fx.Graph) -> None:
    """Puts a copy in pairs of real numbers after every complex result: packages hold real values alone."""
    for node in list(graph.nodes):
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.is_complex() and not is_free(node):
            pairs = called(graph, node, aten.view_as_real.default, node)
            copied = called(graph, pairs, aten.clone.default, pairs)
            again = called(graph, copied, aten.view_as_complex.default, copied)
            node.replace_all_uses_with(again, delete_user_cb=lambda user, pairs=pairs: user is not pairs)
