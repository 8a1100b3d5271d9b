"""Weights into a module: every tensor by its name, none missing, none left to chance."""

from pathlib import Path

import torch

from ritzflow.common.script_cli import InputError, Refusal, listed, nearest
from ritzflow.export.module.modules import Model
from ritzflow.export.weights import checkpoint_files, state_dicts
from ritzflow.export.weights.state_dicts import Fit, State

SHORT = (torch.float16, torch.bfloat16)


def load_weights(
    model: Model, path: Path, key: str | None = None, prefix: str | None = None, strict: bool = True
) -> str:
    """Puts the tensors of a checkpoint into the module; says in one line what was read.

    `key` names a dictionary in the checkpoint, `prefix` the beginning of the names; both are found where
    only one fits. Unless `strict`, tensors that the module does not have are passed over.
    """
    path, content = checkpoint_files.read(path)
    known = {name: t for name, t in model.module.state_dict().items() if isinstance(t, torch.Tensor)}
    try:
        fit = state_dicts.choose(content, known, required(model, known), key, prefix)
        extra = extra_names(model, fit, known, outside=prefix is None)
        refuse_misfits(fit, known, required(model, known), extra if strict else [])
        values = {name: fit.tensors[name] for name in known if name in fit.tensors}
        for name, tensor in values.items():
            refuse_value(name, tensor, known[name])
    except (InputError, Refusal) as error:
        raise type(error)(f"--weights: {path}: {error}") from None
    if any(t.dtype == torch.float64 for t in values.values()):
        model.to(torch.float64)  # the module's own type would round them
    model.module.load_state_dict(values, strict=False)
    return described(path, fit, values, extra)


def described(path: Path, fit: Fit, values: State, extra: list[str]) -> str:
    parts = [f"weights: {f'{fit.place} of ' if fit.place else ''}{path}"]
    parts += [fit.removed()] if fit.removed() else []
    parts.append(f"{len(values)} tensors")
    types = {str(t.dtype).removeprefix("torch.") for t in values.values() if t.dtype in SHORT}
    if types:
        parts.append(f"{' and '.join(sorted(types))} widened to float32")
    if extra:
        parts.append(f"passed over: {listed(extra)}")
    return ", ".join(parts)


def required(model: Model, known: State) -> list[set[str]]:
    """Names that a checkpoint must have; of tied ones any is enough. A count of batches is not needed."""
    aliases = {name: set(group) for group in model.tied() for name in group}
    return [aliases.get(name, {name}) for name in known if not name.endswith("num_batches_tracked")]


def extra_names(model: Model, fit: Fit, known: State, outside: bool) -> list[str]:
    """Names that are none of the module's; with those `outside` a prefix that was found, not asked for."""
    own = {name: b for name, b in model.module.named_buffers() if name not in known}  # not persistent
    extra = [
        name
        for name, tensor in fit.tensors.items()
        if name not in known and not name.endswith("_extra_state") and not same(own.get(name), tensor)
    ]
    return extra + (fit.others if outside else [])


def same(own: torch.Tensor | None, tensor: torch.Tensor) -> bool:
    """Is it a buffer that the module makes by itself, with the same values?"""
    if own is None or own.numel() != tensor.numel():
        return False
    return torch.equal(own.double(), tensor.double().reshape(own.shape))


def refuse_misfits(fit: Fit, known: State, needed: list[set[str]], extra: list[str]) -> None:
    """Raises InputError that names what is missing, of another shape, or not the module's."""
    faults = []
    missing = [min(names) for names in unique(needed) if not names & fit.tensors.keys()]
    if missing:
        faults.append(f"missing: {listed(missing)}{nearest(missing[0], fit.tensors.keys() - known.keys())}")
    shapes = [
        f"{name} has {list(t.shape)}, the module's {list(known[name].shape)}"
        for name, t in fit.tensors.items()
        if name in known and t.shape != known[name].shape
    ]
    if shapes:
        faults.append(f"of another shape: {listed(shapes)}")
    if extra:
        faults.append(f"not in the module: {listed(extra)} (--no-strict passes over them)")
    if faults:
        place = f"'{fit.place}' does" if fit.place else "its tensors do"
        prefix = f" (prefix '{fit.prefix}')" if fit.prefix else ""
        raise InputError(f"{place} not fit the module{prefix}; {'; '.join(faults)}")


def unique(sets: list[set[str]]) -> list[set[str]]:
    return [names for i, names in enumerate(sets) if names not in sets[:i]]


def refuse_value(name: str, tensor: torch.Tensor, own: torch.Tensor) -> None:
    """Raises for a tensor whose values are no plain numbers of the module's kind."""
    if tensor.is_complex() and not own.is_complex():
        raise Refusal(f"'{name}' is complex; curvature is taken over real parameters")
    kind, expected = (str(t.dtype).removeprefix("torch.") for t in (tensor, own))
    bytes_for_floats = kind in ("int8", "uint8") and own.is_floating_point()
    if tensor.is_quantized or kind.startswith("float8") or bytes_for_floats:
        raise Refusal(f"'{name}' is quantised ({kind}), which has no curvature; export the full weights")
    if tensor.is_floating_point() != own.is_floating_point():
        raise InputError(f"'{name}' has the type {kind}, the module's {expected}")
    if tensor.layout != torch.strided:
        raise Refusal(f"'{name}' is sparse; save it as a dense tensor")


def refuse_not_finite(model: Model) -> None:
    """Raises InputError that names a parameter with NaN or infinity, or a buffer with NaN."""
    for name, p in model.module.named_parameters():
        if p.is_floating_point() and not torch.isfinite(p).all():
            raise InputError(f"{model.origin}: parameter '{name}' holds NaN or infinity")
    for name, b in model.module.named_buffers():
        if b.is_floating_point() and torch.isnan(b).any():
            raise InputError(f"{model.origin}: buffer '{name}' holds NaN")
