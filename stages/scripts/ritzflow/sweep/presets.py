"""The method's settings by name, where a sweep file says no others: k, iterations, tolerance and precision.

The precision is that of the products, a setting of operators: a preset of `lanczos` gives it to those that do
not say theirs, one of a variant does not, since variants of an operator have its products in common.
"""

from collections.abc import Iterator
from typing import Any

from ritzflow.sweep.stage_versions import KRONECKER_KINDS
from ritzflow.sweep.types import Config

SETTINGS: dict[str, dict[str, Any]] = {
    "minimal": {"k": 5, "max_iters": 15},
    "balanced": {"k": 10, "max_iters": 30},
    "accurate": {"k": 20, "max_iters": 60, "tol": 1e-12},
}
PRECISION = {"minimal": "bfloat16", "balanced": "float32", "accurate": "float64"}


def filled(settings: Any) -> Any:
    """Settings of `lanczos`, or of a variant, with those of their preset that they do not say."""
    name = named(settings)
    return {**SETTINGS[name], **settings} if name else settings


def named(settings: Any) -> str | None:
    """The preset of some settings, where it is one."""
    name = settings.get("preset") if isinstance(settings, dict) else None
    return name if isinstance(name, str) and name in SETTINGS else None


def of_sweep(raw: dict[str, Any]) -> dict[str, Any]:
    """A sweep file with what its presets stand for; what is malformed stays for the check to find."""
    found = dict(raw)
    if "lanczos" in raw:
        found["lanczos"] = filled(raw["lanczos"])
    if isinstance(raw.get("variants"), dict):
        found["variants"] = {name: filled(entry) for name, entry in raw["variants"].items()}
    name = named(raw.get("lanczos"))
    if name and isinstance(raw.get("operators"), dict):
        operators = raw["operators"].items()
        found["operators"] = {key: with_precision(entry, PRECISION[name], raw) for key, entry in operators}
    return found


def with_precision(operator: Any, precision: str, raw: dict[str, Any]) -> Any:
    """An operator computes in a preset's precision where it can, and does not say another one."""
    if not isinstance(operator, dict) or not is_possible(precision, operator, raw):
        return operator
    return {"dtype_compute": precision, **operator}


def is_possible(precision: str, operator: dict[str, Any], raw: dict[str, Any]) -> bool:
    """Not in bfloat16: Hessians, K-FAC's factors, modules; not in float64: modules verified in float32."""
    modules = list(modules_of(raw))
    if precision == "bfloat16":
        refused = operator.get("kind") == "hessian" and operator.get("force") is not True
        return not (refused or operator.get("kind") in KRONECKER_KINDS or modules)
    return precision == "float32" or all(module.get("verify") != "float32" for module in modules)


def modules_of(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The architectures that are modules of the user's."""
    models = raw.get("models")
    for model in models.values() if isinstance(models, dict) else ():
        architecture = model.get("architecture") if isinstance(model, dict) else None
        if isinstance(architecture, dict) and architecture.get("kind") == "module":
            yield architecture


def lines(config: Config) -> Iterator[str]:
    """What holds where a preset is asked for, the sweep file's own settings included."""
    lanczos = config["lanczos"]
    if "preset" in lanczos:
        types = ", ".join(f"{name} {entry['dtype_compute']}" for name, entry in config["operators"].items())
        yield f"preset {lanczos['preset']}: {said(lanczos)}; products of {types}"
    for name, entry in config.get("variants", {}).items():
        if "preset" in entry:
            settings = said({**lanczos, **entry})
            yield f"preset {entry['preset']} of the variant {name}: {settings}; products as its operators say"


def said(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {settings[key]}" for key in ("k", "max_iters", "tol"))
