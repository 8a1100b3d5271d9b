"""Arrays that are too large to be held, or whose length is not known before they end: files without a name.

They lie in the folder of the output and vanish with the process, however it ends.
"""

import tempfile
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Literal

import numpy as np

BYTES = 1 << 24  # copied at a time


class Staging:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self.folder)

    def column(self) -> "Column":
        return Column(self.file())

    def npy(self, stream: IO[bytes]) -> np.ndarray:
        """The array of an .npy stream. Raises ValueError unless it is an array of plain values."""
        version = np.lib.format.read_magic(stream)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        try:
            shape, fortran, dtype = header(stream)
        except (SyntaxError, TokenError):
            raise ValueError("has a damaged header") from None
        if dtype.hasobject:
            raise ValueError(
                "holds Python objects (rows of different lengths, or words that need .astype(str))"
            )
        column = self.column()
        while chunk := stream.read(BYTES):
            column.file.write(chunk)
        expected = int(np.prod(shape)) * dtype.itemsize
        if column.file.tell() != expected:
            raise ValueError(f"ends after {column.file.tell()} of {expected} bytes")
        return column.mapped(dtype, shape, "F" if fortran else "C")


class Column:
    """An array that grows by blocks of rows of one shape and type."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.rows = file, 0
        self.shape: tuple[int, ...] | None = None
        self.dtype: np.dtype[Any] | None = None

    def append(self, block: np.ndarray) -> None:
        """Raises ValueError where the rows differ from those before in shape; types may widen nowhere."""
        if self.shape is None or self.dtype is None:
            self.shape, self.dtype = block.shape[1:], block.dtype
        if block.shape[1:] != self.shape:
            raise ValueError(f"has shape {list(block.shape[1:])}, those before {list(self.shape)}")
        if block.dtype != self.dtype and not np.can_cast(block.dtype, self.dtype, "safe"):
            raise ValueError(f"is of type {block.dtype}, those before of {self.dtype}")
        np.ascontiguousarray(block, dtype=self.dtype).tofile(self.file)
        self.rows += len(block)

    def array(self) -> np.ndarray:
        assert self.shape is not None and self.dtype is not None, "nothing was appended"
        return self.mapped(self.dtype, (self.rows, *self.shape), "C")

    def mapped(self, dtype: np.dtype[Any], shape: tuple[int, ...], order: Literal["C", "F"]) -> np.ndarray:
        self.file.flush()
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(self.file, dtype=dtype, mode="r", shape=tuple(shape) or (1,), order=order).reshape(
            shape
        )
