"""One line on what was understood: task, classes, samples, shapes, split, scaling."""

import numpy as np

from ritzflow.common.artifact_digest import Stream
from ritzflow.data.prepared.content import Content
from ritzflow.data.prepared.inputs import Input
from ritzflow.data.prepared.labels import Reading
from ritzflow.data.sources.samples import Samples

TASKS = {"language_modeling": "language modeling"}


def summary(samples: Samples, reading: Reading, content: Content) -> str:
    data = content.datasets()
    parts = [
        ", ".join(
            [TASKS.get(reading.task, reading.task), *classes(reading), reading.says + scaled_targets(content)]
        ),
        counted(data, content),
        ", ".join(describe(input, data, content) for input in content.inputs),
        *(f"{name} carried along" for name in ("weights", "mask") if name in data),
        *samples.notes,
    ]
    return "; ".join(parts)


def classes(reading: Reading) -> list[str]:
    if reading.task != "classification":
        return []
    return ["1 class" if reading.classes == 1 else f"{reading.classes} classes"]


def scaled_targets(content: Content) -> str:
    return ", standardized" if content.target_scaling else ""


def counted(data: dict[str, np.ndarray | Stream], content: Content) -> str:
    train = data["targets"].shape[0]
    test = data["test/targets"].shape[0] if "test/targets" in data else 0
    how = "" if content.train_rows is not None and content.test_rows is not None else " as in the source"
    if not test:
        return f"{train} training samples{how}, no test part"
    return f"{train} training and {test} test samples{how}"


def describe(input: Input, data: dict[str, np.ndarray | Stream], content: Content) -> str:
    path = f"inputs/{input.name}".rstrip("/")
    shape = list(data[path].shape[1:])
    name = f"inputs {input.name} {shape}".replace("  ", " ")
    layout = " (channels moved to the front)" if input.channels_last else ""
    return f"{name}{layout} {state(input, content)}"


def state(input: Input, content: Content) -> str:
    if input.tokens:
        return "of integers"
    if content.scalings[input.name] is None:
        values = content.samples.train.inputs[input.name]
        return "as they are, bytes 0..255" if values.dtype == np.uint8 else "as they are"
    divisor = content.samples.divisor
    return f"divided by {divisor:g}" if divisor else "standardized"
