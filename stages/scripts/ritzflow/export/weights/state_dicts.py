"""Which tensors of a checkpoint are the module's: the dictionary among several, the prefix of its names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ritzflow.common.script_cli import InputError

# Names that wrappers put between those of the module: torch.compile, FSDP, activation checkpointing.
WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
COUNTERS = {"n_averaged"}  # of AveragedModel, beside the weights that it averages
DEPTH = 4  # of dictionaries in dictionaries

State = dict[str, torch.Tensor]


@dataclass
class Fit:
    """How the tensors at a place in the checkpoint go into the module."""

    place: str  # "" for the file itself
    prefix: str
    tensors: State  # under the module's names
    stored: dict[str, str]  # the same under the checkpoint's names
    others: list[str]  # names that the prefix leaves out
    matches: int
    complete: bool

    def removed(self) -> str:
        """What the names lost on their way: a prefix, or what wrappers had put between their parts."""
        starts = {old.removesuffix(new) for new, old in self.stored.items()}
        if starts == {""} or not starts:
            return ""
        return f"prefix {starts.pop()} removed" if len(starts) == 1 else "names of wrappers removed"


def places(content: dict[str, Any], place: str = "", depth: int = DEPTH) -> Iterator[tuple[str, State]]:
    """Every dictionary of tensors in what a file holds, with its keys joined by dots."""
    state = {name: t for name, t in content.items() if isinstance(name, str) and isinstance(t, torch.Tensor)}
    if state:
        yield place, state
    for name, inner in content.items():
        if depth > 1 and isinstance(name, str) and isinstance(inner, dict):
            yield from places(inner, f"{place}.{name}" if place else name, depth - 1)


def without_wrappers(state: Iterable[str], known: State) -> dict[str, str]:
    """Each name of the state without what wrappers add to it."""
    wrappers = WRAPPERS if any("module" in name.split(".") for name in known) else WRAPPERS | {"module"}
    names = {name: ".".join(part for part in name.split(".") if part not in wrappers) for name in state}
    return names if len(set(names.values())) == len(names) else {name: name for name in state}


def prefixes(names: Iterable[str]) -> list[str]:
    """All beginnings that end in a dot, and the empty one, which comes first."""
    found = {""}
    for name in names:
        parts = name.split(".")
        found |= {".".join(parts[:i]) + "." for i in range(1, len(parts))}
    return sorted(found, key=len)


def fits(place: str, state: State, known: State, required: list[set[str]], prefix: str | None) -> list[Fit]:
    """How a state fits with each prefix under which it has names of the module, or with the one given."""
    if prefix is None:
        names = without_wrappers({name: t for name, t in state.items() if name not in COUNTERS}, known)
        starts = prefixes(names.values())
    else:
        inside = {name.removeprefix(prefix): name for name in state if name.startswith(prefix)}
        shorter = without_wrappers(inside, known)
        names = {name: prefix + shorter[rest] for rest, name in inside.items()}
        names |= {name: name for name in state if not name.startswith(prefix)}
        starts = [prefix]
    found = [fit(place, start, names, state, known, required) for start in starts]
    return [f for f in found if f.matches or prefix is not None]


def fit(
    place: str, prefix: str, names: dict[str, str], state: State, known: State, required: list[set[str]]
) -> Fit:
    """The fit of one prefix; `names` are those of the state, without wrappers."""
    stored = {new.removeprefix(prefix): old for old, new in names.items() if new.startswith(prefix)}
    tensors = {new: shaped(state[old], known.get(new)) for new, old in stored.items()}
    others = [old for old, new in names.items() if not new.startswith(prefix)]
    fitting = {name for name, t in tensors.items() if name in known and t.shape == known[name].shape}
    matches = len(tensors.keys() & known.keys())
    return Fit(place, prefix, tensors, stored, others, matches, all(n & fitting for n in required))


def shaped(tensor: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
    """A scalar as the module has it, which model.h5 and old checkpoints hold as one element."""
    return tensor.reshape(()) if own is not None and own.dim() == 0 and tensor.shape == (1,) else tensor


def choose(
    content: dict[str, Any], known: State, required: list[set[str]], key: str | None, prefix: str | None
) -> Fit:
    """The one fit of a checkpoint. Raises InputError where several are as good, or nothing fits at all.

    `required` are the module's names, those of one tensor as a set of which one is enough.
    """
    found = dict(places(content))
    if not found:
        raise InputError("no tensors by name in it; expected a state dict, as module.state_dict() gives it")
    if key is not None and key not in found:
        named = ", ".join(f"'{place}'" for place in list(found)[:12])
        raise InputError(f"no tensors under '{key}' (--weights-key); there are {named}")
    chosen = found if key is None else {key: found[key]}
    every = [f for place, state in chosen.items() for f in fits(place, state, known, required, prefix)]
    complete = [f for f in every if f.complete]
    refuse_ambiguous(complete)
    if not any(f.matches for f in every):
        names = ", ".join(f"'{name}'" for name in list(next(iter(chosen.values())))[:3])
        raise InputError(f"no name in it is one of the module's; its names are {names} ...")
    return complete[0] if complete else max(every, key=lambda f: f.matches)


def refuse_ambiguous(complete: list[Fit]) -> None:
    """Raises InputError where more than one set of tensors fits the module."""
    if len(where := dict.fromkeys(f.place for f in complete)) > 1:
        named = ", ".join(f"'{place}'" for place in where)
        raise InputError(f"{named} all fit the module: choose by --weights-key")
    if len(complete) > 1:
        named = ", ".join(f"'{f.prefix}'" for f in complete)
        raise InputError(f"the prefixes {named} all fit the module: choose by --prefix")
