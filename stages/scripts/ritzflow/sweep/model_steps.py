"""The training steps at which a model is measured, and where its weights come from."""

from typing import Any

from ritzflow.common import weights_files
from ritzflow.common.script_cli import InputError
from ritzflow.sweep.sweep_file import ConfigError


def resolved(model: dict[str, Any], seeds: list[int], place: str) -> list[Any] | str:
    """Training steps in ascending order. Raises ConfigError.

    Those of weights that a command has yet to write stay as listed."""
    steps = model["steps"]
    if not is_trained(model) and isinstance(steps, str) and steps != weights_files.ALL:
        raise ConfigError(f"{place}: '{steps}' is for a model that the sweep trains; list the steps")
    if not is_trained(model) and weights_files.STEP in weights_of(model):
        return of_many_files(model, seeds, place)
    if model["steps"] == weights_files.ALL:
        raise ConfigError(
            f"{place}: 'all' is for a module whose weights, or folder, have {{step}} in their name"
        )
    if is_trained(model):
        return of_training(model, place)
    return of_one_file(model, place)


def of_many_files(model: dict[str, Any], seeds: list[int], place: str) -> list[Any] | str:
    if not has_known_steps(model):
        return model["steps"] if has_command(model) else of_files(model, seeds, place)
    return distinct(model["steps"], place)


def of_training(model: dict[str, Any], place: str) -> list[int]:
    """Steps of a training that the sweep does; `final` is their number."""
    final = model["training"]["steps"]
    if isinstance(model["steps"], str):
        return sorted({*range(0, final, int(model["steps"].removeprefix("every "))), final})
    steps = [final if step == "final" else step for step in model["steps"]]
    if max(steps) > final:
        raise ConfigError(f"{place}: step {max(steps)} exceeds the last training step, {final}")
    return distinct(steps, place, f" ('final' is {final})")


def of_one_file(model: dict[str, Any], place: str) -> list[int]:
    """Step 0, the one of weights without {step} in their name."""
    steps = [0 if step == "final" else step for step in model["steps"]]
    if max(steps) > 0:
        key = weights_files.key_of(model["architecture"])
        raise ConfigError(f"{place}: '{key}' has no {{step}} in its name: its only step is 'final'")
    return distinct(steps, place, " ('final' is 0)")


def distinct(steps: list[int], place: str, note: str = "") -> list[int]:
    if len(set(steps)) < len(steps):
        raise ConfigError(f"{place}: a step is listed twice{note}")
    return sorted(steps)


def has_known_steps(model: dict[str, Any]) -> bool:
    """Whether the steps are numbers, not `final` or `all` of weights that a command has yet to write."""
    return all(isinstance(step, int) for step in model["steps"])


def has_command(model: dict[str, Any]) -> bool:
    """Whether a command of the user's trains the module."""
    return not is_trained(model) and "training" in model


def of_files(model: dict[str, Any], seeds: list[int], place: str) -> list[int]:
    """The steps of which there are weights, the same for every seed. Raises ConfigError."""
    by_seed = {}
    for seed in seeds:
        pattern = weights_files.of_seed(weights_of(model), seed)
        try:
            by_seed[seed] = list(weights_files.chosen(pattern, model["steps"]))
        except InputError as error:
            raise ConfigError(f"{place}: {error}") from None
        if by_seed[seed] != by_seed[seeds[0]]:
            first, other = (", ".join(map(str, by_seed[s])) for s in (seeds[0], seed))
            wanted = "all" if model["steps"] == weights_files.ALL else "these"
            raise ConfigError(
                f"{place}: {wanted} are {first} of seed {seeds[0]}, but {other} of seed {seed}; a row of the "
                "table averages over seeds: list the numbers"
            )
    return by_seed[seeds[0]]


def weights_of(model: dict[str, Any]) -> str:
    """Where the weights of a module are, as the sweep file says it."""
    return model["architecture"][weights_files.key_of(model["architecture"])]


def is_trained(model: dict[str, Any]) -> bool:
    """Whether the sweep trains the model; a module of the user's own comes with its weights."""
    return model["architecture"]["kind"] != "module"
