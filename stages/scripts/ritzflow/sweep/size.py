"""How large a sweep is, in a line that is said before it runs."""

from ritzflow.sweep import artifacts, cells, model_steps, summaries, variants
from ritzflow.sweep.types import Config


def line(config: Config) -> str:
    """Cells, products and files; those of steps that a training has yet to show are not counted."""
    every = cells.expected(config)
    products = sum(variants.settings_of(config, cell)["max_iters"] for cell in every)
    files = len(artifacts.of_sweep(config)) + len(summaries.FILES)
    unknown = [name for name, model in config["models"].items() if not model_steps.has_known_steps(model)]
    open_steps = (
        f", and those of the steps of {', '.join(unknown)} that its training shows" if unknown else ""
    )
    parts = (
        counted(len(every), "cell"),
        f"at most {counted(products, 'product')} without certificates",
        counted(files, "file"),
    )
    return f"sweep {config['name']}: {', '.join(parts)}{open_steps}"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
