"""Files of arrays by name (.npz, HDF5, .npy, .pt): which are the inputs, the targets, the weights, the mask.

Their names are `inputs`, `targets`, `weights` and `mask` unless flags say otherwise; several inputs are
`inputs.<name>`, those that all samples have in common `shared.<name>`. The test part, where a file has one,
is `<name>_test`, or `x_test` of `x_train`.
"""

from argparse import Namespace
from typing import Any

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.samples import UNNAMED, Part, Samples

ROLES = ("inputs", "targets", "weights", "mask")
Arrays = dict[str, np.ndarray]


def choose(arrays: Arrays, options: Namespace, source: str) -> Samples:
    """The samples that a file's arrays are. Raises InputError."""
    inputs = input_names(arrays, options, source)
    single = {role: single_name(arrays, role, getattr(options, role), source) for role in ROLES[1:]}
    wanted = {**{name: name for name in inputs.values()}, **{n: n for n in single.values() if n}}
    train = part(arrays, inputs, single, wanted)
    tests = {name: test_name(arrays, name) for name in wanted}
    missing = [name for name, test in tests.items() if test is None]
    test = None
    if not missing:
        test = part(arrays, inputs, single, {name: test for name, test in tests.items() if test})
    elif len(missing) < len(tests):
        found = ", ".join(sorted(test for test in tests.values() if test))
        raise InputError(f"--source: {source}: {found} without a test array of {', '.join(missing)}")
    used = {*wanted, *(name for name in tests.values() if name)}
    samples = Samples(train, test)
    if unused := sorted(name for name in arrays if not (name in used or ours(name) or is_shared(name))):
        samples.notes.append(f"not used: {', '.join(unused)}")
    return samples


def ours(name: str) -> bool:
    """Whether an array is one that prepare_data.py itself writes about its split."""
    return name.startswith("split/")


def input_names(arrays: Arrays, options: Namespace, source: str) -> dict[str, str]:
    """The array of each input, by the input's name."""
    if options.inputs:
        if len(set(options.inputs)) < len(options.inputs):
            raise InputError(f"--inputs: a name is there twice ({', '.join(options.inputs)})")
        for name in options.inputs:
            require(arrays, name, "inputs", source)
        if len(options.inputs) == 1:
            return {UNNAMED: options.inputs[0]}
        return {argument(name, name): name for name in options.inputs}
    if "inputs" in arrays:
        return {UNNAMED: "inputs"}
    group = [name for name in arrays if name.startswith(("inputs.", "inputs/")) and not is_test(arrays, name)]
    if not group:
        raise missing(arrays, source)
    return {argument(name[len("inputs.") :], name): name for name in sorted(group)}


def argument(name: str, array: str) -> str:
    """A module is called with its inputs by name."""
    if name.isidentifier():
        return name
    raise InputError(f"--source: array {array}: '{name}' cannot be the name of a module's argument")


def single_name(arrays: Arrays, role: str, chosen: list[str] | str | None, source: str) -> str | None:
    if isinstance(chosen, list):
        if len(chosen) > 1:
            raise InputError(f"--{role}: several names are for tables; this source has one array of {role}")
        chosen = chosen[0]
    if chosen:
        require(arrays, chosen, role, source)
        return chosen
    if role in arrays:
        return role
    if role == "targets":
        raise missing(arrays, source)
    return None


def missing(arrays: Arrays, source: str) -> InputError:
    names = ", ".join(name for name in arrays if not ours(name)) or "none"
    return InputError(
        f"--source: {source}: arrays {names}; expected inputs, targets "
        "(--inputs NAME --targets NAME choose others)"
    )


def require(arrays: Arrays, name: str, role: str, source: str) -> None:
    if name not in arrays:
        raise InputError(f"--{role}: {source} has no array '{name}'; it has {', '.join(arrays)}")


def test_name(arrays: Arrays, name: str) -> str | None:
    """The array of the test part that belongs to `name`."""
    group = name.replace("inputs.", "inputs_test.", 1)
    choices = [f"{name}_test", f"test/{name}", group, name.replace("train", "test")]
    return next((choice for choice in choices if choice != name and choice in arrays), None)


def is_test(arrays: Arrays, name: str) -> bool:
    return name.endswith("_test") and name.removesuffix("_test") in arrays


def part(
    arrays: Arrays, inputs: dict[str, str], single: dict[str, str | None], names: dict[str, str]
) -> Part:
    chosen: dict[str, Any] = {role: arrays[names[name]] if name else None for role, name in single.items()}
    shared = {argument(name[len("shared.") :], name): arrays[name] for name in arrays if is_shared(name)}
    return Part({key: arrays[names[name]] for key, name in inputs.items()}, **chosen, shared=shared)


def is_shared(name: str) -> bool:
    """An input that all samples have in common, such as the edges of a graph."""
    return name.startswith(("shared.", "shared/"))
