"""prepare_data.py called in this process: what it wrote and said, or its one line of refusal."""

import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scripts_under_test  # noqa: F401

from ritzflow.common.script_cli import InputError

OUT = "data.h5"


@dataclass
class Prepared:
    data: dict[str, np.ndarray]
    attributes: dict
    said: str

    def __getitem__(self, name: str) -> np.ndarray:
        return self.data[name]

    def __contains__(self, name: str) -> bool:
        return name in self.data


class Preparing:
    """Runs in the current folder, which is empty but for what the test puts there."""

    def __init__(self, monkeypatch, capsys):
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def main(self, *arguments) -> None:
        import prepare_data

        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["prepare_data.py", *map(str, arguments), "--out", OUT])
            prepare_data.main()

    def __call__(self, *arguments) -> Prepared:
        self.main("--source", *arguments)
        found = {}
        with h5py.File(OUT) as file:
            file.visititems(lambda name, item: found.update(read(name, item)))
            return Prepared(found, dict(file.attrs), self.capsys.readouterr().err)

    def npz(self, inputs, targets, *flags, **more) -> Prepared:
        np.savez("mine.npz", inputs=inputs, targets=targets, **more)
        return self("npz:mine.npz", *flags)

    def refusal(self, *arguments) -> str:
        """The line of the error; nothing is left behind."""
        before = sorted(Path().iterdir())
        try:
            self.main("--source", *arguments)
        except InputError as error:
            assert sorted(Path().iterdir()) == before
            assert "\n" not in str(error)
            return str(error)
        raise AssertionError(f"accepted: {self.capsys.readouterr().err}")

    def npz_refusal(self, inputs, targets, *flags, **more) -> str:
        np.savez("mine.npz", inputs=inputs, targets=targets, **more)
        return self.refusal("npz:mine.npz", *flags)


def read(name: str, item) -> dict[str, np.ndarray]:
    return {name: item[...]} if isinstance(item, h5py.Dataset) else {}
