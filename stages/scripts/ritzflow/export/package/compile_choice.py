"""Does compiling a module's products pay?

It costs seconds an operation, once. A compiled product saves calls of operations and passes over memory
between them. Both are estimated from counts, not from times: the same export always makes the same package.
"""

import math

import torch

from ritzflow.export.trace.split import Function

# Processor time, measured on one core: the table in docs/own-models.md.
SECONDS_A_FUNCTION, SECONDS_AN_OPERATION = 9, 0.05  # of compiling
SAVED_AN_ELEMENT, SAVED_A_CALL = 0.5e-9, 1e-6  # of a product's seconds
PRODUCTS = 500  # that a sweep over some seeds and steps takes with one package

LINEAR = ("jvp", "vjp", "hvp_jvp", "hvp_vjp")  # what runs at every product


def pays(functions: dict[str, Function], batches: int) -> tuple[bool, str]:
    """Whether to compile, for a data set of so many micro-batches, and the line that says why."""
    operations = sum(len(function.graph.nodes) for function in functions.values())
    cost = SECONDS_A_FUNCTION * len(functions) + SECONDS_AN_OPERATION * operations
    sizes = [size for name in LINEAR if name in functions for size in elements(functions[name])]
    saving = batches * (SAVED_A_CALL * len(sizes) + SAVED_AN_ELEMENT * sum(sizes))
    after = math.ceil(cost / saving)
    said = f"about {cost:.0f} s of compiling would pay after {after} products over the data"
    return after <= PRODUCTS, said


def elements(function: Function) -> list[int]:
    """How many each operation gives."""
    values = [node.meta.get("val") for node in function.graph.nodes if node.op == "call_function"]
    return [value.numel() for value in values if isinstance(value, torch.Tensor)]
